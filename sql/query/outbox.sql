-- SPDX-License-Identifier: BSD-2-Clause
-- NOTIFYs owed.  A row with target '' stands for all whom it concerns, until they are known.

-- name: outbox_last_id
SELECT coalesce(max(id), 0) FROM outbox;

-- One row for each zone, target and downstream: newer absorbs older, under a new id, so that a late
-- answer to the older one does not end the newer.  AXFR (252) absorbs SOA (6) and is never made less.
-- name: outbox_add
INSERT OR REPLACE INTO outbox (id, zone, downstream, target, qtype, serial, not_before, tries)
VALUES (:id, :zone, :downstream, :target,
	max(:qtype, coalesce((SELECT qtype FROM outbox WHERE zone = :zone AND target = :target
		AND downstream = :downstream), 0)),
	:serial, :not_before, :tries)
RETURNING qtype;

-- Nothing is changed where the target has a row under this name already.
-- name: outbox_set
UPDATE OR IGNORE outbox SET downstream = :downstream, tries = :tries, not_before = :not_before
WHERE id = :id AND zone = :zone;

-- Then the newer of the two absorbs the older.
-- name: outbox_same
UPDATE outbox SET qtype = max(outbox.qtype, o.qtype)
FROM (SELECT id, target, downstream, qtype FROM outbox WHERE zone = :zone) AS o
WHERE outbox.zone = :zone AND outbox.target = o.target
	AND (o.id = :id AND outbox.downstream = :downstream
		OR outbox.id = :id AND o.downstream = :downstream);

-- name: outbox_absorb
DELETE FROM outbox
WHERE zone = :zone AND (id = :id OR downstream = :downstream)
	AND target = (SELECT target FROM outbox WHERE id = :id AND zone = :zone)
	AND id < (SELECT max(o.id) FROM outbox AS o WHERE o.zone = :zone
		AND o.target = outbox.target AND (o.id = :id OR o.downstream = :downstream));

-- name: outbox_remove
DELETE FROM outbox WHERE id = :id AND zone = :zone;

-- name: outbox_replace
DELETE FROM outbox WHERE id = :id AND zone = :zone AND target = '';

-- name: outbox_remove_zone
DELETE FROM outbox WHERE zone = :zone;

-- name: outbox_each
SELECT id, zone, downstream, target, qtype, serial, not_before, tries FROM outbox ORDER BY id;
