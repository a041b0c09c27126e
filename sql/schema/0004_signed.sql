-- SPDX-License-Identifier: BSD-2-Clause
--
-- A NOTIFY that somebody has overheard must not do anything when it is sent again, also not after a
-- restart (RFC 8945 section 5.2.3).  One row for each TSIG key, written with the mark of the NOTIFY.
CREATE TABLE signed (
	key BLOB NOT NULL PRIMARY KEY,              -- its name, lower-case wire format
	time INTEGER NOT NULL                       -- newest Time Signed that was acted upon; seconds since 1970
) STRICT, WITHOUT ROWID;
