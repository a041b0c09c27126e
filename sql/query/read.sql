-- SPDX-License-Identifier: BSD-2-Clause
-- All that readers ask.

-- name: read_zone
SELECT * FROM zone_state WHERE name = :name AND removed_at = 0;

-- name: read_zones
SELECT * FROM zone_state WHERE name IS NOT NULL AND removed_at = 0 ORDER BY name;

-- name: read_segment_at
SELECT id, key, digest, rrs, octets FROM segment
WHERE zone = :zone AND key <= :key AND born <= :version AND (died IS NULL OR died > :version)
ORDER BY key DESC LIMIT 1;

-- name: read_segment_next
SELECT id, key, digest, rrs, octets FROM segment
WHERE zone = :zone AND key > :key AND born <= :version AND (died IS NULL OR died > :version)
ORDER BY key LIMIT 1;

-- name: read_segment_prev
SELECT id, key, digest, rrs, octets FROM segment
WHERE zone = :zone AND key < :key AND born <= :version AND (died IS NULL OR died > :version)
ORDER BY key DESC LIMIT 1;

-- name: read_segments
SELECT id, key, digest, rrs, octets FROM segment
WHERE zone = :zone AND born <= :version AND (died IS NULL OR died > :version)
ORDER BY key;

-- name: read_content
SELECT data, sum FROM content WHERE id = :id;

-- Of octets without a sum: the digest shows those that are not what was written.
-- name: read_content_digest
SELECT segment.digest FROM content CROSS JOIN segment
	ON segment.zone = content.zone AND segment.key = content.key AND segment.born = content.born
WHERE content.id = :id AND segment.id = :id;

-- name: read_begin
BEGIN;

-- name: read_end
COMMIT;

-- name: read_ambiguous
SELECT 1 FROM ambiguous WHERE zone = :zone AND cleared = 0
	AND ((:serial - low) & 0xffffffff) <= ((high - low) & 0xffffffff) LIMIT 1;

-- name: read_journal_from
SELECT journal_from FROM zone WHERE id = :zone;

-- The journal from its end to its beginning.
-- name: read_journal_chain
SELECT version, step, part, chunk, from_serial, to_serial, octets FROM journal
WHERE zone = :zone AND version BETWEEN :from AND :version
ORDER BY version DESC, step DESC, part DESC, chunk DESC;

-- name: read_journal_chunk
SELECT version, step, part, chunk, journal.rrs, data, content.id, sum
FROM journal LEFT JOIN content ON content.id = journal.id
WHERE journal.zone = :zone AND (version, step, part, chunk) >= (:from, :step, :part, :chunk)
	AND version <= :version
ORDER BY version, step, part, chunk LIMIT 1;

-- name: read_journal_has
SELECT 1 FROM journal WHERE zone = :zone AND version = :version AND step = :step AND part = :part
	AND chunk = :chunk;

-- name: read_primaries
SELECT name, address, serial, seen_at, error, error_text, error_at FROM primary_state
WHERE zone = :zone;

-- What a downstream fetched is beside each of its targets; a row of its own when it has none.
-- name: read_downstreams
SELECT d.name, d.target, d.notified_serial, d.notified_at, d.acked_serial, d.acked_at,
	f.fetched_serial, coalesce(f.fetched_version, 0), coalesce(f.fetched_at, 0),
	d.error, d.error_text, d.error_at
FROM downstream_state AS d
LEFT JOIN downstream_state AS f ON f.zone = d.zone AND f.name = d.name AND f.target = ''
WHERE d.zone = :zone AND (d.target <> '' OR NOT EXISTS (
	SELECT 1 FROM downstream_state AS o WHERE o.zone = d.zone AND o.name = d.name
		AND o.target > ''));

-- name: read_transfers
SELECT at, duration, out, kind, peer, address, from_serial, to_serial, octets, records, messages,
	error, text
FROM transfer WHERE zone = :zone ORDER BY at DESC, out, n DESC;

-- name: read_outbox
SELECT id, zone, downstream, target, qtype, serial, not_before, tries FROM outbox
WHERE zone = :zone;
