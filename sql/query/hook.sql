-- SPDX-License-Identifier: BSD-2-Clause
-- Commands that are to be run, and how they ended.

-- name: hook_last_id
SELECT coalesce(max(id), 0) FROM hook;

-- One row for each zone and name: newer absorbs older, under a new id, so that a late result of the
-- older one does not end the newer.  What the older was to do has not been done: it is still
-- a forced transfer, and the server still has what it had before.
-- name: hook_add
INSERT INTO hook (zone, name, id, forced, serial, old_serial, source, not_before, tries)
VALUES (:zone, :name, :id, :forced, :serial, :old_serial, :source, :not_before, :tries)
ON CONFLICT (zone, name) DO UPDATE SET id = excluded.id, forced = max(forced, excluded.forced),
	serial = excluded.serial, source = excluded.source, not_before = excluded.not_before,
	tries = excluded.tries
RETURNING forced, old_serial;

-- name: hook_set
UPDATE hook SET tries = :tries, not_before = :not_before
WHERE zone = :zone AND name = :name AND id = :id;

-- name: hook_remove
DELETE FROM hook WHERE zone = :zone AND name = :name AND id = :id;

-- name: hook_remove_zone
DELETE FROM hook WHERE zone = :zone;

-- name: hook_result_put
INSERT OR REPLACE INTO hook_result (zone, name, at, duration, forced, serial, state, text)
SELECT id, :name, :at, :duration, :forced, :serial, :state, :text FROM zone WHERE id = :zone;

-- name: hook_each
SELECT id, zone, name, forced, serial, old_serial, source, not_before, tries FROM hook;
