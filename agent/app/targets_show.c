/* SPDX-License-Identifier: BSD-2-Clause */
/* The targets of a zone and why each is one or not, for people (PL-10). */
#include "app/targets_p.h"
#include "base/heap.h"
#include "wire/name.h"

static void
put(struct buf *b, const char *key, const char *value)
{
	buf_fmt(b, ",\"%s\":", key);
	buf_json(b, value);
}

static const char *
address_text(const struct target *t, char out[ADDR_TEXT_MAX])
{
	struct zr_prefix p = {.addr = t->addr, .bits = t->bits};

	return t->why == TARGETS_PREFIX ? prefix_text(&p, out) : addr_text(&t->addr, out);
}

static void
show(struct buf *b, const struct entry *en, const struct target *t)
{
	const struct config_policy *p = entry_config(en);
	bool in = t->why == TARGETS_IN || t->why == TARGETS_ALSO;
	char name[NAME_TEXT_MAX], at[ADDR_TEXT_MAX];

	buf_str(b, "{\"kind\":\"target\"");
	if (t->host != NULL)
		put(b, "host", name_show(t->host, name));
	if (t->addr.family != 0)
		put(b, "address", address_text(t, at));
	if (t->downstream != TARGETS_NOBODY)
		put(b, "downstream", p->downstreams[t->downstream]->name);
	put(b, "state", in ? "in" : "out");
	put(b, "why", targets_why_names[t->why]);
	put(b, "text", t->text != NULL ? t->text : targets_why_text[t->why]);
	buf_str(b, "}\n");
}

void
targets_json(struct buf *b, struct entry *en)
{
	struct survey s;
	struct zr_err e;

	if (survey_take(&s, en, SURVEY_SHOW, NULL, &e) != 0)
		return;
	for (size_t i = 0; i < s.count; i++)
		show(b, en, &s.v[i]);
	survey_clear(&s);
}
