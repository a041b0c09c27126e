-- SPDX-License-Identifier: BSD-2-Clause
-- The last forced transfer of each zone, and what became of it at the downstreams.

-- name: forced_put
INSERT OR REPLACE INTO forced (zone, event, at, event_at, serial, version, digest, before, repeats,
	alternations, duration, verdict, notifier, source)
VALUES (:zone, :event, :at, :event_at, :serial, :version, :digest, :before, :repeats,
	:alternations, :duration, :verdict, :notifier, :source);

-- name: forced_each
SELECT zone, event, at, event_at, forced.serial, forced.version, forced.digest, before, repeats,
	alternations, duration, verdict, notifier, source
FROM forced JOIN zone ON zone.id = forced.zone WHERE zone.removed_at = 0;

-- name: forced_peer_put
INSERT OR REPLACE INTO forced_peer (zone, name, target, event, state, at, text)
SELECT id, :name, :target, :event, :state, :at, :text FROM zone WHERE id = :zone;

-- name: forced_peer_remove
DELETE FROM forced_peer WHERE zone = :zone AND name = :name AND target = :target;

-- Of an earlier life of the zone, when events were counted from 1 again; and of addresses that no event
-- was for in a long time.
-- name: forced_peer_forget
DELETE FROM forced_peer WHERE zone = :zone AND (event > :event OR event < :keep);

-- name: forced_peer_each
SELECT zone, forced_peer.name, target, event, state, at, text
FROM forced_peer JOIN zone ON zone.id = forced_peer.zone WHERE zone.removed_at = 0;

-- name: no_axfr_put
INSERT OR REPLACE INTO no_axfr (target, until, text) VALUES (:target, :until, :text);

-- name: no_axfr_remove
DELETE FROM no_axfr WHERE target = :target;

-- name: no_axfr_expire
DELETE FROM no_axfr WHERE until <= :now;

-- name: no_axfr_each
SELECT target, until, text FROM no_axfr WHERE until > :now;
