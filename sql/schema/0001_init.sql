-- SPDX-License-Identifier: BSD-2-Clause
--
-- Times are microseconds since 1970, 0 = unset.  Names of zones are lower-case wire format.  A version
-- counts the commits of a zone that changed its content.  Serials are unsigned 32 bit.
--
-- Measured with 10,000 segments of 12 KB in one zone and 100,000 zones of one segment (SQLite 3.40):
--
--   page size   file of the large   octets per small    WAL octets per change   insert of the
--               zone, content 121   zone, content 505   of one small zone       large zone
--   4096        129 MB              628                  6,000                  0.42 s
--   8192        136 MB              607                 10,400                  0.35 s
--   16384       165 MB              597                 19,000                  0.37 s
--
-- so pages are 4096 octets: what is changed most is small.  What describes a segment stands apart
-- from its octets.  With both in one row, listing 10,000 segments takes 10 ms instead of 0.9, and ending
-- a segment writes it again: 22,500 octets of WAL instead of 8,300.

-- Small facts about the file.  `sync` is counted up by durable transactions: one that
-- changes nothing else must still put a frame into the WAL to have something to sync.
CREATE TABLE meta (
	key TEXT NOT NULL PRIMARY KEY,
	value ANY NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('sync', 0);

CREATE TABLE zone (
	id INTEGER PRIMARY KEY,
	name BLOB UNIQUE,                           -- NULL: removed, its rows are being deleted
	version INTEGER NOT NULL DEFAULT 0,
	serial INTEGER NOT NULL DEFAULT 0,
	soa_ttl INTEGER NOT NULL DEFAULT 0,
	soa BLOB,                                   -- RDATA; NULL: no content
	soa_owner BLOB,                             -- the apex as the primary writes it
	digest BLOB NOT NULL DEFAULT (zeroblob(32)),-- sum of the digests of the segments
	segments INTEGER NOT NULL DEFAULT 0,
	records INTEGER NOT NULL DEFAULT 0,
	octets INTEGER NOT NULL DEFAULT 0,
	journal_from INTEGER NOT NULL DEFAULT 0,    -- steps of older versions are void
	journal_steps INTEGER NOT NULL DEFAULT 0,   -- from journal_from on
	journal_octets INTEGER NOT NULL DEFAULT 0,  -- from journal_from on
	loaded_at INTEGER NOT NULL DEFAULT 0,
	checked_at INTEGER NOT NULL DEFAULT 0,
	refresh_at INTEGER NOT NULL DEFAULT 0,
	expire_at INTEGER NOT NULL DEFAULT 0,
	failures INTEGER NOT NULL DEFAULT 0,
	error TEXT NOT NULL DEFAULT '',             -- zr_code_name(); '' = none
	error_text TEXT NOT NULL DEFAULT '',
	error_peer TEXT NOT NULL DEFAULT '',
	error_at INTEGER NOT NULL DEFAULT 0,
	next_try INTEGER NOT NULL DEFAULT 0,
	removed_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX zone_removed ON zone(removed_at) WHERE removed_at > 0;

-- Zones that owe a check (1) or a forced transfer (2).  Apart from the zones, because a mark must
-- reach the disk before its NOTIFY is answered: the marks of a thousand zones are a few pages.
CREATE TABLE mark (
	zone INTEGER PRIMARY KEY,
	pending INTEGER NOT NULL,
	since INTEGER NOT NULL
) STRICT;

-- What describes the segments.  Visible in version v: born <= v and (died is NULL or v < died).
CREATE TABLE segment (
	zone INTEGER NOT NULL,
	key BLOB NOT NULL,
	born INTEGER NOT NULL,
	died INTEGER,
	id INTEGER NOT NULL,                        -- of its content
	rrs INTEGER NOT NULL,
	octets INTEGER NOT NULL,
	digest BLOB NOT NULL,
	PRIMARY KEY (zone, key, born)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_dead ON segment(zone, died) WHERE died IS NOT NULL;

-- The octets of segments and of journal chunks; written once, at the end of the table.
CREATE TABLE content (
	id INTEGER PRIMARY KEY,
	zone INTEGER NOT NULL,
	key BLOB NOT NULL,                          -- with zone and born: the row of the segment
	born INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;

-- One row for each version under construction, written with its first piece and removed by its
-- commit or with its last piece: after a crash these tell what to clean, without a search.  The sums are those of the pieces,
-- compared with what the commit says.
CREATE TABLE staging (
	zone INTEGER PRIMARY KEY,
	version INTEGER NOT NULL,
	segments INTEGER NOT NULL,
	records INTEGER NOT NULL,
	octets INTEGER NOT NULL,
	digest BLOB NOT NULL,
	journal_steps INTEGER NOT NULL,
	journal_octets INTEGER NOT NULL
) STRICT;

-- Differences, ready to be sent.  The step number counts within a version; part 0 are the
-- deletions, part 1 the additions.
CREATE TABLE journal (
	zone INTEGER NOT NULL,
	version INTEGER NOT NULL,
	step INTEGER NOT NULL,
	part INTEGER NOT NULL,
	chunk INTEGER NOT NULL,
	id INTEGER NOT NULL,                        -- of its content
	from_serial INTEGER NOT NULL,
	to_serial INTEGER NOT NULL,
	rrs INTEGER NOT NULL,
	octets INTEGER NOT NULL,
	PRIMARY KEY (zone, version, step, part, chunk)
) STRICT, WITHOUT ROWID;

-- Serials, low to high in the circle of RFC 1982, under which a downstream may hold other content
-- than the journal starts from.
CREATE TABLE ambiguous (
	zone INTEGER NOT NULL,
	low INTEGER NOT NULL,
	high INTEGER NOT NULL,
	until INTEGER NOT NULL,                     -- 0: the zone's serial still lies within
	PRIMARY KEY (zone, low, high)
) STRICT, WITHOUT ROWID;

-- NOTIFYs owed.
CREATE TABLE outbox (
	id INTEGER PRIMARY KEY,
	zone INTEGER NOT NULL,
	downstream TEXT NOT NULL,
	target TEXT NOT NULL,                       -- address@port
	qtype INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	not_before INTEGER NOT NULL,
	tries INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_target ON outbox(zone, target);

-- The newest transfers of each zone and direction, numbered by n.
CREATE TABLE transfer (
	zone INTEGER NOT NULL,
	out INTEGER NOT NULL,
	n INTEGER NOT NULL,
	at INTEGER NOT NULL,
	duration INTEGER NOT NULL,                  -- microseconds
	kind TEXT NOT NULL,
	peer TEXT NOT NULL,
	address TEXT NOT NULL,
	from_serial INTEGER,
	to_serial INTEGER NOT NULL,
	octets INTEGER NOT NULL,
	records INTEGER NOT NULL,
	messages INTEGER NOT NULL,
	error TEXT NOT NULL,                        -- '' = success
	text TEXT NOT NULL,
	PRIMARY KEY (zone, out, n)
) STRICT, WITHOUT ROWID;

-- What each primary was last seen to hold.
CREATE TABLE primary_state (
	zone INTEGER NOT NULL,
	name TEXT NOT NULL,
	address TEXT NOT NULL,
	serial INTEGER,
	seen_at INTEGER NOT NULL DEFAULT 0,
	error TEXT NOT NULL DEFAULT '',
	error_text TEXT NOT NULL DEFAULT '',
	error_at INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (zone, name, address)
) STRICT, WITHOUT ROWID;

-- What each downstream was told, confirmed and fetched.  Fetching is a deed of the downstream,
-- not of an address: it is kept in the row with target ''.
CREATE TABLE downstream_state (
	zone INTEGER NOT NULL,
	name TEXT NOT NULL,
	target TEXT NOT NULL,
	notified_serial INTEGER,
	notified_at INTEGER NOT NULL DEFAULT 0,
	acked_serial INTEGER,
	acked_at INTEGER NOT NULL DEFAULT 0,
	fetched_serial INTEGER,
	fetched_version INTEGER NOT NULL DEFAULT 0,
	fetched_at INTEGER NOT NULL DEFAULT 0,
	error TEXT NOT NULL DEFAULT '',
	error_text TEXT NOT NULL DEFAULT '',
	error_at INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (zone, name, target)
) STRICT, WITHOUT ROWID;

-- A zone as the program reads it; the order of the columns is that of enum zone_column in
-- agent/store/row.c.
CREATE VIEW zone_state AS
SELECT zone.id, zone.name, zone.version, zone.serial, zone.soa_ttl, zone.soa, zone.soa_owner,
	zone.digest, zone.segments, zone.records, zone.octets, zone.loaded_at, zone.checked_at,
	zone.refresh_at, zone.expire_at, coalesce(mark.pending, 0) AS pending,
	coalesce(mark.since, 0) AS pending_since, zone.failures, zone.error, zone.error_text,
	zone.error_peer, zone.error_at, zone.next_try, zone.removed_at,
	EXISTS (SELECT 1 FROM ambiguous AS a WHERE a.zone = zone.id AND a.until = 0) AS ambiguous
FROM zone LEFT JOIN mark ON mark.zone = zone.id;
