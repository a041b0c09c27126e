-- SPDX-License-Identifier: BSD-2-Clause
-- Removing what nobody reads, row by row: a caller stops after as many as it likes.

-- name: segment_find_dead
SELECT key, born, id FROM segment WHERE zone = :zone AND died <= :version LIMIT 1;

-- name: segment_find_killed
SELECT key, born FROM segment WHERE zone = :zone AND died = :version LIMIT 1;

-- Walks the segments of a zone from :key on; the caller goes on from the key found.
-- name: segment_find_born
SELECT key, id FROM segment WHERE zone = :zone AND key >= :key AND born = :version
ORDER BY key LIMIT 1;

-- name: segment_find_any
SELECT key, born, id FROM segment WHERE zone = :zone LIMIT 1;

-- name: segment_revive
UPDATE segment SET died = NULL WHERE zone = :zone AND key = :key AND born = :born;

-- name: segment_remove
DELETE FROM segment WHERE zone = :zone AND key = :key AND born = :born;

-- name: content_remove
DELETE FROM content WHERE id = :id;

-- name: journal_find_old
SELECT version, step, part, chunk, id FROM journal WHERE zone = :zone AND version < :version
LIMIT 1;

-- name: journal_find_from
SELECT version, step, part, chunk, id FROM journal WHERE zone = :zone AND version >= :version
LIMIT 1;

-- name: journal_remove
DELETE FROM journal WHERE zone = :zone AND version = :version AND step = :step AND part = :part
	AND chunk = :chunk;

-- Zones with dead segments; reads the small partial index only.
-- name: sweep_each
SELECT dead.zone, zone.version
FROM (SELECT DISTINCT zone FROM segment INDEXED BY segment_dead WHERE died IS NOT NULL) AS dead
CROSS JOIN zone ON zone.id = dead.zone;

-- name: purge_find
SELECT id FROM zone WHERE removed_at > 0 AND removed_at < :before LIMIT 1;

-- name: purge_unname
UPDATE zone SET name = NULL WHERE id = :zone;

-- name: purge_primary
DELETE FROM primary_state WHERE zone = :zone;

-- name: purge_downstream
DELETE FROM downstream_state WHERE zone = :zone;

-- name: purge_transfer
DELETE FROM transfer WHERE zone = :zone;

-- name: purge_forced
DELETE FROM forced WHERE zone = :zone;

-- name: purge_forced_peer
DELETE FROM forced_peer WHERE zone = :zone;

-- name: purge_hook_result
DELETE FROM hook_result WHERE zone = :zone;

-- name: purge_zone
DELETE FROM zone WHERE id = :zone;
