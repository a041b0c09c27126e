-- SPDX-License-Identifier: BSD-2-Clause
-- Transactions, and how a run has ended; db.c and ending.c alone run these.

-- name: tx_begin
BEGIN IMMEDIATE;

-- name: tx_commit
COMMIT;

-- name: tx_rollback
ROLLBACK;

-- name: tx_touch
UPDATE meta SET value = value + 1 WHERE key = 'sync';

-- Since when nobody has the file open; 0: somebody has, or it was not closed in order.
-- name: tx_ended
SELECT coalesce((SELECT value FROM meta WHERE key = 'ended'), 0);

-- name: tx_set_ended
INSERT INTO meta (key, value) VALUES ('ended', :at)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
