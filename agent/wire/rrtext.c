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

/* Sorted by number. */
static const struct {
	uint16_t type;
	bool ldns; /* its text form, as ldns writes it, is read alike by all */
	const char *name;
} types[] = {
    {1, false, "A"},
    {2, false, "NS"},
    {3, false, "MD"},
    {4, false, "MF"},
    {5, false, "CNAME"},
    {6, false, "SOA"},
    {7, false, "MB"},
    {8, false, "MG"},
    {9, false, "MR"},
    {10, false, "NULL"},
    {11, false, "WKS"},
    {12, false, "PTR"},
    {13, false, "HINFO"},
    {14, false, "MINFO"},
    {15, false, "MX"},
    {16, false, "TXT"},
    {17, false, "RP"},
    {18, false, "AFSDB"},
    {19, false, "X25"},
    {20, false, "ISDN"},
    {21, false, "RT"},
    {22, false, "NSAP"},
    {24, false, "SIG"},
    {25, false, "KEY"},
    {26, false, "PX"},
    {27, false, "GPOS"},
    {28, false, "AAAA"},
    {29, true, "LOC"},
    {30, false, "NXT"},
    {33, false, "SRV"},
    {35, false, "NAPTR"},
    {36, false, "KX"},
    {37, false, "CERT"},
    {38, false, "A6"},
    {39, false, "DNAME"},
    {41, false, "OPT"},
    {42, true, "APL"},
    {43, false, "DS"},
    {44, false, "SSHFP"},
    {45, false, "IPSECKEY"},
    {46, false, "RRSIG"},
    {47, false, "NSEC"},
    {48, false, "DNSKEY"},
    {49, false, "DHCID"},
    {50, false, "NSEC3"},
    {51, false, "NSEC3PARAM"},
    {52, false, "TLSA"},
    {53, false, "SMIMEA"},
    {55, false, "HIP"},
    {59, false, "CDS"},
    {60, false, "CDNSKEY"},
    {61, false, "OPENPGPKEY"},
    {62, false, "CSYNC"},
    {63, false, "ZONEMD"},
    {64, true, "SVCB"},
    {65, true, "HTTPS"},
    {99, false, "SPF"},
    {104, false, "NID"},
    {105, false, "L32"},
    {106, false, "L64"},
    {107, false, "LP"},
    {108, true, "EUI48"},
    {109, true, "EUI64"},
    {249, false, "TKEY"},
    {250, false, "TSIG"},
    {251, false, "IXFR"},
    {252, false, "AXFR"},
    {255, false, "ANY"},
    {256, false, "URI"},
    {257, false, "CAA"},
    {32769, false, "DLV"},
};

static int
find_type(uint16_t type)
{
	size_t low = 0, high = sizeof(types) / sizeof(types[0]), mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (types[mid].type == type)
			return (int)mid;
		if (types[mid].type < type)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

const char *
rr_type_text(uint16_t type, char out[16])
{
	int i = find_type(type);

	if (i >= 0)
		return types[i].name;
	snprintf(out, 16, "TYPE%u", type);
	return out;
}

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
	if (*line == NULL || strncmp(*line, LINE_HEAD, strlen(LINE_HEAD)) != 0)
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
	size_t start = out->len;
	int type = find_type(rr->type);
	char *line = NULL;
	bool done;

	if (type < 0 || rr->class != CLASS_IN)
		return false;
	if (types[type].ldns) {
		done = ldns_line(rr, &line);
		if (done)
			buf_str(out, line + strlen(LINE_HEAD));
		free(line);
		return done;
	}
	buf_str(out, types[type].name);
	buf_u8(out, '\t');
	done = rr_form(rr, out);
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
