-- SPDX-License-Identifier: BSD-2-Clause
-- What zonerelayctl asks, on a read-only handle of its own.  It brings the functions
-- name_show(wire name), serial_gt(a, b), time_now(), live() (1: the lines of a running daemon
-- were loaded) and known(kind) (1: live_line has every peer of this kind that is configured).
--
-- Answers of the daemon are put into temporary tables and laid over the rows of the database.  Columns
-- called *_at are times; with --json the columns are the keys.

-- name: tool_schema_version
SELECT user_version FROM pragma_user_version;

-- name: tool_begin
BEGIN;

-- name: tool_commit
COMMIT;

-- Lines of kind "zone".
-- name: tool_create_live_zone
CREATE TEMP TABLE live_zone (name TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;

-- All others, in the order in which they came.
-- name: tool_create_live_line
CREATE TEMP TABLE live_line (
	n INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT, address TEXT, body TEXT NOT NULL,
	UNIQUE (kind, name, address)
);

-- name: tool_add_live_zone
INSERT OR REPLACE INTO live_zone (name, body)
SELECT json_extract(:line, '$.name'), :line WHERE json_extract(:line, '$.kind') = 'zone';

-- name: tool_add_live_line
INSERT OR IGNORE INTO live_line (kind, name, address, body)
SELECT json_extract(:line, '$.kind'), json_extract(:line, '$.name'),
	coalesce(json_extract(:line, '$.address'), ''), :line
WHERE json_extract(:line, '$.kind') <> 'zone';

-- name: tool_forget_live_zones
DELETE FROM live_zone;

-- name: tool_forget_live_lines
DELETE FROM live_line;

-- A zone as operators see it.  Its state is the first that is true: "never" (nothing was ever
-- loaded), "expired", "behind" (a primary or a NOTIFY announced a newer serial), "failing" (the last
-- round of checks failed), "current".
-- name: tool_create_zone_now
CREATE TEMP VIEW zone_now AS
SELECT z.id, name_show(z.name) AS name, z.name AS wire,
	CASE
		WHEN z.soa IS NULL THEN 'never'
		WHEN coalesce(json_extract(l.body, '$.expire_at'), z.expire_at)
			BETWEEN 1 AND time_now() THEN 'expired'
		WHEN serial_gt(json_extract(l.body, '$.want_serial'), z.serial)
			OR EXISTS (SELECT 1 FROM primary_state AS p WHERE p.zone = z.id
				AND serial_gt(p.serial, z.serial)) THEN 'behind'
		WHEN coalesce(json_extract(l.body, '$.failures'), z.failures) > 0 THEN 'failing'
		ELSE 'current' END AS state,
	CASE WHEN json_extract(l.body, '$.activity') = 'held' AND json_extract(l.body, '$.failures') > 0
		THEN 'waiting'
		ELSE coalesce(json_extract(l.body, '$.activity'), CASE WHEN live() THEN 'idle' END)
		END AS activity,
	CASE WHEN z.soa IS NOT NULL THEN z.serial END AS serial, z.version,
	z.segments, z.records, z.octets, lower(hex(z.digest)) AS digest,
	z.loaded_at, coalesce(json_extract(l.body, '$.checked_at'), z.checked_at) AS checked_at,
	coalesce(json_extract(l.body, '$.refresh_at'), z.refresh_at) AS refresh_at,
	coalesce(json_extract(l.body, '$.expire_at'), z.expire_at) AS expire_at,
	coalesce(json_extract(l.body, '$.pending'), CASE z.pending WHEN 1 THEN 'check'
		WHEN 2 THEN 'force' ELSE 'none' END) AS pending,
	coalesce(json_extract(l.body, '$.pending_at'), z.pending_since) AS pending_at,
	CASE WHEN coalesce(json_extract(l.body, '$.pending'),
			CASE z.pending WHEN 2 THEN 'force' END) = 'force'
		THEN coalesce(json_extract(l.body, '$.pending_notifier'), z.notifier) END
		AS pending_notifier,
	json_extract(l.body, '$.forced_wait_at') AS forced_wait_at,
	json_extract(l.body, '$.forced_wait') AS forced_wait,
	coalesce(json_extract(l.body, '$.failures'), z.failures) AS failures,
	iif(coalesce(json_extract(l.body, '$.failures'), z.failures) > 0,
		coalesce(json_extract(l.body, '$.error'), z.error_text), NULL) AS error,
	iif(coalesce(json_extract(l.body, '$.failures'), z.failures) > 0,
		coalesce(json_extract(l.body, '$.error_code'), z.error), NULL) AS error_code,
	iif(coalesce(json_extract(l.body, '$.failures'), z.failures) > 0,
		coalesce(json_extract(l.body, '$.error_peer'), z.error_peer), NULL) AS error_peer,
	iif(coalesce(json_extract(l.body, '$.failures'), z.failures) > 0,
		coalesce(json_extract(l.body, '$.error_at'), z.error_at), NULL) AS error_at,
	coalesce(json_extract(l.body, '$.next_at'), z.next_try) AS next_at,
	json_extract(l.body, '$.lane') AS lane,
	json_extract(l.body, '$.queued_at') AS queued_at,
	json_extract(l.body, '$.primary') AS primary_name,
	json_extract(l.body, '$.address') AS primary_address,
	json_extract(l.body, '$.transfer') AS transfer,
	json_extract(l.body, '$.transfer_at') AS transfer_at,
	json_extract(l.body, '$.records') AS transfer_records,
	json_extract(l.body, '$.octets') AS transfer_octets,
	json_extract(l.body, '$.messages') AS transfer_messages,
	json_extract(l.body, '$.want_serial') AS want_serial
FROM zone_state AS z LEFT JOIN live_zone AS l ON l.name = name_show(z.name)
WHERE z.name IS NOT NULL AND z.removed_at = 0;

-- name: tool_zones
SELECT name, state, activity, serial, records, octets, loaded_at, checked_at, refresh_at, expire_at,
	pending, failures, error_code, error, error_at, next_at
FROM zone_now WHERE :state IS NULL OR state = :state ORDER BY name LIMIT :limit;

-- name: tool_zone_count
SELECT count(*) FROM zone WHERE name IS NOT NULL AND removed_at = 0;

-- name: tool_zone_id
SELECT id, version, serial, soa IS NOT NULL AS loaded, records,
	expire_at > 0 AND expire_at <= time_now() AS expired
FROM zone WHERE name = :name AND removed_at = 0;

-- `ahead`: the primary last seen to hold something newer; `older`: those whose last word was something
-- that is not.
-- name: tool_zone
SELECT zone_now.*, a.name AS ahead_primary, a.serial AS ahead_serial, a.seen_at AS ahead_at,
	(SELECT group_concat(p.name || ' has ' || p.serial, ', ') FROM primary_state AS p
		WHERE p.zone = zone_now.id AND p.serial IS NOT NULL AND p.seen_at >= p.error_at
			AND p.serial <> zone_now.serial AND NOT serial_gt(p.serial, zone_now.serial))
		AS older,
	(SELECT f.address FROM (
		SELECT p.address, p.error_at AS at FROM primary_state AS p
		WHERE p.zone = zone_now.id AND p.error_at > p.seen_at
		UNION ALL
		SELECT t.address, t.at + t.duration FROM transfer AS t
		WHERE t.zone = zone_now.id AND t.out = 0 AND t.error <> ''
	) AS f ORDER BY f.at DESC LIMIT 1) AS error_address
FROM zone_now LEFT JOIN primary_state AS a ON (a.zone, a.name, a.address) = (
	SELECT p.zone, p.name, p.address FROM primary_state AS p WHERE p.zone = zone_now.id
		AND serial_gt(p.serial, zone_now.serial) ORDER BY p.seen_at DESC LIMIT 1)
WHERE zone_now.id = :zone;

-- The last event: a forced transfer, or a NOTIFY(AXFR) by command, which has no more than its number and
-- its time.  A daemon that says nothing of an event has none.
-- name: tool_zone_event
WITH said (body) AS (
	SELECT l.body FROM live_zone AS l JOIN zone AS z ON l.name = name_show(z.name)
	WHERE z.id = :zone AND json_extract(l.body, '$.event') > 0
)
SELECT coalesce(json_extract(body, '$.event'), f.event) AS event,
	coalesce(json_extract(body, '$.event_at'), f.event_at) AS event_at,
	coalesce(json_extract(body, '$.event_last_at'), f.at) AS last_at,
	coalesce(json_extract(body, '$.event_serial'), f.serial) AS serial,
	coalesce(json_extract(body, '$.event_verdict'), f.verdict) AS verdict,
	coalesce(json_extract(body, '$.event_repeats'), f.repeats) AS repeats,
	coalesce(json_extract(body, '$.event_notifier'), f.notifier) AS notifier,
	coalesce(json_extract(body, '$.event_source'), f.source) AS source,
	f.duration AS duration_us, coalesce(json_extract(body, '$.event_pinned'), 0) AS pinned
FROM (SELECT :zone AS id) AS z LEFT JOIN said LEFT JOIN forced AS f ON f.zone = z.id
	AND f.event = coalesce(json_extract(said.body, '$.event'), f.event)
WHERE coalesce(json_extract(body, '$.event'), f.event) > 0;

-- What became of the last forced transfer of each zone, and of NOTIFY(AXFR) by command since, at each
-- address.  `excused`: a command of this downstream is owed, or has just been run: it may come yet.
-- name: tool_create_forced_now
CREATE TEMP VIEW forced_now AS
SELECT p.zone, p.name, p.target, p.state, p.at, p.text, p.event,
	EXISTS (SELECT 1 FROM hook AS h WHERE h.zone = p.zone AND h.name = p.name)
		OR EXISTS (SELECT 1 FROM hook_result AS r WHERE r.zone = p.zone AND r.name = p.name
			AND r.state = 'done' AND r.at > time_now() - 300000000) AS excused
FROM forced_peer AS p
JOIN zone AS z ON z.id = p.zone AND z.name IS NOT NULL AND z.removed_at = 0
WHERE p.event >= coalesce((SELECT f.event FROM forced AS f WHERE f.zone = p.zone), 0);

-- The same of one zone, as the daemon says it if it says anything of it.
-- name: tool_create_forced_live
CREATE TEMP VIEW forced_live AS
SELECT z.id AS zone, l.name, l.address AS target, json_extract(l.body, '$.state') AS state,
	json_extract(l.body, '$.at') AS at, coalesce(json_extract(l.body, '$.text'), '') AS text,
	json_extract(l.body, '$.event') AS event,
	EXISTS (SELECT 1 FROM hook AS h WHERE h.zone = z.id AND h.name = l.name)
		OR EXISTS (SELECT 1 FROM hook_result AS r WHERE r.zone = z.id AND r.name = l.name
			AND r.state = 'done' AND r.at > time_now() - 300000000) AS excused
FROM live_line AS l JOIN live_zone AS o JOIN zone AS z ON name_show(z.name) = o.name
	AND z.removed_at = 0
WHERE l.kind = 'forced'
UNION ALL
SELECT * FROM forced_now WHERE NOT EXISTS (SELECT 1 FROM live_line WHERE kind = 'forced');

-- What is configured, in its order, when that is known; else what was ever seen.
-- name: tool_zone_primaries
WITH pair (n, name, address, body) AS (
	SELECT n, name, address, body FROM live_line WHERE kind = 'primary'
	UNION ALL
	SELECT NULL, name, address, NULL FROM primary_state WHERE zone = :zone AND NOT known('primary')
		AND NOT EXISTS (SELECT 1 FROM live_line AS l WHERE l.kind = 'primary'
			AND l.name = primary_state.name AND l.address = primary_state.address)
)
SELECT pair.name, pair.address, coalesce(json_extract(body, '$.serial'), p.serial) AS serial,
	coalesce(json_extract(body, '$.serial_at'), p.seen_at, 0) AS seen_at,
	CASE WHEN p.error_at > p.seen_at THEN p.error_text END AS error,
	CASE WHEN p.error_at > p.seen_at THEN p.error END AS error_code,
	CASE WHEN p.error_at > p.seen_at THEN p.error_at END AS error_at,
	json_extract(body, '$.failures') AS failures,
	json_extract(body, '$.held_until_at') AS held_until_at,
	json_extract(body, '$.transport') AS transport, json_extract(body, '$.trust') AS trust
FROM pair LEFT JOIN primary_state AS p
	ON p.zone = :zone AND p.name = pair.name AND p.address = pair.address
ORDER BY pair.n IS NULL, pair.n, pair.name, pair.address;

-- One row for each zone and downstream that were ever in touch.
-- name: tool_create_downstream_now
CREATE TEMP VIEW downstream_now AS
SELECT d.zone, d.name, z.serial, z.version, f.fetched_serial,
	coalesce(f.fetched_at, 0) AS fetched_at, max(d.notified_at) AS notified_at, max(d.acked_at) AS acked_at, max(d.error_at) AS error_at,
	coalesce(max(d.acked_serial = z.serial), 0) AS acked_this,
	(SELECT count(*) FROM outbox AS o WHERE o.zone = d.zone AND o.downstream = d.name) AS owed,
	CASE
		WHEN z.soa IS NULL THEN 'unknown'
		WHEN f.fetched_serial = z.serial AND f.fetched_version IN (0, z.version) THEN 'current'
		WHEN EXISTS (SELECT 1 FROM outbox AS o WHERE o.zone = d.zone
			AND o.downstream = d.name) THEN 'owed'
		WHEN f.fetched_at > 0 OR max(d.notified_at) > 0 THEN 'behind'
		ELSE 'unknown' END AS state
FROM downstream_state AS d
JOIN zone AS z ON z.id = d.zone AND z.name IS NOT NULL AND z.removed_at = 0
LEFT JOIN downstream_state AS f ON f.zone = d.zone AND f.name = d.name AND f.target = ''
GROUP BY d.zone, d.name;

-- The pairs of name and address of which zone :zone knows; configured ones when known.  "ns" and "also"
-- stand for targets that no downstream has.
-- name: tool_zone_downstreams
WITH reached (name, address, state, at, text, excused) AS MATERIALIZED (
	SELECT name, target, state, at, text, excused FROM forced_live WHERE zone = :zone
), pair (name, address) AS (
	SELECT name, address FROM live_line WHERE kind = 'downstream'
	UNION
	SELECT name, target FROM downstream_state AS d WHERE zone = :zone AND NOT known('downstream')
		AND (target <> '' OR NOT EXISTS (SELECT 1 FROM downstream_state AS o
			WHERE o.zone = d.zone AND o.name = d.name AND o.target > ''))
	UNION
	SELECT downstream, target FROM outbox WHERE zone = :zone AND target <> ''
		AND (NOT known('downstream') OR downstream IN ('ns', 'also'))
	UNION
	SELECT name, address FROM reached
), here AS (
	SELECT * FROM downstream_now WHERE zone = :zone
)
SELECT p.name, p.address,
	CASE WHEN coalesce(s.state, 'unknown') IN ('unknown', 'behind') AND b.id IS NOT NULL
		THEN 'owed' ELSE coalesce(s.state, 'unknown') END AS state,
	d.notified_serial, d.notified_at, d.acked_serial, d.acked_at,
	s.fetched_serial, s.fetched_at,
	coalesce(s.state = 'behind' AND d.acked_serial = s.serial, 0) AS acked_only,
	CASE b.qtype WHEN 6 THEN 'SOA' WHEN 252 THEN 'AXFR' END AS owed_type,
	coalesce(json_extract(l.body, '$.tries'), b.tries) AS tries,
	coalesce(json_extract(l.body, '$.next_at'), b.not_before) AS next_at,
	coalesce(r.excused, 0) AS forced_excused, r.state AS forced_state, r.at AS forced_at, nullif(r.text, '') AS forced_text,
	n.until AS unsupported_until_at,
	CASE WHEN d.error_at > max(d.acked_at, coalesce(s.fetched_at, 0)) THEN d.error_text END
		AS error,
	CASE WHEN d.error_at > max(d.acked_at, coalesce(s.fetched_at, 0)) THEN d.error END
		AS error_code,
	CASE WHEN d.error_at > max(d.acked_at, coalesce(s.fetched_at, 0)) THEN d.error_at END
		AS error_at
FROM pair AS p
LEFT JOIN downstream_state AS d ON d.zone = :zone AND d.name = p.name AND d.target = p.address
LEFT JOIN here AS s ON s.name = p.name
LEFT JOIN outbox AS b ON b.zone = :zone AND b.target = p.address AND b.downstream = p.name
	AND b.target <> ''
LEFT JOIN live_line AS l ON l.kind = 'downstream' AND l.name = p.name AND l.address = p.address
LEFT JOIN reached AS r ON r.name = p.name AND r.address = p.address
LEFT JOIN no_axfr AS n ON n.target = p.address AND n.until > time_now()
ORDER BY p.name, p.address;

-- Commands that are owed, and how the last of each ended.
-- name: tool_zone_hooks
WITH said (name, body) AS (
	SELECT name, body FROM live_line WHERE kind = 'hook'
), pair (name) AS (
	SELECT name FROM said
	UNION SELECT name FROM hook WHERE zone = :zone
	UNION SELECT name FROM hook_result WHERE zone = :zone
)
SELECT p.name, coalesce(json_extract(said.body, '$.state'),
		CASE WHEN h.id IS NULL THEN r.state WHEN h.tries = 0 THEN 'waiting' ELSE 'retry' END)
		AS state,
	CASE coalesce(json_extract(said.body, '$.forced'), h.forced, r.forced)
		WHEN 0 THEN 'SOA' ELSE 'AXFR' END AS kind,
	coalesce(json_extract(said.body, '$.serial'), h.serial, r.serial) AS serial,
	json_extract(said.body, '$.since_at') AS since_at,
	coalesce(json_extract(said.body, '$.tries'), h.tries, 0) AS tries,
	CASE WHEN said.body IS NOT NULL THEN json_extract(said.body, '$.next_at')
		ELSE h.not_before END AS next_at,
	r.at AS last_at, r.state AS last_state, r.serial AS last_serial,
	r.duration AS last_duration_us, nullif(r.text, '') AS last_text
FROM pair AS p LEFT JOIN said ON said.name = p.name
LEFT JOIN hook AS h ON h.zone = :zone AND h.name = p.name
LEFT JOIN hook_result AS r ON r.zone = :zone AND r.name = p.name
ORDER BY p.name;

-- Who is notified, and who is not: only the daemon knows.  Without :all nothing when these are just
-- the downstreams, which are listed anyhow.
-- name: tool_zone_targets
SELECT json_extract(body, '$.host') AS host, nullif(address, '') AS address,
	json_extract(body, '$.downstream') AS downstream, json_extract(body, '$.state') AS state,
	json_extract(body, '$.why') AS why, json_extract(body, '$.text') AS text
FROM live_line AS l WHERE kind = 'target' AND (:all OR EXISTS (SELECT 1 FROM live_line AS o
	WHERE o.kind = 'target' AND json_extract(o.body, '$.why') <> 'in'
		OR json_extract(o.body, '$.host') IS NOT NULL)) ORDER BY n;

-- name: tool_zone_transfers
SELECT at AS started_at, duration AS duration_us, CASE out WHEN 0 THEN 'in' ELSE 'out' END AS direction,
	kind, peer, address, from_serial, to_serial, octets, records, messages,
	nullif(error, '') AS error_code, nullif(text, '') AS error
FROM transfer WHERE zone = :zone ORDER BY at DESC, out, n DESC LIMIT :limit;

-- name: tool_transfers
SELECT name_show(z.name) AS name, t.at AS started_at, t.duration AS duration_us,
	CASE t.out WHEN 0 THEN 'in' ELSE 'out' END AS direction, t.kind, t.peer, t.address,
	t.from_serial, t.to_serial, t.octets, t.records, t.messages, nullif(t.error, '') AS error_code,
	nullif(t.text, '') AS error
FROM transfer AS t JOIN zone AS z ON z.id = t.zone AND z.name IS NOT NULL AND z.removed_at = 0
WHERE :zone IS NULL OR t.zone = :zone
ORDER BY t.at DESC, t.zone, t.out, t.n DESC LIMIT :limit;

-- The columns forced_* count the zones whose newest event came so far at any of its addresses.
-- name: tool_downstreams
WITH known (name) AS (
	SELECT name FROM live_line WHERE kind = 'downstream'
	UNION SELECT name FROM downstream_state WHERE NOT live()
	UNION SELECT downstream FROM outbox WHERE NOT live() AND target <> ''
	UNION SELECT name FROM forced_peer WHERE NOT live()
), reached AS MATERIALIZED (
	SELECT name, count(DISTINCT iif(state = 'verified', zone, NULL)) AS verified,
		count(DISTINCT iif(state = 'acked', zone, NULL)) AS acked,
		count(DISTINCT iif(state = 'unverified', zone, NULL)) AS unverified,
		count(DISTINCT iif(state = 'unsupported', zone, NULL)) AS unsupported,
		count(DISTINCT iif(state = 'refused', zone, NULL)) AS refused,
		count(DISTINCT iif(state IN ('owed', 'sent', 'given-up'), zone, NULL)) AS owed
	FROM forced_now GROUP BY name
), deaf AS MATERIALIZED (
	SELECT d.name, max(n.until) AS until FROM no_axfr AS n JOIN (
		SELECT name, target FROM downstream_state UNION SELECT name, target FROM forced_peer
	) AS d ON d.target = n.target WHERE n.until > time_now() GROUP BY d.name
)
SELECT k.name, count(s.zone) AS zones, coalesce(sum(s.state = 'current'), 0) AS current,
	coalesce(sum(s.state = 'behind'), 0) AS behind,
	(SELECT count(DISTINCT zone) FROM outbox AS o WHERE o.downstream = k.name) AS owed,
	coalesce(sum(s.state = 'behind' AND s.acked_this), 0) AS acked_only,
	coalesce(r.verified, 0) AS forced_verified, coalesce(r.acked, 0) AS forced_acked,
	coalesce(r.unverified, 0) AS forced_unverified,
	coalesce(r.unsupported, 0) AS forced_unsupported,
	coalesce(r.refused, 0) AS forced_refused, coalesce(r.owed, 0) AS forced_owed,
	coalesce((SELECT max(json_extract(body, '$.unsupported_until_at')) FROM live_line AS l
		WHERE l.kind = 'downstream' AND l.name = k.name), f.until, 0) AS unsupported_until_at,
	coalesce(max(s.notified_at), 0) AS notified_at, coalesce(max(s.acked_at), 0) AS acked_at,
	coalesce(max(s.fetched_at), 0) AS fetched_at,
	(SELECT sum(json_extract(body, '$.inflight')) FROM live_line AS l
		WHERE l.kind = 'downstream' AND l.name = k.name) AS inflight,
	(SELECT max(json_extract(body, '$.transfers')) FROM live_line AS l
		WHERE l.kind = 'downstream' AND l.name = k.name) AS transfers,
	(SELECT d.error_text FROM downstream_state AS d WHERE d.name = k.name AND d.error_at > 0
		ORDER BY d.error_at DESC LIMIT 1) AS error,
	coalesce(max(s.error_at), 0) AS error_at,
	(SELECT max(json_extract(body, '$.trust')) FROM live_line AS l
		WHERE l.kind = 'downstream' AND l.name = k.name) AS trust
FROM known AS k LEFT JOIN downstream_now AS s ON s.name = k.name
LEFT JOIN reached AS r ON r.name = k.name LEFT JOIN deaf AS f ON f.name = k.name
GROUP BY k.name ORDER BY k.name;

-- Whom the newest event did not reach, as far as is known: one row for each downstream and state, with
-- some of the zones by name.  One that does not know NOTIFY(AXFR) was reached when it has come all the
-- same.
-- name: tool_unreached
WITH lost AS MATERIALIZED (
	SELECT DISTINCT f.name, f.state, f.zone, name_show(z.name) AS zone_name
	FROM forced_now AS f JOIN zone AS z ON z.id = f.zone
	WHERE f.state IN ('refused', 'given-up') OR (f.state = 'unverified' AND NOT f.excused)
		OR (f.state = 'unsupported' AND NOT f.excused AND (SELECT s.state
			FROM downstream_now AS s WHERE s.zone = f.zone AND s.name = f.name)
			IS NOT 'current')
)
SELECT l.name, l.state, count(*) AS zones, (SELECT group_concat(zone_name, ', ') FROM (
		SELECT zone_name FROM lost AS o WHERE o.name = l.name AND o.state = l.state
		ORDER BY zone_name LIMIT 5)) AS names
FROM lost AS l GROUP BY l.name, l.state ORDER BY l.name, l.state;

-- The same of one zone, with commands that failed for good.
-- name: tool_zone_trouble
WITH lost AS MATERIALIZED (
	SELECT DISTINCT f.name, f.state FROM forced_live AS f
	LEFT JOIN downstream_now AS s ON s.zone = :zone AND s.name = f.name
	WHERE f.zone = :zone AND (f.state <> 'unsupported' OR s.state IS NOT 'current')
		AND NOT (f.state IN ('unverified', 'unsupported') AND f.excused)
	ORDER BY f.name
)
SELECT (SELECT group_concat(name, ', ') FROM lost WHERE state = 'unverified') AS unverified,
	(SELECT group_concat(name, ', ') FROM lost WHERE state = 'unsupported') AS unsupported,
	(SELECT group_concat(name, ', ') FROM lost WHERE state = 'refused') AS refused,
	(SELECT group_concat(name, ', ') FROM lost WHERE state = 'given-up') AS unanswered,
	(SELECT group_concat(name, ', ') FROM (SELECT name FROM hook_result AS r
		WHERE r.zone = :zone AND r.state = 'failed' AND NOT EXISTS (SELECT 1 FROM hook AS h
			WHERE h.zone = r.zone AND h.name = r.name) ORDER BY name)) AS hooks_failed;

-- name: tool_states
SELECT state, count(*) AS zones FROM zone_now GROUP BY state;

-- name: tool_totals
SELECT (SELECT count(*) FROM zone WHERE name IS NOT NULL AND removed_at = 0) AS zones,
	(SELECT coalesce(sum(records), 0) FROM zone WHERE name IS NOT NULL AND removed_at = 0)
		AS records,
	(SELECT coalesce(sum(octets), 0) FROM zone WHERE name IS NOT NULL AND removed_at = 0)
		AS octets,
	(SELECT count(*) FROM mark) AS pending, (SELECT count(*) FROM outbox) AS outbox,
	(SELECT coalesce(max(loaded_at), 0) FROM zone) AS loaded_at;

-- name: tool_daemon
SELECT json_extract(body, '$.version') AS version, json_extract(body, '$.pid') AS pid,
	json_extract(body, '$.started_at') AS started_at, json_extract(body, '$.config') AS config,
	json_extract(body, '$.database') AS database, json_extract(body, '$.workers') AS workers,
	json_extract(body, '$.log_level') AS log_level, json_extract(body, '$.rss') AS rss,
	json_extract(body, '$.zone_octets') AS zone_octets,
	json_extract(body, '$.tcp_in') AS tcp_in, json_extract(body, '$.tcp_out') AS tcp_out,
	json_extract(body, '$.transfers_in') AS transfers_in,
	json_extract(body, '$.transfers_out') AS transfers_out,
	json_extract(body, '$.queued') AS queued, json_extract(body, '$.unseen') AS unseen,
	json_extract(body, '$.outbox') AS outbox,
	json_extract(body, '$.store_lag_us') AS store_lag_us,
	json_extract(body, '$.datagrams_lost') AS datagrams_lost,
	json_extract(body, '$.listen') AS listen_json
FROM live_line WHERE kind = 'daemon' LIMIT 1;

-- name: tool_primaries
SELECT name, address, json_extract(body, '$.failures') AS failures,
	json_extract(body, '$.held_until_at') AS held_until_at,
	json_extract(body, '$.transfers') AS transfers, json_extract(body, '$.queued') AS queued,
	json_extract(body, '$.error') AS error, json_extract(body, '$.error_at') AS error_at,
	json_extract(body, '$.transport') AS transport, json_extract(body, '$.trust') AS trust
FROM live_line WHERE kind = 'primary' ORDER BY n;

-- Our certificates, and those that peers have shown.
-- name: tool_certificates
SELECT name, json_extract(body, '$.certificate') AS certificate,
	json_extract(body, '$.file') AS file, json_extract(body, '$.not_after_at') AS not_after_at,
	CASE WHEN json_extract(body, '$.not_after_at') <= time_now() THEN 'expired'
		WHEN json_extract(body, '$.not_after_at') <= time_now() + 2592000000000 THEN 'expires'
		ELSE 'ok' END AS state
FROM live_line WHERE kind = 'certificate' ORDER BY n;

-- What a command brought about, from one line of the daemon.
-- name: tool_order
SELECT json_extract(:line, '$.kind') AS kind, json_extract(:line, '$.zones') AS zones,
	json_extract(:line, '$.notifies') AS notifies, json_extract(:line, '$.added') AS added,
	json_extract(:line, '$.removed') AS removed, json_extract(:line, '$.changed') AS changed,
	json_extract(:line, '$.text') AS text;

-- How far a zone is that somebody waits for.
-- name: tool_wait
SELECT json_extract(body, '$.name') AS name, json_extract(body, '$.state') AS state,
	iif(json_extract(body, '$.activity') = 'held' AND json_extract(body, '$.failures') > 0,
		'waiting', json_extract(body, '$.activity')) AS activity,
	json_extract(body, '$.pending') AS pending,
	json_extract(body, '$.forced_wait') AS forced_wait,
	json_extract(body, '$.forced_wait_at') AS forced_wait_at,
	json_extract(body, '$.serial') AS serial, json_extract(body, '$.failures') AS failures,
	json_extract(body, '$.transfer') AS transfer, json_extract(body, '$.primary') AS primary_name,
	json_extract(body, '$.records') AS transfer_records,
	json_extract(body, '$.octets') AS transfer_octets,
	json_extract(body, '$.want_serial') AS want_serial,
	json_extract(body, '$.expire_at') AS expire_at,
	json_extract(body, '$.error') AS error, json_extract(body, '$.error_code') AS error_code,
	json_extract(body, '$.error_peer') AS error_peer,
	json_extract(body, '$.next_at') AS next_at
FROM live_zone LIMIT 1;

-- What became of NOTIFYs that were ordered at :since.  Those of kind AXFR are of the newest event.
-- name: tool_wait_notify
WITH event (n) AS (
	SELECT json_extract(body, '$.event') FROM live_zone
), pair (name, address) AS (
	SELECT name, address FROM live_line WHERE kind = 'downstream' AND NOT :axfr
	UNION
	SELECT name, target FROM downstream_state WHERE zone = :zone AND target <> '' AND NOT :axfr
		AND max(notified_at, acked_at, error_at) >= :since
	UNION
	SELECT name, target FROM forced_live WHERE zone = :zone AND event = (SELECT n FROM event)
		AND :axfr
)
SELECT p.name, p.address, CASE WHEN :axfr THEN f.state WHEN l.n IS NOT NULL THEN 'owed'
		WHEN d.acked_at >= :since THEN 'acked' WHEN o.fetched_at >= :since THEN 'verified'
		WHEN d.error_at >= :since THEN 'refused' ELSE 'owed' END AS forced_state,
	CASE WHEN :axfr THEN f.at WHEN d.acked_at >= :since THEN d.acked_at
		ELSE d.error_at END AS forced_at,
	CASE WHEN :axfr THEN f.text WHEN d.error_at >= :since THEN d.error_text END AS forced_text,
	json_extract(l.body, '$.tries') AS tries, json_extract(l.body, '$.next_at') AS next_at,
	n.until AS unsupported_until_at, coalesce(w.state, 'unknown') AS state,
	coalesce(f.excused, 0) AS forced_excused
FROM pair AS p
LEFT JOIN live_line AS l ON l.kind = 'downstream' AND l.name = p.name AND l.address = p.address
LEFT JOIN forced_live AS f ON f.zone = :zone AND f.name = p.name AND f.target = p.address
LEFT JOIN downstream_state AS d ON d.zone = :zone AND d.name = p.name AND d.target = p.address
LEFT JOIN downstream_state AS o ON o.zone = :zone AND o.name = p.name AND o.target = ''
LEFT JOIN downstream_now AS w ON w.zone = :zone AND w.name = p.name
LEFT JOIN no_axfr AS n ON n.target = p.address AND n.until > time_now()
WHERE :only IS NULL OR p.name = :only
ORDER BY p.name, p.address;

-- name: tool_export
SELECT content.data, segment.rrs FROM segment CROSS JOIN content ON content.id = segment.id
WHERE segment.zone = :zone AND segment.born <= :version
	AND (segment.died IS NULL OR segment.died > :version)
ORDER BY segment.key;
