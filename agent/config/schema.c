/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/schema.h"

#include "config/near.h"

#include <assert.h>
#include <string.h>

#define KEYS_MAX 64 /* of one table with its base */

/* Defaults go the way of what is written, so a table cannot hold one that would be refused. */
static void
set_default(const struct schema_key *k, void *at, struct load *l)
{
	bool list = k->type == VALUE_ADDRS || k->type == VALUE_PREFIXES;
	struct node root = {.kind = list ? NODE_LIST : NODE_SCALAR, .key = k->key};
	struct node item[4] = {{0}};
	char text[256];
	bool good;

	assert(strlen(k->def) < sizeof(text));
	memcpy(text, k->def, strlen(k->def) + 1);
	root.text = text;
	for (char *p = text, *save; list; p = NULL) {
		char *word = strtok_r(p, " ", &save);

		if (word == NULL)
			break;
		assert(root.count < 4);
		item[root.count].text = word;
		if (root.count > 0)
			item[root.count - 1].next = &item[root.count];
		root.count++;
		root.first = &item[0];
	}
	good = value_read(l, k, &root, at);
	assert(good);
	(void)good;
}

void
schema_defaults(const struct schema *s, void *out, struct load *l)
{
	for (; s != NULL; s = s->base)
		for (size_t i = 0; i < s->count; i++)
			if (s->keys[i].def != NULL)
				set_default(&s->keys[i], (char *)out + s->keys[i].at, l);
}

static const struct schema_key *
find_key(const struct schema *s, const char *name, size_t *number)
{
	*number = 0;
	for (; s != NULL; s = s->base)
		for (size_t i = 0; i < s->count; i++, ++*number)
			if (strcmp(s->keys[i].key, name) == 0)
				return &s->keys[i];
	return NULL;
}

static void
unknown_key(const struct schema *s, const struct node *n, struct load *l)
{
	char show[SHOW_MAX], text[NEAR_TEXT_MAX];
	const char *what = s->what;
	struct near near;

	near_init(&near, n->key);
	for (const struct schema *b = s; b != NULL; b = b->base)
		for (size_t i = 0; i < b->count; i++)
			near_try(&near, b->keys[i].key);
	load_key_error(
	    l, n, "unknown key %s of %s%s", fault_show(n->key, show), what, near_text(&near, text));
}

void
schema_apply(const struct schema *s, const struct node *map, void *out, struct load *l)
{
	const struct node *seen[KEYS_MAX] = {NULL};
	const struct schema_key *k;
	size_t i;

	assert(s != NULL);
	if (node_empty(map) || map->kind == NODE_BAD)
		return;
	if (map->kind != NODE_MAP) {
		load_error(
		    l, map, "%s must be a map (key: value), not %s", s->what, node_kind_text(map));
		return;
	}
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		k = find_key(s, n->key, &i);
		if (k == NULL) {
			unknown_key(s, n, l);
			continue;
		}
		assert(i < KEYS_MAX);
		if (seen[i] != NULL) {
			load_key_error(l, n, "duplicate key '%s': first at %s:%u:%u", k->key,
			    l->file, seen[i]->key_line, seen[i]->key_col);
			continue;
		}
		seen[i] = n;
		(void)value_read(l, k, n, (char *)out + k->at);
	}
}
