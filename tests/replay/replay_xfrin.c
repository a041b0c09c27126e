/* SPDX-License-Identifier: BSD-2-Clause */
/* The transfer reader under scripts. */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "core/xfrin.h"

#define QUERY_ID 0x1234
#define IDLE_US (30 * ZR_US_PER_S) /* unless the script says otherwise */

struct part {
	struct xfrin_limits limits;
	struct xfrin *x;
	bool soa; /* an SOA query is under way; x is NULL */
	bool udp;
	uint16_t qtype;
	int64_t idle_us;
	int64_t last_us; /* when the last message came */
};

static struct part *
part_of(struct replay *r)
{
	return r->part[REPLAY_XFRIN];
}

/* ---- what comes out ---- */

static int
say_serial(struct replay *r, const char *word, const struct rr *soa)
{
	struct soa s = {0};

	rr_soa(soa, &s);
	buf_fmt(&r->out, "%s %" PRIu32 "\n", word, s.serial);
	return 0;
}

static int
say_record(struct replay *r, const char *word, const struct rr *rr, struct zr_err *e)
{
	buf_fmt(&r->out, "%s ", word);
	return rr_print(rr, &r->out, e);
}

static int
on_full(void *arg, const struct rr *soa, struct zr_err *e)
{
	(void)e;
	return say_serial(arg, "full", soa);
}

static int
on_record(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say_record(arg, "rr", rr, e);
}

static int
on_diff(void *arg, const struct rr *soa, struct zr_err *e)
{
	(void)e;
	return say_serial(arg, "diff", soa);
}

static int
on_old(void *arg, const struct rr *soa, struct zr_err *e)
{
	(void)e;
	return say_serial(arg, "old", soa);
}

static int
on_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say_record(arg, "del", rr, e);
}

static int
on_new(void *arg, const struct rr *soa, struct zr_err *e)
{
	(void)e;
	return say_serial(arg, "new", soa);
}

static int
on_add(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say_record(arg, "add", rr, e);
}

static const struct xfrin_ops ops = {
    .full = on_full,
    .record = on_record,
    .diff = on_diff,
    .step_old = on_old,
    .del = on_del,
    .step_new = on_new,
    .add = on_add,
};

static void
took(struct replay *r, unsigned line, enum xfrin_step step)
{
	static const char *const names[] = {
	    [XFRIN_MORE] = "more",
	    [XFRIN_DONE] = "done",
	    [XFRIN_CURRENT] = "current",
	    [XFRIN_TRY_TCP] = "try-tcp",
	    [XFRIN_TRY_AXFR] = "try-axfr",
	    [XFRIN_FAIL] = "fail",
	};
	struct part *p = part_of(r);

	replay_step(r, line, names[step], step != XFRIN_MORE);
	if (step != XFRIN_MORE) {
		xfrin_free(p->x);
		p->x = NULL;
	}
}

/* ---- commands ---- */

static void
word_limits(struct replay *r, const struct replay_cmd *c)
{
	static const char *const names[] = {"records", "octets", "messages"};
	struct xfrin_limits *l = &part_of(r)->limits;
	uint64_t *where[] = {&l->max_records, &l->max_octets, &l->max_messages};

	*l = (struct xfrin_limits){0};
	for (size_t i = 0; i < 3; i++) {
		const char *v = replay_after(c, names[i]);

		if (v != NULL)
			*where[i] = replay_number(r, c->line, v);
	}
}

static bool
has_word(const struct replay_cmd *c, const char *word)
{
	for (unsigned i = 1; i < c->argc; i++)
		if (strcmp(c->argv[i], word) == 0)
			return true;
	return false;
}

static void
word_query(struct replay *r, const struct replay_cmd *c)
{
	struct part *p = part_of(r);
	const char *serial = replay_after(c, "serial"), *idle = replay_after(c, "idle");
	const char *kind = c->argc > 1 ? c->argv[1] : "";
	struct xfrin_query q = {.kind = strcmp(kind, "ixfr") == 0 ? XFRIN_IXFR : XFRIN_AXFR,
	    .udp = has_word(c, "udp"),
	    .id = QUERY_ID,
	    .zone = r->zone,
	    .have_serial = serial != NULL,
	    .serial = serial != NULL ? (uint32_t)replay_number(r, c->line, serial) : 0,
	    .forced = has_word(c, "forced"),
	    .limits = p->limits};

	if (p->x != NULL)
		replay_die(r, c->line, "the exchange before this has not ended");
	p->idle_us = IDLE_US;
	if (idle != NULL && !parse_duration(idle, &p->idle_us))
		replay_die(r, c->line, "not a duration: %s", idle);
	p->last_us = r->now.mono.us;
	p->udp = q.udp;
	p->soa = strcmp(kind, "soa") == 0;
	p->qtype = p->soa ? TYPE_SOA : q.kind == XFRIN_IXFR ? TYPE_IXFR : TYPE_AXFR;
	if (!p->soa && q.kind == XFRIN_AXFR && strcmp(kind, "axfr") != 0)
		replay_die(r, c->line, "query axfr|ixfr|soa ...");
	if (!p->soa)
		p->x = xfrin_new(&q, &ops, r);
}

static void
judge_soa(struct replay *r, unsigned line, struct msg *m)
{
	struct soa_answer a;
	struct part *p = part_of(r);

	if (!p->udp)
		m->flags &= (uint16_t)~FLAG_TC;
	p->soa = false;
	zr_err_clear(&r->reason);
	if (xfrin_soa_answer(m, r->zone, &a, &r->reason) < 0) {
		replay_step(r, line,
		    a.retry_tcp	    ? "retry-tcp"
		    : a.retry_plain ? "retry-plain"
				    : "fail",
		    true);
		return;
	}
	buf_fmt(&r->out, "serial %" PRIu32 "\n", a.soa.serial);
	if (a.expire_valid)
		buf_fmt(&r->out, "expire %" PRIu32 "\n", a.expire);
	replay_step(r, line, "ok", true);
}

static void
arrived(struct replay *r, unsigned line, const struct buf *wire)
{
	struct part *p = part_of(r);
	struct msg m;
	bool parsed;

	if (p->x == NULL && !p->soa)
		replay_die(r, line, "no query is under way");
	p->last_us = r->now.mono.us;
	zr_err_clear(&r->reason);
	parsed = msg_parse(&m, wire->data, wire->len, MSG_FULL, &r->reason) == 0;
	if (p->soa && parsed) {
		judge_soa(r, line, &m);
	} else if (p->soa) {
		p->soa = false;
		replay_step(r, line, "fail", true);
	} else {
		took(r, line,
		    parsed ? xfrin_feed(p->x, &m, &r->reason) : xfrin_broken(p->x, &r->reason));
	}
}

static unsigned long
number_flag(
    const struct replay *r, const struct replay_cmd *c, const char *key, unsigned long unset)
{
	const char *v = replay_flag(c, 1, key);

	return v == NULL || *v == '\0' ? unset : replay_number(r, c->line, v);
}

/* The question, as often as the flag asks for it; NAME/TYPE with the type as a number. */
static unsigned
put_question(struct replay *r, const struct replay_cmd *c, struct buf *b)
{
	const char *how = replay_flag(c, 1, "question"), *slash;
	unsigned long qtype = part_of(r)->qtype;
	unsigned times = 1;
	uint8_t name[NAME_MAX_LEN];
	char text[NAME_TEXT_MAX];

	memcpy(name, r->zone, name_len(r->zone));
	if (how != NULL && strcmp(how, "no") == 0)
		return 0;
	if (how != NULL && strcmp(how, "two") == 0)
		times = 2;
	else if (how != NULL && (slash = strrchr(how, '/')) != NULL) {
		snprintf(text, sizeof(text), "%.*s", (int)(slash - how), how);
		qtype = replay_number(r, c->line, slash + 1);
		if (name_from_text(text, name) == 0)
			replay_die(r, c->line, "not a name: %s", text);
	}
	for (unsigned i = 0; i < times; i++) {
		buf_bytes(b, name, name_len(name));
		buf_u16(b, (uint16_t)qtype);
		buf_u16(b, (uint16_t)number_flag(r, c, "class", CLASS_IN));
	}
	return times;
}

static bool
put_opt(const struct replay *r, const struct replay_cmd *c, struct buf *b)
{
	static const struct {
		const char *flag;
		uint16_t code, len;
	} options[] = {
	    {"expire", OPT_EXPIRE, 4}, {"keepalive", OPT_KEEPALIVE, 2}, {"ede", OPT_EDE, 2}};
	struct buf o = BUF_INIT;
	bool any = replay_flag(c, 1, "opt") != NULL;
	unsigned long pad = number_flag(r, c, "pad", 0);

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *v = replay_flag(c, 1, options[i].flag);

		if (v == NULL)
			continue;
		buf_u16(&o, options[i].code);
		buf_u16(&o, options[i].len);
		if (options[i].len == 4)
			buf_u32(&o, (uint32_t)replay_number(r, c->line, v));
		else
			buf_u16(&o, (uint16_t)replay_number(r, c->line, v));
	}
	if (pad > 0) {
		buf_u16(&o, OPT_PADDING);
		buf_u16(&o, (uint16_t)pad);
		for (unsigned long i = 0; i < pad; i++)
			buf_u8(&o, 0);
	}
	any |= o.len > 0;
	if (any) {
		buf_u8(b, 0);
		buf_u16(b, TYPE_OPT);
		buf_u16(b, 1232);
		buf_u32(b, 0);
		buf_u16(b, (uint16_t)o.len);
		buf_bytes(b, o.data, o.len);
	}
	buf_clear(&o);
	return any;
}

static void
check_flags(const struct replay *r, const struct replay_cmd *c)
{
	static const char *const known[] = {"aa", "tc", "qr", "ra", "opcode", "id", "rcode",
	    "question", "class", "expire", "keepalive", "pad", "ede", "opt", "authority", NULL};

	for (unsigned i = 1; i < c->argc; i++) {
		size_t n = strcspn(c->argv[i], "=");
		const char *const *k = known;

		while (*k != NULL && (strlen(*k) != n || strncmp(*k, c->argv[i], n) != 0))
			k++;
		if (*k == NULL)
			replay_die(r, c->line, "unknown flag %s", c->argv[i]);
	}
}

static void
word_in(struct replay *r, const struct replay_cmd *c)
{
	struct buf b = BUF_INIT;
	unsigned long flags = 0, count = 0;
	bool authority = replay_flag(c, 1, "authority") != NULL;

	check_flags(r, c);
	flags |= number_flag(r, c, "qr", 1) ? FLAG_QR : 0;
	flags |= number_flag(r, c, "aa", 1) ? FLAG_AA : 0;
	flags |= replay_flag(c, 1, "tc") != NULL ? FLAG_TC : 0;
	flags |= replay_flag(c, 1, "ra") != NULL ? FLAG_RA : 0;
	flags |= number_flag(r, c, "opcode", 0) << 11 | number_flag(r, c, "rcode", 0);
	buf_u16(&b, (uint16_t)number_flag(r, c, "id", QUERY_ID));
	buf_u16(&b, (uint16_t)flags);
	for (int i = 0; i < 4; i++)
		buf_u16(&b, 0);
	buf_put_u16(&b, 4, (uint16_t)put_question(r, c, &b));
	for (unsigned i = 0; i < c->blockc; i++)
		count += replay_records(r, c->block_line[i], c->block[i], &b);
	buf_put_u16(&b, authority ? 8 : 6, (uint16_t)count);
	buf_put_u16(&b, 10, put_opt(r, c, &b));
	if (b.bad || b.len > MSG_MAX)
		replay_die(r, c->line, "a message of %zu octets", b.len);
	arrived(r, c->line, &b);
	buf_clear(&b);
}

static void
word_raw(struct replay *r, const struct replay_cmd *c)
{
	struct buf b = BUF_INIT;
	unsigned v;

	for (unsigned i = 1; i < c->argc; i++) {
		for (const char *p = c->argv[i]; *p != '\0'; p += 2) {
			if (sscanf(p, "%2x", &v) != 1 || p[1] == '\0')
				replay_die(r, c->line, "not hex: %s", c->argv[i]);
			buf_u8(&b, (uint8_t)v);
		}
	}
	arrived(r, c->line, &b);
	buf_clear(&b);
}

static void
word_closed(struct replay *r, const struct replay_cmd *c)
{
	struct part *p = part_of(r);

	if (p->x == NULL)
		replay_die(r, c->line, "no transfer is under way");
	took(r, c->line, xfrin_eof(p->x, &r->reason));
}

/* ---- life ---- */

static void
begin(struct replay *r)
{
	r->part[REPLAY_XFRIN] = zr_xcalloc(1, sizeof(struct part));
}

static void
tick(struct replay *r)
{
	struct part *p = part_of(r);
	char text[PARSE_TEXT_MAX];

	if (p->x == NULL || r->now.mono.us - p->last_us < p->idle_us)
		return;
	zr_fail(&r->reason, ZR_TIMEOUT, "nothing came in %s", duration_text(p->idle_us, text));
	took(r, 0, xfrin_broken(p->x, &r->reason));
}

static void
end(struct replay *r)
{
	struct part *p = part_of(r);

	xfrin_free(p->x);
	free(p);
}

static const struct replay_word words[] = {
    {"limits", word_limits},
    {"query", word_query},
    {"in", word_in},
    {"raw", word_raw},
    {"closed", word_closed},
    {NULL, NULL},
};

const struct replay_table replay_xfrin = {.words = words, .begin = begin, .tick = tick, .end = end};
