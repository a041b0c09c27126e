/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ladder of schema versions.  Step n runs in one transaction with the user_version it leads
 * to, so that a crash leaves the file on a rung, never between two.
 */
#include "store/db.h"

int
db_check_owner(struct db *db, struct zr_err *e)
{
	struct db_header h;

	if (db_header(db, &h, e) < 0)
		return -1;
	if (h.application == 0 && h.version == 0 && h.schema == 0)
		return 0; /* new and empty */
	if (h.application != DB_APPLICATION_ID)
		return zr_fail(e, ZR_DB,
		    "%s is the database of another program: give zonerelayd a path of its own",
		    db->path);
	if (h.version > SQL_MIGRATIONS)
		return zr_fail(e, ZR_DB,
		    "%s was written by a newer zonerelayd (schema %lld, this one knows %d): "
		    "update, or move the file away to transfer every zone anew",
		    db->path, (long long)h.version, SQL_MIGRATIONS);
	return 0;
}

static int
run_script(struct db *db, const char *sql, struct zr_err *e)
{
	if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, "migration", e);
	return 0;
}

static int
step_up(struct db *db, int n, struct zr_err *e)
{
	if (run_script(db, sql_text[SQL_TX_BEGIN], e) < 0)
		return -1;
	if (run_script(db, sql_migration[n - 1], e) < 0 || db_set_header(db, n, e) < 0 ||
	    run_script(db, sql_text[SQL_TX_COMMIT], e) < 0) {
		if (!sqlite3_get_autocommit(db->sql))
			(void)run_script(db, sql_text[SQL_TX_ROLLBACK], NULL);
		return zr_fail_in(e, "schema %d", n);
	}
	return 0;
}

int
db_migrate(struct db *db, struct zr_err *e)
{
	struct db_header h;

	if (db_header(db, &h, e) < 0)
		return -1;
	for (int n = (int)h.version + 1; n <= SQL_MIGRATIONS; n++)
		if (step_up(db, n, e) < 0)
			return -1;
	return 0;
}
