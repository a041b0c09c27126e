/* SPDX-License-Identifier: BSD-2-Clause */
/* Records in presentation form, read with ldns: not the code under test. */
#include "replay.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/msg.h"

#define DEFAULT_TTL 3600
#define SOA_SHORT "@ 3600 SOA ns1 root %s 3600 600 86400 300"

typedef void (*on_record)(
    const struct replay *r, unsigned line, const uint8_t *wire, size_t len, void *arg);

/* One record of text; its wire form is given to `put`. */
static void
one(const struct replay *r, unsigned line, const char *text, on_record put, void *arg)
{
	char origin_text[NAME_TEXT_MAX];
	ldns_rdf *origin = ldns_dname_new_frm_str(name_text(r->zone, origin_text));
	ldns_rdf *prev = NULL;
	ldns_rr *rr = NULL;
	uint8_t *wire = NULL;
	size_t len;

	if (ldns_rr_new_frm_str(&rr, text, DEFAULT_TTL, origin, &prev) != LDNS_STATUS_OK)
		replay_die(r, line, "not a record: %s", text);
	if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &len) != LDNS_STATUS_OK)
		replay_die(r, line, "no wire form: %s", text);
	put(r, line, wire, len, arg);
	free(wire);
	ldns_rr_free(rr);
	ldns_rdf_deep_free(prev);
	ldns_rdf_deep_free(origin);
}

/* "repeat N TEXT": TEXT N times, {} replaced.  Everything else once.  Returns the count. */
static unsigned
each(const struct replay *r, unsigned line, const char *text, on_record put, void *arg)
{
	char expanded[2048], serial[16];
	unsigned n = 1;
	int at = 0;
	const char *hole;

	if (sscanf(text, "soa %15[0-9]%n", serial, &at) == 1 && text[at] == '\0') {
		snprintf(expanded, sizeof(expanded), SOA_SHORT, serial);
		one(r, line, expanded, put, arg);
		return 1;
	}
	if (sscanf(text, "repeat %u %n", &n, &at) != 1) {
		one(r, line, text, put, arg);
		return 1;
	}
	text += at;
	hole = strstr(text, "{}");
	if (hole == NULL)
		hole = text + strlen(text);
	for (unsigned i = 0; i < n; i++) {
		if (*hole == '\0')
			snprintf(expanded, sizeof(expanded), "%s", text);
		else
			snprintf(expanded, sizeof(expanded), "%.*s%u%s", (int)(hole - text), text,
			    i, hole + 2);
		one(r, line, expanded, put, arg);
	}
	return n;
}

static void
put_wire(const struct replay *r, unsigned line, const uint8_t *wire, size_t len, void *arg)
{
	(void)r;
	(void)line;
	buf_bytes(arg, wire, len);
}

unsigned
replay_records(const struct replay *r, unsigned line, const char *text, struct buf *wire)
{
	return each(r, line, text, put_wire, wire);
}

struct lines {
	const char *prefix;
	struct buf *out;
	uint8_t rdata[MSG_MAX + 2 * NAME_MAX_LEN + 2];
};

static void
put_line(const struct replay *r, unsigned line, const uint8_t *wire, size_t len, void *arg)
{
	struct lines *l = arg;
	uint8_t owner[NAME_MAX_LEN];
	struct zr_err e = {0};
	struct rr rr;
	size_t pos = 0;

	if (msg_rr_at(wire, len, &pos, &rr, owner, l->rdata, &e) < 0)
		replay_die(r, line, "%s", e.text);
	buf_str(l->out, l->prefix);
	if (rr_print(&rr, l->out, &e) < 0)
		replay_die(r, line, "%s", e.text);
}

void
replay_lines(
    const struct replay *r, unsigned line, const char *prefix, const char *text, struct buf *out)
{
	struct lines *l = malloc(sizeof(*l));

	if (l == NULL)
		abort();
	l->prefix = prefix;
	l->out = out;
	each(r, line, text, put_line, l);
	free(l);
}
