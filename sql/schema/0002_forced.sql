-- SPDX-License-Identifier: BSD-2-Clause
--
-- Forced transfers end to end: who asked for one, what the last one was, what became of it at every
-- downstream, and the commands that are still to be run for it.

-- Who sent the NOTIFY that the mark is owed to (A-03), and whether that was proved (A-08): name of the
-- primary, '' = the operator or nobody in particular.
ALTER TABLE mark ADD COLUMN notifier TEXT NOT NULL DEFAULT '';
ALTER TABLE mark ADD COLUMN authenticated INTEGER NOT NULL DEFAULT 0;

-- Every downstream has fetched the zone anew since: the row no longer keeps anybody from getting a
-- difference, it only reminds us that our own next refresh is to be a whole transfer (A-10).
ALTER TABLE ambiguous ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ambiguous ADD COLUMN version INTEGER NOT NULL DEFAULT 0; -- the one that made it

-- The last forced transfer of a zone that was committed (A-06).  Zones without one have no row.
CREATE TABLE forced (
	zone INTEGER PRIMARY KEY,
	event INTEGER NOT NULL,                     -- counts what was passed on; 1 is the first
	at INTEGER NOT NULL,                        -- commit of the newest transfer, duplicates included
	event_at INTEGER NOT NULL,                  -- commit of the transfer that was passed on
	serial INTEGER NOT NULL,
	version INTEGER NOT NULL,
	digest BLOB NOT NULL,                       -- of this version
	before BLOB NOT NULL,                       -- of the content that the event replaced
	repeats INTEGER NOT NULL,                   -- n of A-06: the window is doubled so often
	alternations INTEGER NOT NULL,              -- times the content went back and forth in a row
	duration INTEGER NOT NULL,                  -- of the transfer, microseconds
	verdict TEXT NOT NULL,                      -- forced_verdict_names
	notifier TEXT NOT NULL,                     -- name of the primary; '' = the operator
	source TEXT NOT NULL                        -- name of the primary it was transferred from
) STRICT;

-- What became of the newest event at each address that is notified of it (A-12, A-36).
CREATE TABLE forced_peer (
	zone INTEGER NOT NULL,
	name TEXT NOT NULL,                         -- of the downstream
	target TEXT NOT NULL,                       -- address@port
	event INTEGER NOT NULL,
	state TEXT NOT NULL,                        -- forced_peer_names
	at INTEGER NOT NULL,                        -- since when
	text TEXT NOT NULL,
	PRIMARY KEY (zone, name, target)
) STRICT, WITHOUT ROWID;

-- Addresses that do not know NOTIFY(AXFR), whatever the zone; asked again after a day.
CREATE TABLE no_axfr (
	target TEXT NOT NULL PRIMARY KEY,
	until INTEGER NOT NULL,
	text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Commands of a downstream's own that are to be run; one for each zone and downstream.
CREATE TABLE hook (
	zone INTEGER NOT NULL,
	name TEXT NOT NULL,                         -- of the downstream
	id INTEGER NOT NULL,                        -- a newer one replaces the row under a new id
	forced INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	old_serial INTEGER,
	source TEXT NOT NULL,                       -- name of the primary
	not_before INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	PRIMARY KEY (zone, name)
) STRICT, WITHOUT ROWID;

-- How the last one ended, or the last try of one that is still owed.
CREATE TABLE hook_result (
	zone INTEGER NOT NULL,
	name TEXT NOT NULL,
	at INTEGER NOT NULL,
	duration INTEGER NOT NULL,
	forced INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	state TEXT NOT NULL,                        -- 'done', 'retry', 'failed'
	text TEXT NOT NULL,                         -- exit status, and the first line of its errors
	PRIMARY KEY (zone, name)
) STRICT, WITHOUT ROWID;

-- The order of the columns is that of enum zone_column in agent/store/row.c.
DROP VIEW zone_state;
CREATE VIEW zone_state AS
SELECT zone.id, zone.name, zone.version, zone.serial, zone.soa_ttl, zone.soa, zone.soa_owner,
	zone.digest, zone.segments, zone.records, zone.octets, zone.loaded_at, zone.checked_at,
	zone.refresh_at, zone.expire_at, coalesce(mark.pending, 0) AS pending,
	coalesce(mark.since, 0) AS pending_since, zone.failures, zone.error, zone.error_text,
	zone.error_peer, zone.error_at, zone.next_try, zone.removed_at,
	EXISTS (SELECT 1 FROM ambiguous AS a WHERE a.zone = zone.id AND a.until = 0) AS ambiguous,
	coalesce(mark.notifier, '') AS notifier, coalesce(mark.authenticated, 0) AS authenticated
FROM zone LEFT JOIN mark ON mark.zone = zone.id;
