/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: direction (1), then an OPT record from its class on: size, TTL, options.  It is read as
 * what a second reading of the same octets finds, and said again it is read the same.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/edns.h"

#include <string.h>

#define FIXED 10 /* type, class, TTL, RDLENGTH */
#define RESPONSE 0x01

/* The options one by one; false when they do not fit. */
static bool
count(const uint8_t *p, size_t left, unsigned seen[3], unsigned wrong[3], bool response)
{
	while (left > 0) {
		size_t len;
		uint16_t code;

		if (left < 4)
			return false;
		code = get_u16(p);
		len = get_u16(p + 2);
		if (len > left - 4)
			return false;
		if (code == OPT_EXPIRE) {
			seen[0] += len == (response ? 4 : 0);
			wrong[0] += len != (response ? 4 : 0);
		} else if (code == OPT_KEEPALIVE) {
			seen[1] += len == 0 || len == 2;
			wrong[1] += len != 0 && len != 2;
		} else if (code == OPT_EDE) {
			seen[2] += len >= 2;
			wrong[2] += len < 2;
		}
		p += 4 + len;
		left -= 4 + len;
	}
	return true;
}

static void
check(const uint8_t *fixed, size_t rdlen, bool response)
{
	unsigned seen[3] = {0}, wrong[3] = {0};
	struct edns o = {0};
	bool whole;

	edns_parse(&o, fixed, response);
	FUZZ_CHECK(o.present && o.udp_size >= 512);
	FUZZ_CHECK(o.udp_size == get_u16(fixed + 2) || get_u16(fixed + 2) < 512);
	FUZZ_CHECK(o.ext_rcode == fixed[4] && o.version == fixed[5]);
	FUZZ_CHECK(o.do_bit == ((fixed[6] & 0x80) != 0));
	FUZZ_CHECK(response || (!o.expire_valid && !o.keepalive_valid));
	if (o.version != 0) {
		FUZZ_CHECK(!o.malformed && !o.has_expire && !o.has_keepalive && !o.has_ede);
		return;
	}
	whole = count(fixed + FIXED, rdlen, seen, wrong, response);
	FUZZ_CHECK(whole || o.malformed);
	if (!whole)
		return;
	FUZZ_CHECK(o.has_expire == (seen[0] > 0) && o.expire_valid == (response && seen[0] > 0));
	FUZZ_CHECK(o.has_keepalive == (seen[1] > 0) && o.keepalive_malformed == (wrong[1] > 0));
	FUZZ_CHECK(o.has_ede == (seen[2] > 0));
	FUZZ_CHECK(!response || !o.malformed); /* an odd option does not cost the answer */
	FUZZ_CHECK(response || wrong[0] + wrong[2] == 0 || o.malformed);
	if (o.has_ede)
		FUZZ_CHECK(o.ede_text >= fixed + FIXED &&
			   o.ede_text + o.ede_text_len <= fixed + FIXED + rdlen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t rdlen;
	uint8_t *rr;

	if (size < 1 + 6 || size > 1 + 6 + UINT16_MAX)
		return 0;
	rdlen = size - 1 - 6;
	rr = malloc(FIXED + rdlen);
	FUZZ_CHECK(rr != NULL);
	put_u16(rr, TYPE_OPT);
	memcpy(rr + 2, data + 1, 6);
	put_u16(rr + 8, (uint16_t)rdlen);
	memcpy(rr + FIXED, data + 1 + 6, rdlen);
	check(rr, rdlen, (data[0] & RESPONSE) != 0);
	free(rr);
	return 0;
}
