-- SPDX-License-Identifier: BSD-2-Clause
-- NOTIFYs owed.  A row with target '' stands for all whom it concerns, until they are known.

-- name: outbox_last_id
SELECT coalesce(max(id), 0) FROM outbox;

-- One row for each zone and target: newer absorbs older, under a new id, so that a late answer to
-- the older one does not end the newer.  AXFR (252) absorbs SOA (6) and is never made less.
-- name: outbox_add
INSERT OR REPLACE INTO outbox (id, zone, downstream, target, qtype, serial, not_before, tries)
VALUES (:id, :zone, :downstream, :target,
	max(:qtype, coalesce((SELECT qtype FROM outbox WHERE zone = :zone AND target = :target), 0)),
	:serial, :not_before, :tries)
RETURNING qtype;

-- name: outbox_set
UPDATE outbox SET downstream = :downstream, tries = :tries, not_before = :not_before
WHERE id = :id AND zone = :zone;

-- name: outbox_remove
DELETE FROM outbox WHERE id = :id AND zone = :zone;

-- name: outbox_replace
DELETE FROM outbox WHERE id = :id AND zone = :zone AND target = '';

-- name: outbox_remove_zone
DELETE FROM outbox WHERE zone = :zone;

-- name: outbox_each
SELECT id, zone, downstream, target, qtype, serial, not_before, tries FROM outbox ORDER BY id;
