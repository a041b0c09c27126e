/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policies exist once each: what a template or a zone says is written as octets, and equal
 * octets are the same policy.  So 100,000 zones of one template, or with the same keys of
 * their own, share one structure.
 */
#include "base/mem.h"
#include "base/table.h"
#include "config/load.h"
#include "config/near.h"
#include "config/schema.h"

#include <assert.h>
#include <string.h>

#define DEFAULT_NAME "default"

struct policy_entry *
policy_entry(const struct config_policy *p)
{
	/* The policy is the first member, and the entry was made by share(). */
	return (struct policy_entry *)(uintptr_t)p;
}

static void
write_addr(struct buf *key, const struct zr_addr *a)
{
	buf_u8(key, a->family);
	buf_u16(key, a->port);
	buf_u32(key, a->scope);
	buf_bytes(key, a->ip, sizeof(a->ip));
}

static void
write_key(const struct config_policy *p, struct buf *key)
{
	buf_u64(key, p->primary_count);
	for (size_t i = 0; i < p->primary_count; i++)
		buf_bytes(key, &p->primaries[i], sizeof(p->primaries[i]));
	buf_u64(key, p->downstream_count);
	for (size_t i = 0; i < p->downstream_count; i++)
		buf_bytes(key, &p->downstreams[i], sizeof(p->downstreams[i]));
	buf_u8(key, (uint8_t)p->xot);
	buf_u8(key, p->soa_over_tls);
	buf_u64(key, (uint64_t)p->refresh_min_us);
	buf_u64(key, (uint64_t)p->refresh_max_us);
	buf_u64(key, (uint64_t)p->retry_min_us);
	buf_u64(key, (uint64_t)p->retry_max_us);
	buf_u64(key, p->max_size);
	buf_u64(key, p->max_records);
	buf_u64(key, p->max_messages);
	buf_u32(key, p->max_steps);
	buf_u64(key, (uint64_t)p->max_transfer_us);
	buf_u64(key, (uint64_t)p->max_transfer_out_us);
	buf_u64(key, (uint64_t)p->splay_us);
	buf_u32(key, p->journal_steps);
	buf_u8(key, p->ixfr);
	buf_u8(key, p->notify_enclosing);
	buf_u64(key, (uint64_t)p->forced_interval_us);
	buf_u32(key, p->forced_burst);
	buf_u8(key, (uint8_t)p->forced_lower);
	buf_u64(key, (uint64_t)p->forced_splay_us);
	buf_u64(key, (uint64_t)p->forced_window_us);
	buf_u64(key, (uint64_t)p->forced_verify_us);
	buf_u8(key, p->forced_return);
	buf_u8(key, (uint8_t)p->notify_targets);
	buf_u64(key, p->also_notify.n);
	for (size_t i = 0; i < p->also_notify.n; i++)
		write_addr(key, &p->also_notify.v[i]);
	buf_u8(key, p->notify_mname);
	buf_u64(key, (uintptr_t)p->notify_key);
}

/* `zone` is NULL for a template. */
static const struct config_policy *
share(struct load *l, const struct config_policy *p, const struct node *node, const char *zone)
{
	struct buf key = BUF_INIT;
	struct policy_entry *e;

	write_key(p, &key);
	if (key.bad)
		zr_no_memory();
	e = table_get(l->policy_key, key.data, key.len);
	if (e == NULL) {
		e = pool_alloc(l->arena, sizeof(*e));
		e->p = *p;
		e->p.others = (struct config_downstream){.name = (char *)(uintptr_t) "",
		    .notify = true,
		    .notify_hint = true,
		    .notify_key = p->notify_key};
		e->node = node;
		e->zone = zone;
		*l->policies_tail = e;
		l->policies_tail = &e->next;
		(void)table_put(
		    l->policy_key, pool_bytes(&l->nodes, key.data, key.len), key.len, e);
	}
	buf_clear(&key);
	return &e->p;
}

static void
unknown_name(struct load *l, const struct node *n, const char *what, const struct table *names,
    size_t name_at)
{
	char show[SHOW_MAX], text[NEAR_TEXT_MAX];
	const char *value;
	struct near near;
	size_t pos = 0;

	near_init(&near, n->text);
	while ((value = table_next(names, &pos)) != NULL) {
		const char *name;

		memcpy(&name, value + name_at, sizeof(name));
		near_try(&near, name);
	}
	load_error(
	    l, n, "unknown %s %s%s", what, fault_show(n->text, show), near_text(&near, text));
}

/*
 * The names of a list as the objects they stand for.  Every kind of object has its name at
 * name_at.  Returns how many there are.
 */
static size_t
look_up(struct load *l, const struct node *list, const char *what, const struct table *names,
    size_t name_at, const void ***out)
{
	const void **v = pool_array(&l->nodes, node_items(list), sizeof(*v));
	size_t n = 0;

	for (const struct node *i = node_item(list, 0); i != NULL; i = i == list ? NULL : i->next) {
		const void *found;
		bool twice = false;

		if (i->kind == NODE_BAD)
			continue;
		if (i->kind != NODE_SCALAR) {
			load_error(
			    l, i, "the name of a %s is expected, not %s", what, node_kind_text(i));
			continue;
		}
		found = table_get(names, i->text, strlen(i->text));
		if (found == NULL) {
			unknown_name(l, i, what, names, name_at);
			continue;
		}
		for (size_t k = 0; k < n; k++)
			twice = twice || v[k] == found;
		if (twice)
			load_error(l, i, "the %s '%s' is named twice", what, i->text);
		else
			v[n++] = found;
	}
	*out = v;
	return n;
}

/* Names become pointers; what was not written stays. */
static void
resolve(struct load *l, struct policy_draft *d)
{
	struct config_policy *p = &d->p;
	const void **found;
	size_t n;

	if (d->primaries != NULL) {
		n = look_up(l, d->primaries, "primary", l->primary_name,
		    offsetof(struct config_primary, name), &found);
		p->primaries = pool_array(l->arena, n, sizeof(*p->primaries));
		for (p->primary_count = 0; p->primary_count < n; p->primary_count++)
			p->primaries[p->primary_count] = found[p->primary_count];
	}
	if (d->downstreams != NULL) {
		n = look_up(l, d->downstreams, "downstream", l->downstream_name,
		    offsetof(struct config_downstream, name), &found);
		p->downstreams = pool_array(l->arena, n, sizeof(*p->downstreams));
		for (p->downstream_count = 0; p->downstream_count < n; p->downstream_count++)
			p->downstreams[p->downstream_count] = found[p->downstream_count];
	}
}

/* Every primary and every downstream, and the numbers of the table. */
static void
built_in(struct load *l, struct config_policy *p)
{
	struct policy_draft d = {.p = {0}};
	const struct config *c = l->c;

	schema_defaults(&schema_template, &d, l);
	*p = d.p;
	p->primaries = pool_array(l->arena, c->primary_count, sizeof(*p->primaries));
	for (; p->primary_count < c->primary_count; p->primary_count++)
		p->primaries[p->primary_count] = &c->primaries[p->primary_count];
	p->downstreams = pool_array(l->arena, c->downstream_count, sizeof(*p->downstreams));
	for (; p->downstream_count < c->downstream_count; p->downstream_count++)
		p->downstreams[p->downstream_count] = &c->downstreams[p->downstream_count];
}

static void
add_template(struct load *l, const char *name, const struct config_policy *p)
{
	struct config_mem *m = l->c->mem;
	struct config_template *t = &m->templates[m->template_count++];

	t->name = pool_str(l->arena, name);
	t->policy = p;
	(void)table_put(l->template_name, t->name, strlen(t->name), t);
}

void
policy_load(struct load *l, const struct node *templates)
{
	size_t room = templates != NULL ? templates->count : 0;
	const struct node **v = pool_array(&l->nodes, room, sizeof(*v));
	size_t n = load_named(l, templates, "template", v);
	struct config_policy base;

	built_in(l, &base);
	l->c->mem->templates = pool_array(l->arena, n + 1, sizeof(struct config_template));
	for (size_t i = 0; i < n; i++) {
		struct policy_draft d = {.p = base};

		schema_apply(&schema_template, v[i], &d, l);
		resolve(l, &d);
		add_template(l, v[i]->key, share(l, &d.p, v[i], NULL));
	}
	if (table_get(l->template_name, DEFAULT_NAME, strlen(DEFAULT_NAME)) == NULL)
		add_template(l, DEFAULT_NAME, share(l, &base, NULL, NULL));
}

const struct config_policy *
policy_of_template(struct load *l, const struct node *name)
{
	const char *text = name != NULL ? name->text : DEFAULT_NAME;
	const struct config_template *t = table_get(l->template_name, text, strlen(text));

	assert(t != NULL || name != NULL); /* the default one is always there */
	if (t == NULL)
		unknown_name(
		    l, name, "template", l->template_name, offsetof(struct config_template, name));
	return t != NULL ? t->policy : NULL;
}

const struct config_policy *
policy_of_zone(struct load *l, const struct node *zone, const char *name)
{
	const struct node *t = node_get(zone, "template");
	const struct config_policy *p;
	struct policy_draft d;

	if (t != NULL && (t->kind != NODE_SCALAR || node_empty(t)))
		t = NULL; /* schema_apply() will complain */
	p = policy_of_template(l, t);
	/* Nearly every zone is "name: {}". */
	if (p != NULL && (node_empty(zone) || (zone->kind == NODE_MAP && zone->count == 0)))
		return p;
	if (p == NULL) /* all the same: see what else is wrong */
		p = policy_of_template(l, NULL);
	assert(p != NULL);
	d = (struct policy_draft){.p = *p};
	schema_apply(&schema_zone, zone, &d, l);
	resolve(l, &d);
	return share(l, &d.p, zone, name);
}
