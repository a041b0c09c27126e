-- SPDX-License-Identifier: BSD-2-Clause
-- What "zonerelayctl verify" reads.  Each statement is a short transaction of its own, but for those
-- that look through the whole file once.

-- name: verify_begin
BEGIN;

-- name: verify_end
COMMIT;

-- name: verify_integrity
SELECT integrity_check FROM pragma_integrity_check(20);

-- name: verify_quick
SELECT quick_check FROM pragma_quick_check(20);

-- name: verify_zone_next
SELECT id, name, version, serial, soa_ttl, soa, digest, segments, records, octets, journal_from,
	journal_steps, journal_octets
FROM zone WHERE name > :name AND removed_at = 0 ORDER BY name LIMIT 1;

-- name: verify_zone
SELECT id, name, version, serial, soa_ttl, soa, digest, segments, records, octets, journal_from,
	journal_steps, journal_octets
FROM zone WHERE name = :name AND removed_at = 0;

-- name: verify_zone_count
SELECT count(*) FROM zone WHERE name IS NOT NULL AND removed_at = 0;

-- name: verify_segment_next
SELECT id, born, key, digest, rrs, octets FROM segment
WHERE zone = :zone AND key > :key AND born <= :version AND (died IS NULL OR died > :version)
ORDER BY key LIMIT 1;

-- name: verify_content
SELECT data, zone = :zone AND key = :key AND born = :born, sum FROM content WHERE id = :id;

-- The journal from its end to its beginning.
-- name: verify_chunk_before
SELECT version, step, part, chunk, id, from_serial, to_serial, rrs, octets FROM journal
WHERE zone = :zone AND version >= :from
	AND (version, step, part, chunk) < (:version, :step, :part, :chunk)
ORDER BY version DESC, step DESC, part DESC, chunk DESC LIMIT 1;

-- Rows that belong to a zone which is not there, and octets that belong to no row.
-- name: verify_strays
SELECT place, sum(n) FROM (
	SELECT 'mark' AS place, zone, count(*) AS n FROM mark GROUP BY zone
	UNION ALL SELECT 'outbox', zone, count(*) FROM outbox GROUP BY zone
	UNION ALL SELECT 'hook', zone, count(*) FROM hook GROUP BY zone
	UNION ALL SELECT 'hook_result', zone, count(*) FROM hook_result GROUP BY zone
	UNION ALL SELECT 'forced', zone, count(*) FROM forced GROUP BY zone
	UNION ALL SELECT 'forced_peer', zone, count(*) FROM forced_peer GROUP BY zone
	UNION ALL SELECT 'ambiguous', zone, count(*) FROM ambiguous GROUP BY zone
	UNION ALL SELECT 'staging', zone, count(*) FROM staging GROUP BY zone
	UNION ALL SELECT 'primary_state', zone, count(*) FROM primary_state GROUP BY zone
	UNION ALL SELECT 'downstream_state', zone, count(*) FROM downstream_state GROUP BY zone
	UNION ALL SELECT 'transfer', zone, count(*) FROM transfer GROUP BY zone
	UNION ALL SELECT 'segment', zone, count(*) FROM segment GROUP BY zone
	UNION ALL SELECT 'journal', zone, count(*) FROM journal GROUP BY zone
) AS used WHERE NOT EXISTS (SELECT 1 FROM zone WHERE zone.id = used.zone) GROUP BY place
UNION ALL
SELECT 'content', count(*) FROM content AS c WHERE NOT EXISTS (SELECT 1 FROM segment AS s
		WHERE s.zone = c.zone AND s.key = c.key AND s.born = c.born AND s.id = c.id)
	AND c.id NOT IN (SELECT id FROM journal)
HAVING count(*) > 0;
