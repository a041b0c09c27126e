-- SPDX-License-Identifier: BSD-2-Clause
-- When each key has last signed a NOTIFY that was acted upon.

-- The newest stays, but for one that is so far ahead of another that it is of a clock that was wrong.
-- name: signed_put
INSERT INTO signed (key, time) VALUES (:key, :time)
ON CONFLICT (key) DO UPDATE SET time = excluded.time
WHERE excluded.time > time OR time > excluded.time + :apart;

-- name: signed_remove
DELETE FROM signed WHERE key = :key;

-- name: signed_each
SELECT key, time FROM signed;
