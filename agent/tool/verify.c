/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command: the file, then zone by zone, then rows that belong to nothing.  A zone that moved on
 * is read anew; one that does so again and again is read in one transaction at last.
 */
#include "tool/verify.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tool/text.h"
#include "wire/name.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3			      /* in short transactions */
#define SHOW_US (100 * ZR_US_PER_MS)  /* between lines of progress */
#define FIRST_US (500 * ZR_US_PER_MS) /* what is done by then needs none */

/* ---- what is found ---- */

static void
wipe_progress(struct verify *v)
{
	if (v->shown > 0)
		fprintf(stderr, "\r%*s\r", (int)v->shown, "");
	v->shown = 0;
}

void
verify_progress(struct verify *v, uint64_t done, uint64_t total)
{
	int64_t now = clock_now().mono.us;
	char text[160];
	size_t before = v->shown;
	int n;

	if (!v->t->progress || now - v->began_us < FIRST_US || now - v->shown_us < SHOW_US)
		return;
	v->shown_us = now;
	n = v->zone == NULL ? snprintf(text, sizeof(text), "checking the file")
			    : snprintf(text, sizeof(text), "zone %" PRIu64 " of %" PRIu64 ": %.50s",
				  v->zone_number, v->zone_count, v->zone_text);
	if (total > 0)
		n += snprintf(
		    text + n, sizeof(text) - (size_t)n, ", %" PRIu64 " %%", done * 100 / total);
	v->shown = (size_t)n;
	fprintf(stderr, "\r%s%*s", text, before > v->shown ? (int)(before - v->shown) : 0, "");
	fflush(stderr);
}

/* Only a zone that stands still can be at fault. */
static bool
has_moved(struct verify *v)
{
	struct audit_zone now;

	if (v->pinned)
		return false;
	return audit_zone(v->audit, v->zone->name, v->zone->name_len, &now, NULL) == 0 ||
	       now.id != v->zone->id || now.version != v->zone->version;
}

static void __attribute__((format(printf, 3, 0)))
note(struct verify *v, const char *where, const char *fmt, va_list ap)
{
	unsigned i = v->found_count++;

	if (i >= VERIFY_FAULTS)
		return;
	snprintf(v->found[i].where, sizeof(v->found[i].where), "%s", where);
	vsnprintf(v->found[i].what, sizeof(v->found[i].what), fmt, ap);
}

void
verify_fault(struct verify *v, const char *where, const char *fmt, ...)
{
	va_list ap;

	if (v->moved)
		return;
	if (v->found_count == 0 && v->zone != NULL && has_moved(v)) {
		v->moved = true;
		return;
	}
	va_start(ap, fmt);
	note(v, where, fmt, ap);
	va_end(ap);
}

static void
show_json(struct verify *v, const char *where, const char *what, const char *next)
{
	struct buf *b = &v->json;

	buf_str(b, b->len > 0 ? ",\n{\"zone\":" : "\n{\"zone\":");
	if (v->zone != NULL)
		buf_json(b, v->zone_text);
	else
		buf_str(b, "null");
	buf_str(b, ",\"where\":");
	buf_json(b, where);
	buf_str(b, ",\"what\":");
	buf_json(b, what);
	buf_str(b, ",\"next\":");
	buf_json(b, next);
	buf_u8(b, '}');
}

static void
show_line(struct verify *v, const char *where, const char *what, const char *next)
{
	struct buf b = BUF_INIT;

	text_clean(&b, v->zone != NULL ? v->zone_text : v->t->database);
	buf_str(&b, ": ");
	text_clean(&b, where);
	buf_str(&b, *where != '\0' ? ": " : "");
	text_clean(&b, what);
	fprintf(v->t->out, "%s; %s\n", buf_cstr(&b), next);
	buf_clear(&b);
}

/* What was found of the zone or the file, each with what to do. */
static void
tell(struct verify *v, const char *next)
{
	unsigned shown = v->found_count < VERIFY_FAULTS ? v->found_count : VERIFY_FAULTS;
	void (*show)(struct verify *, const char *, const char *, const char *) =
	    v->t->args.json ? show_json : show_line;

	wipe_progress(v);
	for (unsigned i = 0; i < shown; i++)
		show(v, v->found[i].where, v->found[i].what, next);
	if (v->found_count > shown) {
		char text[64];
		snprintf(text, sizeof(text), "%u faults more", v->found_count - shown);
		show(v, "", text, next);
	}
	v->faults += v->found_count;
	v->found_count = 0;
}

/* ---- the file ---- */

static void
on_file_fault(void *arg, const char *text)
{
	verify_fault(arg, "", "%s", text);
}

static void
on_stray(void *arg, const char *table, int64_t rows)
{
	if (strcmp(table, "content") == 0)
		verify_fault(arg, "content", "%" PRId64 " rows belong to nothing", rows);
	else
		verify_fault(arg, table, "%" PRId64 " rows are of no zone", rows);
}

/* A reading error that is itself what we look for. */
static int
damage(struct verify *v, int rc, struct zr_err *e)
{
	if (rc == 0 || e->code != ZR_DAMAGED)
		return rc;
	if (v->found_count == 0)
		verify_fault(v, "", "%s", e->text);
	return 0;
}

static void
tell_file(struct verify *v)
{
	tell(v, "stop zonerelayd, move the file away and start again: every zone is then "
		"transferred anew");
}

static int
check_file(struct verify *v, struct zr_err *e)
{
	v->zone = NULL;
	verify_progress(v, 0, 0);
	if (damage(v, audit_file(v->audit, true, on_file_fault, v, e), e) != 0)
		return -1;
	if (v->found_count == 0 &&
	    damage(v, audit_file(v->audit, false, on_file_fault, v, e), e) != 0)
		return -1;
	tell_file(v);
	return 0;
}

static int
check_strays(struct verify *v, struct zr_err *e)
{
	v->zone = NULL;
	if (damage(v, audit_strays(v->audit, on_stray, v, e), e) != 0)
		return -1;
	tell(v, "they do nothing but take space, which a new file gives back");
	return 0;
}

/* ---- zones ---- */

static void
add_counts(struct verify *v)
{
	v->counts.zones++;
	v->counts.segments += v->now.segments;
	v->counts.records += v->now.records;
	v->counts.octets += v->now.octets;
	v->counts.steps += v->now.steps;
}

/* 1: it has moved on.  0, -1. */
static int
try_zone(struct verify *v, struct zr_err *e)
{
	int rc;

	v->moved = false;
	v->found_count = 0;
	v->now = (struct verify_counts){0};
	rc = verify_zone(v, e);
	if (rc == 0 && !v->moved && v->found_count > 0)
		v->moved = has_moved(v);
	return rc != 0 ? -1 : v->moved;
}

/* *z is the zone as it was found; a later one takes its place. */
static int
check_this_zone(struct verify *v, struct audit_zone *z, struct zr_err *e)
{
	char next[1100];
	int rc;

	v->zone = z;
	v->zone_number++;
	name_show(z->name, v->zone_text);
	for (int i = 0; (rc = try_zone(v, e)) == 1; i++) {
		v->counts.again++;
		v->pinned = i + 1 >= TRIES;
		if (v->pinned && audit_begin(v->audit, e) != 0) {
			v->pinned = false;
			return -1;
		}
		rc = audit_zone(v->audit, z->name, z->name_len, z, e);
		if (rc <= 0)
			break; /* 0: it was removed meanwhile */
	}
	if (v->pinned)
		audit_end(v->audit);
	v->pinned = false;
	if (v->moved) { /* it is gone: what was found of it is of no interest */
		v->moved = false;
		v->found_count = 0;
		v->now = (struct verify_counts){0};
	}
	if (rc < 0 && e->code != ZR_DAMAGED)
		return -1;
	if (rc < 0)
		verify_fault(v, "", "%s", e->text);
	add_counts(v);
	snprintf(next, sizeof(next), "zonerelayctl retransfer %s", v->zone_text);
	tell(v, next);
	return 0;
}

static int
check_zone(struct verify *v, struct audit_zone *z, struct zr_err *e)
{
	int rc = check_this_zone(v, z, e);

	v->zone = NULL;
	return rc;
}

/* A name that could not have been written by us keeps the others from being found. */
static int
bad_name(struct verify *v, const struct audit_zone *z)
{
	v->zone = NULL;
	verify_fault(v, "zone", "row %" PRId64 " has no name that is a domain name", z->id);
	tell_file(v);
	return 0;
}

static int
check_all(struct verify *v, struct zr_err *e)
{
	struct audit_zone z;
	uint8_t name[NAME_MAX_LEN];
	size_t len = 0;
	int64_t n;
	int rc;

	if (audit_zone_count(v->audit, &n, e) != 0)
		return -1;
	v->zone_count = (uint64_t)n;
	while ((rc = audit_zone_next(v->audit, name, len, &z, e)) == 1) {
		if (z.name_len == 0 || name_check(z.name, z.name_len) != z.name_len)
			return bad_name(v, &z);
		memcpy(name, z.name, z.name_len);
		len = z.name_len;
		if (check_zone(v, &z, e) != 0)
			return -1;
	}
	return rc;
}

static int
check_named(struct verify *v, const char *operand, struct zr_err *e)
{
	uint8_t name[NAME_MAX_LEN];
	struct audit_zone z;
	size_t len = name_from_text(operand, name);
	int rc;

	name_lower(name, name);
	rc = audit_zone(v->audit, name, len, &z, e);
	if (rc == 0)
		return zr_fail(e, ZR_NOTFOUND, "no such zone: %.120s", operand);
	return rc < 0 ? -1 : check_zone(v, &z, e);
}

static int
check_zones(struct verify *v, struct zr_err *e)
{
	v->zone_count = v->t->args.operands;
	if (v->zone_count == 0)
		return check_all(v, e);
	for (unsigned i = 0; i < v->t->args.operands; i++)
		if (check_named(v, v->t->args.operand[i], e) != 0)
			return -1;
	return 0;
}

/* ---- the command ---- */

static void
conclude(struct verify *v)
{
	const struct verify_counts *c = &v->counts;
	int64_t us = clock_now().mono.us - v->began_us;
	char size[TEXT_MAX], span[TEXT_MAX];

	wipe_progress(v);
	if (v->t->args.json) {
		fprintf(v->t->out,
		    "{\"sound\":%s,\"zones\":%" PRIu64 ",\"segments\":%" PRIu64
		    ",\"records\":%" PRIu64 ",\"octets\":%" PRIu64 ",\"steps\":%" PRIu64
		    ",\"again\":%" PRIu64 ",\"duration_us\":%" PRId64 ",\"fault_count\":%" PRIu64
		    ",\"faults\":[%s]}\n",
		    v->faults == 0 ? "true" : "false", c->zones, c->segments, c->records, c->octets,
		    c->steps, c->again, us, v->faults, v->json.len > 0 ? buf_cstr(&v->json) : "");
		return;
	}
	fprintf(v->t->out,
	    "%" PRIu64 " zones, %" PRIu64 " records, %" PRIu64 " segments of %s, %" PRIu64
	    " steps of the journals, in %s: ",
	    c->zones, c->records, c->segments, text_size(c->octets, size), c->steps,
	    text_span(us, span));
	if (v->faults == 0)
		fputs("sound\n", v->t->out);
	else
		fprintf(v->t->out, "%" PRIu64 " fault%s\n", v->faults, v->faults == 1 ? "" : "s");
}

/* Before anything is read: a mistake in the last name must not cost the check of the first. */
static bool
names_are_good(struct tool *t)
{
	uint8_t name[NAME_MAX_LEN];

	for (unsigned i = 0; i < t->args.operands; i++) {
		if (name_from_text(t->args.operand[i], name) != 0)
			continue;
		tool_warn("not a domain name: %.80s", t->args.operand[i]);
		return false;
	}
	return true;
}

static int
stopped(struct verify *v, const struct zr_err *e)
{
	wipe_progress(v);
	tool_warn("%s", e->text);
	return e->code == ZR_NOTFOUND ? TOOL_NO_ZONE : TOOL_USAGE;
}

/* With names these zones alone. */
static int
check_everything(struct verify *v, struct zr_err *e)
{
	bool all = v->t->args.operands == 0;

	if ((all && check_file(v, e) != 0) || damage(v, check_zones(v, e), e) != 0)
		return -1;
	tell_file(v);
	return all ? check_strays(v, e) : 0;
}

int
cmd_verify(struct tool *t)
{
	struct verify *v;
	struct zr_err e = {0};
	int rc = 0;

	if (!names_are_good(t))
		return TOOL_USAGE;
	v = zr_xcalloc(1, sizeof(*v));
	v->t = t;
	v->began_us = clock_now().mono.us;
	buf_init(&v->json, 0);
	if (audit_open(&v->audit, t->database, &e) != 0) {
		rc = damage(v, -1, &e);
		tell_file(v);
	} else {
		rc = check_everything(v, &e);
	}
	if (rc != 0)
		rc = stopped(v, &e);
	else
		conclude(v);
	if (rc == 0 && v->faults > 0)
		rc = TOOL_FAILED;
	audit_close(v->audit);
	buf_clear(&v->json);
	free(v);
	return rc;
}
