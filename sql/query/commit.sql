-- SPDX-License-Identifier: BSD-2-Clause
-- What a commit does beside the flip: the length of the journal and ambiguous serials.

-- name: journal_size
SELECT count(*) FILTER (WHERE part = 0 AND chunk = 0), coalesce(sum(octets), 0)
FROM journal WHERE zone = :zone AND version = :version;

-- name: journal_void
UPDATE zone SET journal_from = version + 1, journal_steps = 0, journal_octets = 0
WHERE id = :zone AND removed_at = 0;

-- A range that was cleared is none any more when it becomes ambiguous again.
-- name: ambiguous_add
INSERT OR REPLACE INTO ambiguous (zone, low, high, until, version)
VALUES (:zone, :low, :high, :until, :version);

-- name: ambiguous_any
SELECT 1 FROM ambiguous WHERE zone = :zone LIMIT 1;

-- A range is left when the serial moves out of it; from then on it is kept for one EXPIRE.  The whole
-- circle is never left: it has its end from the beginning.
-- name: ambiguous_leave
UPDATE ambiguous SET until = CASE
	WHEN ((:serial - low) & 0xffffffff) <= ((high - low) & 0xffffffff) THEN 0
	WHEN until = 0 THEN :until ELSE until END
WHERE zone = :zone AND high - low < 0xffffffff;

-- name: ambiguous_expire
DELETE FROM ambiguous WHERE zone = :zone AND until > 0 AND (until < :now OR cleared = 1);

-- Nobody holds the older content any more.  What remains reminds us of our own next refresh.
-- name: ambiguous_settle_left
DELETE FROM ambiguous WHERE zone = :zone AND version <= :version AND until > 0;

-- name: ambiguous_settle_own
UPDATE ambiguous SET cleared = 1 WHERE zone = :zone AND version <= :version AND cleared = 0;

-- name: ambiguous_count
SELECT count(*) FROM ambiguous WHERE zone = :zone;

-- name: ambiguous_clear
DELETE FROM ambiguous WHERE zone = :zone;
