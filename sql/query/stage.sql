-- SPDX-License-Identifier: BSD-2-Clause
-- Versions under construction.

-- name: content_last_id
SELECT coalesce(max(id), 0) FROM content;

-- name: content_add
INSERT INTO content (id, zone, key, born, data, sum)
VALUES (:id, :zone, :key, :born, :data, :sum);

-- name: segment_add
INSERT INTO segment (zone, key, born, id, rrs, octets, digest)
VALUES (:zone, :key, :born, :id, :rrs, :octets, :digest);

-- name: content_where
SELECT key, born FROM content WHERE id = :id AND zone = :zone;

-- Ends a segment that lives.
-- name: segment_kill
UPDATE segment SET died = :version
WHERE zone = :zone AND key = :key AND born = :born AND id = :id AND died IS NULL
RETURNING rrs, octets, digest;

-- Takes back a segment of the version under construction, which nobody has seen.
-- name: segment_take
DELETE FROM segment WHERE zone = :zone AND key = :key AND born = :born AND id = :id
RETURNING rrs, octets, digest;

-- name: journal_add
INSERT INTO journal (zone, version, step, part, chunk, id, from_serial, to_serial, rrs, octets)
VALUES (:zone, :version, :step, :part, :chunk, :id, :from_serial, :to_serial, :rrs, :octets);

-- name: staging_get
SELECT version, segments, records, octets, digest, journal_steps, journal_octets
FROM staging WHERE zone = :zone;

-- name: staging_put
INSERT OR REPLACE INTO staging (zone, version, segments, records, octets, digest,
	journal_steps, journal_octets)
VALUES (:zone, :version, :segments, :records, :octets, :digest, :journal_steps,
	:journal_octets);

-- name: staging_each
SELECT zone, version FROM staging;

-- name: staging_remove
DELETE FROM staging WHERE zone = :zone;
