/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `export`: the current version as a zone file.  It is read in one transaction, so that no
 * sweep can take a segment away; for that not to last as long as somebody reads our output in a
 * pager, what goes to a pipe or a terminal is first written to a temporary file.
 */
#include "tool/tool.h"

#include "base/mem.h"
#include "wire/name.h"
#include "wire/rr.h"
#include "wire/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
	struct tool *t;
	int64_t zone, version, records;
	uint32_t serial;
	FILE *to;
	const char *file; /* NULL: stdout */
	char *temporary;  /* FILE.tmp */
	bool spooled;
	int64_t written; /* records */
	struct buf line;
};

static int
write_fail(const struct export *x, const char *doing, struct zr_err *e)
{
	return zr_fail(e, ZR_IO, "%s %s: %s", doing, x->file != NULL ? x->file : "the output",
	    strerror(errno));
}

static int
open_output(struct export *x, struct zr_err *e)
{
	struct stat st;
	int fd;

	if (x->file == NULL) {
		x->spooled = fstat(STDOUT_FILENO, &st) != 0 || !S_ISREG(st.st_mode);
		x->to = x->spooled ? tmpfile() : x->t->out;
		return x->to == NULL ? write_fail(x, "making a temporary file for", e) : 0;
	}
	size_t n = strlen(x->file) + sizeof(".tmp");
	x->temporary = zr_xmalloc(n);
	snprintf(x->temporary, n, "%s.tmp", x->file);
	fd = open(x->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && (x->to = fdopen(fd, "w")) != NULL)
		return 0;
	if (fd >= 0)
		close(fd);
	return write_fail(x, "creating", e);
}

static int
write_segment(
    struct export *x, struct unpacker *u, const uint8_t *data, size_t len, struct zr_err *e)
{
	struct rr rr;
	int rc;

	unpacker_start(u, data, len);
	while ((rc = unpacker_next(u, &rr, e)) == 1) {
		buf_reset(&x->line);
		if (rr_print(&rr, &x->line, e) != 0)
			return -1;
		if (fwrite(x->line.data, 1, x->line.len, x->to) != x->line.len)
			return write_fail(x, "writing", e);
		x->written++;
	}
	return rc;
}

static int
write_zone(struct export *x, struct zr_err *e)
{
	struct unpacker *u = unpacker_new(x->t->zone);
	sqlite3_stmt *s = look_stmt(x->t->look, SQL_TOOL_EXPORT, e);
	int rc = -1;

	if (s == NULL)
		goto out;
	look_bind_int(s, ":zone", x->zone);
	look_bind_int(s, ":version", x->version);
	while ((rc = look_step(x->t->look, s, e)) == 1) {
		const uint8_t *data = sqlite3_column_blob(s, 0);
		if (write_segment(x, u, data, (size_t)sqlite3_column_bytes(s, 0), e) != 0) {
			rc = -1;
			break;
		}
	}
	if (rc == 0 && x->written != x->records)
		rc = zr_fail(e, ZR_DB,
		    "%s: %lld records found, %lld expected; zonerelayctl "
		    "retransfer %s makes it anew",
		    x->t->zone_text, (long long)x->written, (long long)x->records, x->t->zone_text);
	sqlite3_reset(s);
out:
	unpacker_free(u);
	return rc;
}

/* From the temporary file to where it was meant to go. */
static int
unspool(struct export *x, struct zr_err *e)
{
	static char block[65536];
	size_t n;

	rewind(x->to);
	while ((n = fread(block, 1, sizeof(block), x->to)) > 0)
		if (fwrite(block, 1, n, x->t->out) != n)
			return write_fail(x, "writing", e);
	return ferror(x->to) ? write_fail(x, "reading back", e) : 0;
}

static int
close_output(struct export *x, struct zr_err *e)
{
	FILE *to = x->to;
	int rc = 0;

	if (x->file == NULL)
		return 0;
	x->to = NULL;
	if (fflush(to) != 0 || fsync(fileno(to)) != 0)
		rc = write_fail(x, "writing", e);
	if (fclose(to) != 0 && rc == 0)
		rc = write_fail(x, "writing", e);
	if (rc == 0 && rename(x->temporary, x->file) != 0)
		rc = write_fail(x, "renaming to", e);
	return rc;
}

static int
do_export(struct export *x, struct zr_err *e)
{
	struct zr_err ignored;

	if (open_output(x, e) != 0)
		return -1;
	fprintf(x->to, "; %s serial %u, from the database of zonerelay %s\n", x->t->zone_text,
	    (unsigned)x->serial, PACKAGE_VERSION);
	if (write_zone(x, e) != 0)
		return -1;
	look_run(x->t->look, SQL_TOOL_COMMIT, &ignored); /* the reading is over */
	if (x->spooled)
		return unspool(x, e);
	return close_output(x, e);
}

static void
clean_up(struct export *x, bool failed)
{
	if (x->to != NULL && x->to != x->t->out)
		fclose(x->to);
	if (failed && x->temporary != NULL)
		unlink(x->temporary);
	free(x->temporary);
	buf_clear(&x->line);
}

/* What there is to export; exit status. */
static int
find(struct export *x)
{
	struct tool *t = x->t;
	struct zr_err e;
	sqlite3_stmt *s;
	int rc = gather_zone(t, &x->zone);

	if (rc != TOOL_OK)
		return rc;
	s = look_stmt(t->look, SQL_TOOL_ZONE_ID, &e);
	if (s == NULL)
		return tool_fail(&e);
	look_bind_blob(s, ":name", t->zone, t->zone_len);
	if (look_step(t->look, s, &e) != 1)
		return tool_fail(&e);
	x->version = look_int(s, "version");
	x->serial = (uint32_t)look_int(s, "serial");
	x->records = look_int(s, "records");
	bool loaded = look_int(s, "loaded") != 0, expired = look_int(s, "expired") != 0;
	sqlite3_reset(s);
	if (!loaded) {
		tool_warn("%s was never loaded", t->zone_text);
		return TOOL_FAILED;
	}
	if (expired)
		tool_warn("%s has expired; this is its last content", t->zone_text);
	return TOOL_OK;
}

int
cmd_export(struct tool *t)
{
	struct export x = {.t = t};
	struct zr_err e;
	int rc = gather_database(t);

	if (rc == TOOL_OK)
		rc = find(&x);
	if (rc != TOOL_OK)
		return rc;
	x.file = t->args.operand[1];
	if (x.file != NULL && strcmp(x.file, "-") == 0)
		x.file = NULL;
	rc = do_export(&x, &e);
	if (rc == 0 && x.file != NULL && t->args.json)
		fprintf(t->out, "{\"serial\":%u,\"records\":%lld}\n", (unsigned)x.serial,
		    (long long)x.written);
	clean_up(&x, rc != 0);
	return rc == 0 ? TOOL_OK : tool_fail(&e);
}
