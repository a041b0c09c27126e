/* SPDX-License-Identifier: BSD-2-Clause */
/* When each key has last signed a NOTIFY that was acted upon: what a crash must not make us forget.
 */
#include "store/store_p.h"

#include <string.h>

int
signed_put(struct store *s, const struct store_signed *v, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_SIGNED_PUT);
	q_blob(&q, ":key", v->key, row_name_len(v->key, sizeof(v->key)));
	q_int(&q, ":time", (int64_t)v->time);
	q_int(&q, ":apart", STORE_SIGNED_APART_S);
	return q_run(&q, e);
}

int
signed_run(struct store *s, struct store_order *o, struct zr_err *e)
{
	const struct store_signed *v = &o->signature;
	struct q q;

	if (v->time != 0)
		return signed_put(s, v, e);
	q_open(&q, s->db, SQL_SIGNED_REMOVE);
	q_blob(&q, ":key", v->key, row_name_len(v->key, sizeof(v->key)));
	return q_run(&q, e);
}

int
store_each_signed(
    struct store *s, int (*cb)(void *, const struct store_signed *), void *arg, struct zr_err *e)
{
	struct store_signed v;
	const uint8_t *key;
	struct q q;
	size_t len;
	int rc;

	q_open(&q, s->db, SQL_SIGNED_EACH);
	while ((rc = q_step(&q, e)) > 0) {
		key = q_col_blob(&q, 0, &len);
		if (key == NULL || len == 0 || row_name_len(key, len) != len || q_col(&q, 1) < 0)
			continue; /* of nobody's key: not written by us */
		v = (struct store_signed){.time = (uint64_t)q_col(&q, 1)};
		memcpy(v.key, key, len);
		if (cb(arg, &v) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}
