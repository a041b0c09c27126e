-- SPDX-License-Identifier: BSD-2-Clause
-- What the peers were seen to hold or do.  Each statement takes zone, name, address, serial, version,
-- at, error, error_text; those it has no use for are left out.

-- name: primary_soa
INSERT INTO primary_state (zone, name, address, serial, seen_at)
SELECT id, :name, :address, :serial, :at FROM zone WHERE id = :zone
ON CONFLICT (zone, name, address) DO UPDATE SET serial = excluded.serial,
	seen_at = excluded.seen_at;

-- name: primary_error
INSERT INTO primary_state (zone, name, address, error, error_text, error_at)
SELECT id, :name, :address, :error, :error_text, :at FROM zone WHERE id = :zone
ON CONFLICT (zone, name, address) DO UPDATE SET error = excluded.error,
	error_text = excluded.error_text, error_at = excluded.error_at;

-- name: downstream_sent
INSERT INTO downstream_state (zone, name, target, notified_serial, notified_at)
SELECT id, :name, :address, :serial, :at FROM zone WHERE id = :zone
ON CONFLICT (zone, name, target) DO UPDATE SET notified_serial = excluded.notified_serial,
	notified_at = excluded.notified_at;

-- name: downstream_acked
INSERT INTO downstream_state (zone, name, target, acked_serial, acked_at)
SELECT id, :name, :address, :serial, :at FROM zone WHERE id = :zone
ON CONFLICT (zone, name, target) DO UPDATE SET acked_serial = excluded.acked_serial,
	acked_at = excluded.acked_at;

-- name: downstream_failed
INSERT INTO downstream_state (zone, name, target, error, error_text, error_at)
SELECT id, :name, :address, :error, :error_text, :at FROM zone WHERE id = :zone
ON CONFLICT (zone, name, target) DO UPDATE SET error = excluded.error,
	error_text = excluded.error_text, error_at = excluded.error_at;

-- name: downstream_fetched
INSERT INTO downstream_state (zone, name, target, fetched_serial, fetched_version, fetched_at)
SELECT id, :name, '', :serial, :version, :at FROM zone WHERE id = :zone
ON CONFLICT (zone, name, target) DO UPDATE SET fetched_serial = excluded.fetched_serial,
	fetched_version = excluded.fetched_version, fetched_at = excluded.fetched_at;

-- A primary may name new targets with every version: those heard of last stay.
-- name: downstream_trim
DELETE FROM downstream_state WHERE zone = :zone AND (name, target) IN (
	SELECT name, target FROM downstream_state WHERE zone = :zone AND target <> ''
	ORDER BY max(notified_at, acked_at, error_at) DESC LIMIT -1 OFFSET :keep);

-- name: transfer_add
INSERT INTO transfer (zone, out, n, at, duration, kind, peer, address, from_serial, to_serial,
	octets, records, messages, error, text)
SELECT id, :out, 1 + coalesce((SELECT max(n) FROM transfer WHERE zone = :zone AND out = :out), 0),
	:at, :duration, :kind, :peer, :address, :from_serial, :to_serial, :octets, :records,
	:messages, :error, :text
FROM zone WHERE id = :zone;

-- name: transfer_trim
DELETE FROM transfer WHERE zone = :zone AND out = :out
	AND n <= (SELECT max(n) FROM transfer WHERE zone = :zone AND out = :out) - :keep;
