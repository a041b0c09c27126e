/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/status.h"

#include "store/reader_p.h"
#include "store/store_p.h"

#include <string.h>

int
reader_zone(struct reader *r, const uint8_t *name, struct store_zone **out, struct zr_err *e)
{
	struct store_zone z;
	struct q q;
	int rc;

	*out = NULL;
	q_open(&q, r->db, SQL_READ_ZONE);
	q_blob(&q, ":name", name, row_name_len(name, 255));
	rc = q_step(&q, e);
	if (rc > 0) {
		row_zone(&q, &z);
		*out = row_zone_copy(&z);
	}
	q_close(&q);
	return rc;
}

int
reader_zones(
    struct reader *r, int (*cb)(void *, const struct store_zone *), void *arg, struct zr_err *e)
{
	struct store_zone z;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_ZONES);
	while ((rc = q_step(&q, e)) > 0) {
		row_zone(&q, &z);
		if (z.name != NULL && cb(arg, &z) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

int
reader_primaries(struct reader *r, int64_t zone, int (*cb)(void *, const struct store_primary *),
    void *arg, struct zr_err *e)
{
	struct store_primary p;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_PRIMARIES);
	q_int(&q, ":zone", zone);
	while ((rc = q_step(&q, e)) > 0) {
		p = (struct store_primary){
		    .name = q_col_text(&q, 0),
		    .address = q_col_text(&q, 1),
		    .has_serial = !q_null(&q, 2),
		    .serial = (uint32_t)q_col(&q, 2),
		    .seen_at = q_col_time(&q, 3),
		    .error = row_code(q_col_text(&q, 4)),
		    .error_text = q_col_text(&q, 5),
		    .error_at = q_col_time(&q, 6),
		};
		if (cb(arg, &p) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

static void
take_downstream(struct q *q, struct store_downstream *d)
{
	*d = (struct store_downstream){
	    .name = q_col_text(q, 0),
	    .target = q_col_text(q, 1),
	    .has_notified = !q_null(q, 2),
	    .notified_serial = (uint32_t)q_col(q, 2),
	    .notified_at = q_col_time(q, 3),
	    .has_acked = !q_null(q, 4),
	    .acked_serial = (uint32_t)q_col(q, 4),
	    .acked_at = q_col_time(q, 5),
	    .has_fetched = !q_null(q, 6),
	    .fetched_serial = (uint32_t)q_col(q, 6),
	    .fetched_version = q_col(q, 7),
	    .fetched_at = q_col_time(q, 8),
	    .error = row_code(q_col_text(q, 9)),
	    .error_text = q_col_text(q, 10),
	    .error_at = q_col_time(q, 11),
	};
}

int
reader_downstreams(struct reader *r, int64_t zone,
    int (*cb)(void *, const struct store_downstream *), void *arg, struct zr_err *e)
{
	struct store_downstream d;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_DOWNSTREAMS);
	q_int(&q, ":zone", zone);
	while ((rc = q_step(&q, e)) > 0) {
		take_downstream(&q, &d);
		if (cb(arg, &d) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

static void
take_log(struct q *q, struct store_log *l)
{
	memset(l, 0, sizeof(*l));
	l->at = q_col_time(q, 0);
	l->duration_us = q_col(q, 1);
	l->out = q_col(q, 2) != 0;
	row_text(l->kind, sizeof(l->kind), q_col_text(q, 3));
	row_text(l->peer, sizeof(l->peer), q_col_text(q, 4));
	row_text(l->address, sizeof(l->address), q_col_text(q, 5));
	l->has_from = !q_null(q, 6);
	l->from_serial = (uint32_t)q_col(q, 6);
	l->to_serial = (uint32_t)q_col(q, 7);
	l->octets = (uint64_t)q_col(q, 8);
	l->records = (uint64_t)q_col(q, 9);
	l->messages = (uint64_t)q_col(q, 10);
	l->code = row_code(q_col_text(q, 11));
	row_text(l->text, sizeof(l->text), q_col_text(q, 12));
}

int
reader_transfers(struct reader *r, int64_t zone, int (*cb)(void *, const struct store_log *),
    void *arg, struct zr_err *e)
{
	struct store_log l;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_TRANSFERS);
	q_int(&q, ":zone", zone);
	while ((rc = q_step(&q, e)) > 0) {
		take_log(&q, &l);
		if (cb(arg, &l) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

int
reader_outbox(struct reader *r, int64_t zone, int (*cb)(void *, const struct store_notify *),
    void *arg, struct zr_err *e)
{
	struct store_notify n;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_OUTBOX);
	q_int(&q, ":zone", zone);
	while ((rc = q_step(&q, e)) > 0)
		if (row_notify(&q, &n) && cb(arg, &n) != 0)
			break;
	q_close(&q);
	return rc < 0 ? -1 : 0;
}
