/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/segref.h"

#include <string.h>

void
version_sum_add(struct version_sum *v, const uint8_t *digest, uint32_t rrs, size_t octets)
{
	digest_add(v->digest, digest);
	v->segments++;
	v->records += rrs;
	v->octets += octets;
}

void
version_sum_sub(struct version_sum *v, const uint8_t *digest, uint32_t rrs, size_t octets)
{
	digest_sub(v->digest, digest);
	v->segments--;
	v->records -= rrs;
	v->octets -= octets;
}

int
segment_key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int c = n == 0 ? 0 : memcmp(a, b, n);

	return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

int
stored_segment_fail(struct zr_err *e)
{
	if (e != NULL)
		e->code = ZR_DB;
	return zr_fail_in(e, "stored");
}

int
segref_array_next(void *arg, struct segref *out, struct zr_err *e)
{
	struct segref_array *a = arg;

	(void)e;
	if (a->pos >= a->n)
		return 0;
	*out = a->v[a->pos++];
	return 1;
}
