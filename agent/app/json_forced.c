/* SPDX-License-Identifier: BSD-2-Clause */
/* The last forced transfer of a zone, and what became of it, as facts for people. */
#include <string.h>

#include "app/forced_p.h"
#include "app/json.h"

static void
str(struct buf *b, const char *key, const char *value)
{
	buf_fmt(b, ",\"%s\":", key);
	buf_json(b, value);
}

static void
num(struct buf *b, const char *key, uint64_t v)
{
	buf_fmt(b, ",\"%s\":%llu", key, (unsigned long long)v);
}

static void
wall(struct buf *b, const char *key, struct zr_wall t)
{
	if (t.us != 0)
		buf_fmt(b, ",\"%s\":%lld", key, (long long)t.us);
}

void
json_event(struct buf *b, const struct entry *en)
{
	const struct forced_zone *fz = en->forced;

	if (fz == NULL || fz->f.event == 0)
		return;
	num(b, "event", fz->f.event);
	wall(b, "event_at", fz->event_at);
	if (fz->f.at.us ==
	    0) /* a command of before the start: the transfers before are not known */
		return;
	wall(b, "event_last_at", fz->f.at);
	num(b, "event_serial", fz->f.serial);
	str(b, "event_verdict", forced_verdict_names[fz->f.verdict]);
	num(b, "event_repeats", fz->f.repeats);
	str(b, "event_notifier", fz->notifier);
	str(b, "event_source", fz->source);
	if (forced_is_pinned(en))
		num(b, "event_pinned", 1);
}

void
json_forced(struct ctl_reply *r, const struct entry *en)
{
	const struct forced_peer *p;
	struct buf b = BUF_INIT;
	char at[ADDR_TEXT_MAX];

	for (p = en->forced == NULL ? NULL : en->forced->peers; p != NULL; p = p->next) {
		buf_str(&b, "{\"kind\":\"forced\"");
		str(&b, "name", p->downstream);
		str(&b, "address", addr_text(&p->target, at));
		str(&b, "state", forced_peer_names[p->state]);
		wall(&b, "at", p->at);
		str(&b, "text", p->text);
		num(&b, "event", p->event);
		buf_str(&b, "}");
		ctl_body(r, &b);
		buf_reset(&b);
	}
	buf_clear(&b);
}

void
json_lines(struct ctl_reply *r, const struct buf *lines)
{
	const uint8_t *p = lines->data, *end = p == NULL ? NULL : p + lines->len, *nl;
	struct buf b = BUF_INIT;

	for (; p != end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			break;
		buf_bytes(&b, p, (size_t)(nl - p));
		ctl_body(r, &b);
		buf_reset(&b);
	}
	buf_clear(&b);
}
