/* SPDX-License-Identifier: BSD-2-Clause */
/* The last forced transfer of a zone, and what became of it, as facts for people. */
#include <string.h>

#include "app/forced_p.h"
#include "app/json.h"

void
json_event(struct buf *b, const struct entry *en)
{
	const struct forced_zone *fz = en->forced;

	if (fz == NULL || fz->f.event == 0)
		return;
	json_num(b, "event", fz->f.event);
	json_wall(b, "event_at", fz->event_at);
	if (fz->f.at.us ==
	    0) /* a command of before the start: the transfers before are not known */
		return;
	json_wall(b, "event_last_at", fz->f.at);
	json_num(b, "event_serial", fz->f.serial);
	json_str(b, "event_verdict", forced_verdict_names[fz->f.verdict]);
	json_num(b, "event_repeats", fz->f.repeats);
	json_str(b, "event_notifier", fz->notifier);
	json_str(b, "event_source", fz->source);
	if (forced_is_pinned(en))
		json_num(b, "event_pinned", 1);
}

void
json_forced(struct ctl_reply *r, const struct entry *en)
{
	const struct forced_peer *p;
	struct buf b = BUF_INIT;
	char at[ADDR_TEXT_MAX];

	for (p = en->forced == NULL ? NULL : en->forced->peers; p != NULL; p = p->next) {
		buf_str(&b, "{\"kind\":\"forced\"");
		json_str(&b, "name", p->downstream);
		json_str(&b, "address", addr_text(&p->target, at));
		json_str(&b, "state", forced_peer_names[p->state]);
		json_wall(&b, "at", p->at);
		json_str(&b, "text", p->text);
		json_num(&b, "event", p->event);
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
