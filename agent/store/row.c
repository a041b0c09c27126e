/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "store/store_p.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns of the view zone_state. */
enum zone_column {
	Z_ID,
	Z_NAME,
	Z_VERSION,
	Z_SERIAL,
	Z_SOA_TTL,
	Z_SOA,
	Z_SOA_OWNER,
	Z_DIGEST,
	Z_SEGMENTS,
	Z_RECORDS,
	Z_OCTETS,
	Z_LOADED_AT,
	Z_CHECKED_AT,
	Z_REFRESH_AT,
	Z_EXPIRE_AT,
	Z_PENDING,
	Z_PENDING_SINCE,
	Z_FAILURES,
	Z_ERROR,
	Z_ERROR_TEXT,
	Z_ERROR_PEER,
	Z_ERROR_AT,
	Z_NEXT_TRY,
	Z_REMOVED_AT,
	Z_AMBIGUOUS,
	Z_NOTIFIER,
	Z_AUTHENTICATED
};

size_t
row_name_len(const uint8_t *p, size_t max)
{
	size_t len = 0;

	while (len < max && p[len] != 0)
		len += p[len] + 1u;
	return len < max && len < 255 ? len + 1 : 0;
}

/* NULL when there is none, also in a damaged file. */
static const uint8_t *
col_name(struct q *q, int i)
{
	size_t len;
	const uint8_t *p = q_col_blob(q, i, &len);

	return row_name_len(p, len) == len && len > 0 ? p : NULL;
}

void
row_zone(struct q *q, struct store_zone *z)
{
	size_t len;

	*z = (struct store_zone){
	    .id = q_col(q, Z_ID),
	    .name = col_name(q, Z_NAME),
	    .version = q_col(q, Z_VERSION),
	    .has_data = !q_null(q, Z_SOA),
	    .serial = (uint32_t)q_col(q, Z_SERIAL),
	    .soa_ttl = (uint32_t)q_col(q, Z_SOA_TTL),
	    .soa_owner = col_name(q, Z_SOA_OWNER),
	    .segments = (uint64_t)q_col(q, Z_SEGMENTS),
	    .records = (uint64_t)q_col(q, Z_RECORDS),
	    .octets = (uint64_t)q_col(q, Z_OCTETS),
	    .loaded_at = q_col_time(q, Z_LOADED_AT),
	    .checked_at = q_col_time(q, Z_CHECKED_AT),
	    .refresh_at = q_col_time(q, Z_REFRESH_AT),
	    .expire_at = q_col_time(q, Z_EXPIRE_AT),
	    .pending = (enum store_pending)q_col(q, Z_PENDING),
	    .pending_since = q_col_time(q, Z_PENDING_SINCE),
	    .pending_notifier = q_col_text(q, Z_NOTIFIER),
	    .pending_authenticated = q_col(q, Z_AUTHENTICATED) != 0,
	    .failures = (uint32_t)q_col(q, Z_FAILURES),
	    .ambiguous = q_col(q, Z_AMBIGUOUS) != 0,
	    .error = row_code(q_col_text(q, Z_ERROR)),
	    .error_text = q_col_text(q, Z_ERROR_TEXT),
	    .error_peer = q_col_text(q, Z_ERROR_PEER),
	    .error_at = q_col_time(q, Z_ERROR_AT),
	    .next_try = q_col_time(q, Z_NEXT_TRY),
	};
	z->soa = q_col_blob(q, Z_SOA, &len);
	z->soa_len = (uint16_t)len;
	q_col_digest(q, Z_DIGEST, z->digest);
}

/* Appends to the block and returns where it stands there. */
static void *
put(uint8_t **at, const void *p, size_t len)
{
	void *to = *at;

	if (p == NULL)
		return NULL;
	memcpy(to, p, len);
	*at += len;
	return to;
}

struct store_zone *
row_zone_copy(const struct store_zone *z)
{
	size_t name = z->name != NULL ? row_name_len(z->name, 255) : 0;
	size_t owner = z->soa_owner != NULL ? row_name_len(z->soa_owner, 255) : 0;
	size_t text = strlen(z->error_text) + 1, peer = strlen(z->error_peer) + 1;
	size_t notifier = strlen(z->pending_notifier) + 1;
	struct store_zone *copy =
	    zr_xmalloc(sizeof(*copy) + name + owner + z->soa_len + text + peer + notifier);
	uint8_t *at = (uint8_t *)(copy + 1);

	*copy = *z;
	copy->name = put(&at, z->name, name);
	copy->soa_owner = put(&at, z->soa_owner, owner);
	copy->soa = put(&at, z->soa, z->soa_len);
	copy->error_text = put(&at, z->error_text, text);
	copy->error_peer = put(&at, z->error_peer, peer);
	copy->pending_notifier = put(&at, z->pending_notifier, notifier);
	return copy;
}

bool
row_notify(struct q *q, struct store_notify *n)
{
	const char *target = q_col_text(q, 3);

	memset(n, 0, sizeof(*n));
	n->id = q_col(q, 0);
	n->zone_id = q_col(q, 1);
	row_text(n->downstream, sizeof(n->downstream), q_col_text(q, 2));
	n->qtype = (uint16_t)q_col(q, 4);
	n->serial = (uint32_t)q_col(q, 5);
	n->not_before = q_col_time(q, 6);
	n->tries = (uint32_t)q_col(q, 7);
	return target[0] == '\0' || row_addr(target, &n->target);
}

enum zr_code
row_code(const char *name)
{
	if (name[0] == '\0')
		return ZR_OK;
	for (int i = 0; i < ZR_CODE_COUNT; i++)
		if (strcmp(zr_code_name((enum zr_code)i), name) == 0)
			return (enum zr_code)i;
	return ZR_INTERNAL;
}

const char *
row_code_text(enum zr_code code)
{
	return code == ZR_OK ? "" : zr_code_name(code);
}

void
row_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

bool
row_addr(const char *text, struct zr_addr *out)
{
	memset(out, 0, sizeof(*out));
	return strchr(text, '@') != NULL ? addr_parse(text, 0, out) : addr_parse_ip(text, out);
}

const char *
row_addr_text(const struct zr_addr *a, char out[ADDR_TEXT_MAX])
{
	if (a->family == 0) {
		out[0] = '\0';
		return out;
	}
	return addr_text(a, out);
}
