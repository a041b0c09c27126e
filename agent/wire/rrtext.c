/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as text.  Plain types are written here (rrform.c), the others by ldns when it is on
 * the list; what ldns wrote is read back by it before it is believed.  What does not come
 * back octet by octet (odd bitmaps, opaque pointers, rounding), and all other types, are written
 * in the form of RFC 3597 section 5, which every server reads for every type.
 */
#include "wire/name.h"
#include "wire/rr.h"
#include "wire/rrform.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_SVCB 64
#define TYPE_HTTPS 65

/* A record with the root as owner, as ldns sees it; NULL when ldns cannot read it. */
static ldns_rr *
to_ldns(const struct rr *rr)
{
	struct buf wire = BUF_INIT;
	ldns_rr *out = NULL;
	size_t at = 0;

	buf_u8(&wire, 0);
	buf_u16(&wire, rr->type);
	buf_u16(&wire, CLASS_IN);
	buf_u32(&wire, 0);
	buf_u16(&wire, rr->rdlen);
	buf_bytes(&wire, rr->rdata, rr->rdlen);
	if (!wire.bad &&
	    (ldns_wire2rr(&out, wire.data, wire.len, &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK ||
		at != wire.len)) {
		ldns_rr_free(out);
		out = NULL;
	}
	buf_clear(&wire);
	return out;
}

/* Does the line, with the root as owner, read back as exactly the RDATA of rr? */
static bool
reads_back(const char *line, const struct rr *rr)
{
	ldns_buffer *wire = NULL;
	ldns_rr *again = NULL;
	bool same = false;

	if (ldns_rr_new_frm_str(&again, line, 0, NULL, NULL) != LDNS_STATUS_OK)
		goto out;
	wire = ldns_buffer_new(LDNS_MIN_BUFLEN);
	if (wire == NULL || ldns_rr_rdata2buffer_wire(wire, again) != LDNS_STATUS_OK)
		goto out;
	same = ldns_rr_get_type(again) == (ldns_rr_type)rr->type &&
	       ldns_buffer_position(wire) == rr->rdlen &&
	       (rr->rdlen == 0 || memcmp(ldns_buffer_begin(wire), rr->rdata, rr->rdlen) == 0);
out:
	ldns_buffer_free(wire);
	ldns_rr_free(again);
	return same;
}

#define LINE_HEAD ".\t0\tIN\t" /* owner, TTL and class of the record given to ldns */

/* "TYPE\tRDATA" by ldns; false when it cannot be trusted with it.  Caller frees *line. */
static bool
ldns_line(const struct rr *rr, char **line)
{
	ldns_rr *l = to_ldns(rr);
	size_t n;

	*line = l == NULL ? NULL : ldns_rr2str_fmt(ldns_output_format_nocomments, l);
	ldns_rr_free(l);
	if (*line == NULL || strncmp(*line, LINE_HEAD, strlen(LINE_HEAD)) != 0 ||
	    strstr(*line, "\\#") != NULL) /* an empty APL; that form is ours to write */
		return false;
	n = strlen(*line);
	while (n > 0 && ((*line)[n - 1] == '\n' || (*line)[n - 1] == ' '))
		(*line)[--n] = '\0';
	/* Lists inside strings have two layers of escapes, and readers differ (RFC 9460 A.1). */
	if ((rr->type == TYPE_SVCB || rr->type == TYPE_HTTPS) && strchr(*line, '\\') != NULL)
		return false;
	return reads_back(*line, rr);
}

/* RFC 3597 section 5: TYPEn \# length hex */
static void
generic(const struct rr *rr, struct buf *out)
{
	buf_fmt(out, "TYPE%u\t\\# %u", rr->type, rr->rdlen);
	if (rr->rdlen > 0)
		buf_u8(out, ' ');
	rr_hex(rr->rdata, rr->rdlen, out);
}

/* Type and RDATA of a record in class IN, when there is a better text than the generic one. */
static bool
known(const struct rr *rr, struct buf *out)
{
	const char *form = rr->class == CLASS_IN ? rr_type_form(rr->type) : NULL;
	size_t start = out->len;
	char text[16], *line = NULL;
	bool done;

	if (form == NULL)
		return false;
	if (strcmp(form, RR_FORM_LDNS) == 0) {
		done = ldns_line(rr, &line);
		if (done)
			buf_str(out, line + strlen(LINE_HEAD));
		free(line);
		return done;
	}
	buf_str(out, rr_type_text(rr->type, text));
	buf_u8(out, '\t');
	done = rr_form(rr, form, out);
	if (!done && !out->bad)
		out->len = start;
	return done;
}

int
rr_print(const struct rr *rr, struct buf *out, struct zr_err *e)
{
	char owner[NAME_TEXT_MAX];

	buf_str(out, name_text(rr->owner, owner));
	buf_fmt(out, "\t%u\t", rr->ttl);
	if (rr->class == CLASS_IN)
		buf_str(out, "IN\t");
	else
		buf_fmt(out, "CLASS%u\t", rr->class);
	if (!known(rr, out))
		generic(rr, out);
	buf_u8(out, '\n');
	return out->bad ? zr_fail(e, ZR_NOMEM, "no memory for a line of text") : 0;
}
