/* SPDX-License-Identifier: BSD-2-Clause */
/* What primaries and downstreams were seen to hold or do; the transfer log. */
#include "store/store_p.h"

/* Targets of a zone of which it is known what they did last.  More are only shown with less. */
#define DOWNSTREAMS_KEPT 1024

static enum sql_id
event_sql(enum peer_event event)
{
	switch (event) {
	case PEER_PRIMARY_SOA:
		return SQL_PRIMARY_SOA;
	case PEER_PRIMARY_ERROR:
		return SQL_PRIMARY_ERROR;
	case PEER_DOWNSTREAM_SENT:
		return SQL_DOWNSTREAM_SENT;
	case PEER_DOWNSTREAM_ACKED:
		return SQL_DOWNSTREAM_ACKED;
	case PEER_DOWNSTREAM_FAILED:
		return SQL_DOWNSTREAM_FAILED;
	case PEER_DOWNSTREAM_FETCHED:
		return SQL_DOWNSTREAM_FETCHED;
	}
	return SQL_COUNT;
}

/* An event for a zone that is gone is dropped: it came too late. */
int
peers_seen(struct store *s, struct store_order *o, struct zr_err *e)
{
	const struct store_peer *p = &o->peer;
	enum sql_id id = event_sql(p->event);
	char address[ADDR_TEXT_MAX];
	struct q q;

	if (id == SQL_COUNT)
		return zr_fail(e, ZR_INTERNAL, "unknown event %d of a peer", (int)p->event);
	q_open(&q, s->db, id);
	q_int(&q, ":zone", o->zone_id);
	q_text(&q, ":name", p->name);
	q_time(&q, ":at", p->at);
	if (p->event != PEER_DOWNSTREAM_FETCHED)
		q_text(&q, ":address", row_addr_text(&p->addr, address));
	else
		q_int(&q, ":version", p->version);
	if (p->event == PEER_PRIMARY_ERROR || p->event == PEER_DOWNSTREAM_FAILED) {
		q_text(&q, ":error", row_code_text(p->code));
		q_text(&q, ":error_text", p->text);
	} else {
		q_int(&q, ":serial", p->serial);
	}
	return q_run(&q, e);
}

static int
insert_log(struct store *s, int64_t zone, const struct store_log *l, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_TRANSFER_ADD);
	q_int(&q, ":zone", zone);
	q_int(&q, ":out", l->out);
	q_time(&q, ":at", l->at);
	q_int(&q, ":duration", l->duration_us);
	q_text(&q, ":kind", l->kind);
	q_text(&q, ":peer", l->peer);
	q_text(&q, ":address", l->address);
	if (l->has_from) /* else it stays unbound: NULL */
		q_int(&q, ":from_serial", l->from_serial);
	q_int(&q, ":to_serial", l->to_serial);
	q_int(&q, ":octets", (int64_t)l->octets);
	q_int(&q, ":records", (int64_t)l->records);
	q_int(&q, ":messages", (int64_t)l->messages);
	q_text(&q, ":error", row_code_text(l->code));
	q_text(&q, ":text", l->code == ZR_OK ? "" : l->text);
	return q_run(&q, e);
}

static int
trim_downstreams(struct store *s, int64_t zone, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_DOWNSTREAM_TRIM);
	q_int(&q, ":zone", zone);
	q_int(&q, ":keep", DOWNSTREAMS_KEPT);
	return q_run(&q, e);
}

int
peers_insert_log(struct store *s, int64_t zone, const struct store_log *l, struct zr_err *e)
{
	struct q q;

	if (l->kind[0] == '\0') /* nothing was transferred */
		return 0;
	if (insert_log(s, zone, l, e) < 0)
		return -1;
	q_open(&q, s->db, SQL_TRANSFER_TRIM);
	q_int(&q, ":zone", zone);
	q_int(&q, ":out", l->out);
	q_int(&q, ":keep", TRANSFERS_KEPT);
	if (q_run(&q, e) < 0)
		return -1;
	return l->out ? 0 : trim_downstreams(s, zone, e);
}

int
peers_log(struct store *s, struct store_order *o, struct zr_err *e)
{
	return peers_insert_log(s, o->zone_id, &o->log, e);
}
