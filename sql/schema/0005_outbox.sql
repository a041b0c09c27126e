-- SPDX-License-Identifier: BSD-2-Clause
--
-- Two downstreams may have one address, told apart by their keys: each is owed its own NOTIFY.
DROP INDEX outbox_target;
CREATE UNIQUE INDEX outbox_target ON outbox(zone, target, downstream);
