-- SPDX-License-Identifier: BSD-2-Clause
-- Zones: their life, marks and timers.

-- name: zone_each
SELECT * FROM zone_state WHERE name IS NOT NULL AND removed_at = 0 ORDER BY id;

-- name: zone_by_name
SELECT * FROM zone_state WHERE name = :name;

-- name: zone_last_id
SELECT coalesce(max(id), 0) FROM zone;

-- name: zone_add
INSERT INTO zone (id, name) VALUES (:zone, :name);

-- name: zone_unremove
UPDATE zone SET removed_at = 0 WHERE id = :zone;

-- name: zone_remove
UPDATE zone SET removed_at = :at WHERE id = :zone AND removed_at = 0;

-- What the orders need to know before they change a zone.
-- name: zone_base
SELECT version, segments, records, octets, digest, serial, soa, journal_from, journal_steps,
	journal_octets
FROM zone WHERE id = :zone AND removed_at = 0;

-- name: zone_flip
UPDATE zone SET version = :version, serial = :serial, soa_ttl = :soa_ttl, soa = :soa,
	soa_owner = :soa_owner, digest = :digest, segments = :segments, records = :records,
	octets = :octets, journal_from = :journal_from, journal_steps = :journal_steps,
	journal_octets = :journal_octets, loaded_at = :loaded_at, checked_at = :checked_at,
	refresh_at = :refresh_at, expire_at = :expire_at, failures = 0, error = '',
	error_text = '', error_peer = '', error_at = 0, next_try = 0
WHERE id = :zone AND version = :version - 1;

-- The same content was transferred again.
-- name: zone_confirm
UPDATE zone SET checked_at = :checked_at, refresh_at = :refresh_at, expire_at = :expire_at,
	failures = 0, error = '', error_text = '', error_peer = '', error_at = 0, next_try = 0
WHERE id = :zone;

-- name: zone_timers
UPDATE zone SET checked_at = coalesce(nullif(:checked_at, 0), checked_at),
	refresh_at = coalesce(nullif(:refresh_at, 0), refresh_at),
	expire_at = coalesce(nullif(:expire_at, 0), expire_at),
	failures = :failures, error = :error, error_text = :error_text, error_peer = :error_peer,
	error_at = :error_at, next_try = :next_try
WHERE id = :zone AND removed_at = 0;

-- A mark is only ever raised here; `since` stays that of the oldest.  Notifier and authenticated are
-- those of a forced transfer (unset for a check): of the first that asked for it, or of the first that
-- could prove who it is.
-- name: mark_raise
INSERT INTO mark (zone, pending, since, notifier, authenticated)
VALUES (:zone, :pending, :since, :notifier, :authenticated)
ON CONFLICT (zone) DO UPDATE SET pending = excluded.pending, notifier = excluded.notifier,
	authenticated = excluded.authenticated
WHERE excluded.pending > pending
	OR (excluded.pending = pending AND excluded.authenticated > authenticated);

-- name: mark_set
INSERT INTO mark (zone, pending, since, notifier, authenticated)
VALUES (:zone, :pending, :since, :notifier, :authenticated)
ON CONFLICT (zone) DO UPDATE SET pending = excluded.pending, notifier = excluded.notifier,
	authenticated = excluded.authenticated;

-- name: mark_clear
DELETE FROM mark WHERE zone = :zone;
