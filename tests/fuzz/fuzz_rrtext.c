/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: two octets of type, then RDATA.  The line is printable text, and what it says is the very
 * same octets: as ldns reads it, or as the hex digits of RFC 3597 spell it.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/rr.h"

#include <ldns/ldns.h>
#include <string.h>

static void
check_text(const char *line, size_t len)
{
	FUZZ_CHECK(strlen(line) == len && len > 0 && line[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++)
		FUZZ_CHECK(line[i] == '\t' || (line[i] >= 0x20 && line[i] <= 0x7e));
}

static void
check_hex(const struct rr *rr, const char *line)
{
	struct buf want = BUF_INIT;

	buf_fmt(
	    &want, "a.\t1\tIN\tTYPE%u\t\\# %u%s", rr->type, rr->rdlen, rr->rdlen > 0 ? " " : "");
	for (unsigned i = 0; i < rr->rdlen; i++)
		buf_fmt(&want, "%02x", rr->rdata[i]);
	FUZZ_CHECK(strcmp(buf_cstr(&want), line) == 0);
	buf_clear(&want);
}

static void
check_reads_back(const struct rr *rr, const char *line)
{
	ldns_buffer *wire = ldns_buffer_new(LDNS_MIN_BUFLEN);
	ldns_rr *again = NULL;

	FUZZ_CHECK(wire != NULL);
	FUZZ_CHECK(ldns_rr_new_frm_str(&again, line, 0, NULL, NULL) == LDNS_STATUS_OK);
	FUZZ_CHECK(ldns_rr_rdata2buffer_wire(wire, again) == LDNS_STATUS_OK);
	FUZZ_CHECK(ldns_rr_get_type(again) == (ldns_rr_type)rr->type);
	FUZZ_CHECK(ldns_buffer_position(wire) == rr->rdlen);
	FUZZ_CHECK(memcmp(ldns_buffer_begin(wire), rr->rdata, rr->rdlen) == 0);
	ldns_rr_free(again);
	ldns_buffer_free(wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT;
	struct rr rr;

	if (size < 2 || size > 4000) /* ldns reads lines of some 10,000 octets at most */
		return 0;
	rr = (struct rr){.owner = (const uint8_t *)"\001a",
	    .owner_len = 3,
	    .type = get_u16(data),
	    .class = CLASS_IN,
	    .ttl = 1,
	    .rdata = data + 2,
	    .rdlen = (uint16_t)(size - 2)};
	FUZZ_CHECK(rr_print(&rr, &out, NULL) == 0);
	check_text(buf_cstr(&out), out.len);
	out.len--; /* some types of ldns stumble over the newline */
	if (strstr(buf_cstr(&out), "\t\\# ") != NULL)
		check_hex(&rr, buf_cstr(&out));
	else
		check_reads_back(&rr, buf_cstr(&out));
	buf_clear(&out);
	return 0;
}
