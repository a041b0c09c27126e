-- SPDX-License-Identifier: BSD-2-Clause
-- Transactions; db.c alone runs these.

-- name: tx_begin
BEGIN IMMEDIATE;

-- name: tx_commit
COMMIT;

-- name: tx_rollback
ROLLBACK;

-- name: tx_touch
UPDATE meta SET value = value + 1 WHERE key = 'sync';
