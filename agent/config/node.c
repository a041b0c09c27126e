/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/node.h"

#include <string.h>

const struct node *
node_get(const struct node *map, const char *key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

bool
node_empty(const struct node *n)
{
	static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};

	if (n == NULL)
		return true;
	if (n->kind != NODE_SCALAR || !n->plain)
		return false;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		if (strcmp(n->text, nothing[i]) == 0)
			return true;
	return false;
}

const struct node *
node_item(const struct node *n, size_t i)
{
	if (n == NULL || n->kind == NODE_SCALAR)
		return i == 0 ? n : NULL;
	for (n = n->first; n != NULL && i > 0; i--)
		n = n->next;
	return n;
}

size_t
node_items(const struct node *n)
{
	if (n == NULL || n->kind == NODE_SCALAR)
		return n != NULL;
	return n->count;
}

const char *
node_kind_text(const struct node *n)
{
	switch (n->kind) {
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a map";
	default:
		return "a single value";
	}
}
