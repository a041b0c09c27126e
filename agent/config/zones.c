/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "base/table.h"
#include "config/load.h"
#include "config/schema.h"
#include "wire/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_FILE_MAX ((size_t)256 << 20) /* octets: some ten million names */

int
zones_cmp(const uint8_t *a, const uint8_t *b)
{
	size_t an = name_len(a), bn = name_len(b);
	int c = memcmp(a, b, an < bn ? an : bn);

	return c != 0 ? c : (an > bn) - (an < bn); /* the latter for safety: neither is a prefix */
}

void
zones_put(struct load *l, const uint8_t *name, const struct config_policy *p, struct place at)
{
	struct config *c = l->c;

	if (c->zone_count == l->zone_cap) {
		l->zone_cap = l->zone_cap != 0 ? l->zone_cap * 2 : 64;
		c->zones = zr_xrealloc(c->zones, l->zone_cap * sizeof(*c->zones));
	}
	policy_entry(p)->used = true;
	c->zones[c->zone_count++] = (struct config_zone){
	    .name = pool_bytes(l->arena, name, name_len(name)),
	    .policy = p,
	    .file = at.file,
	    .line = at.line,
	    .col = at.col,
	};
}

static void
load_zone(struct load *l, const struct node *n)
{
	const struct config_policy *p = policy_of_zone(l, n, n->key);
	struct place at = load_at_key(l, n);
	uint8_t name[NAME_MAX_LEN];
	char show[SHOW_MAX];
	const char *why;
	size_t where;

	if (zonename_read(n->key, name, &why, &where) == 0)
		fault_error(
		    &l->faults, at, "%s is not a domain name: %s", fault_show(n->key, show), why);
	else if (p != NULL)
		zones_put(l, name, p, at);
}

/* As it is shown: beside the configuration file, the way that one was named. */
static char *
list_path(struct load *l, const char *file)
{
	struct buf path = BUF_INIT;
	char *p;

	if (file[0] != '/')
		buf_str(&path, l->folder);
	buf_str(&path, file);
	p = pool_str(l->arena, buf_cstr(&path)); /* zones point to it */
	buf_clear(&path);
	return p;
}

static void
read_list(struct load *l, const struct node *file, const struct config_policy *p)
{
	const char *path = faults_file(&l->faults, list_path(l, file->text));
	size_t len = 0;
	char *data = NULL;
	int err = load_slurp(path, true, LIST_FILE_MAX, &data, &len);

	load_file(l, path);
	if (err == EFBIG)
		load_error(l, file, "%s is larger than 256 MiB", path);
	else if (err == EINVAL)
		load_error(l, file, "%s is not a regular file", path);
	else if (err != 0)
		load_error(
		    l, file, "cannot read %s: %s%s", path, strerror(err), load_advice(l, err));
	else
		zonelist_read(l, path, data, len, p);
	free(data);
}

static void
load_list(struct load *l, const struct node *n, struct table *files)
{
	struct zone_list_draft d = {NULL, NULL};
	const struct config_policy *p;
	const struct node *first;

	if (n->kind == NODE_BAD)
		return;
	schema_apply(&schema_zone_list, n, &d, l);
	p = policy_of_template(l, d.template);
	if (d.file == NULL) {
		if (node_empty(n) || (n->kind == NODE_MAP && node_get(n, "file") == NULL))
			load_error(l, n, "the zone list has no file");
		return;
	}
	if (!value_path_ok(l, "file", d.file))
		return;
	first = table_get(files, d.file->text, strlen(d.file->text));
	if (first != NULL) {
		load_error(l, d.file, "duplicate zone list: first at %s:%u:%u", l->file,
		    first->line, first->col);
		return;
	}
	(void)table_put(files, d.file->text, strlen(d.file->text), (void *)(uintptr_t)d.file);
	if (l->lists)
		read_list(l, d.file, p);
}

static int
by_name(const void *pa, const void *pb, void *arg)
{
	const struct config_zone *a = pa, *b = pb;
	const struct faults *f = arg;
	int c = zones_cmp(a->name, b->name);

	if (c != 0)
		return c;
	/* Equal names: the first one in the files stays. */
	if (a->file != b->file)
		return faults_file_order(f, a->file) < faults_file_order(f, b->file) ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->col < b->col ? -1 : a->col > b->col;
}

static void
find_duplicates(struct load *l)
{
	struct config_zone *v = l->c->zones;
	const struct config_zone *first = NULL;
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < l->c->zone_count; i++) {
		if (first == NULL || zones_cmp(first->name, v[i].name) != 0) {
			first = &v[i];
			continue;
		}
		fault_error(&l->faults, (struct place){v[i].file, v[i].line, v[i].col},
		    "duplicate zone %s: first at %s:%u:%u", name_show(v[i].name, text), first->file,
		    first->line, first->col);
	}
}

void
zones_load(struct load *l, const struct node *zones, const struct node *lists)
{
	struct table *files = table_new();
	struct config *c = l->c;

	if (zones != NULL)
		for (const struct node *n = zones->first; n != NULL; n = n->next)
			load_zone(l, n);
	if (lists != NULL)
		for (const struct node *n = lists->first; n != NULL; n = n->next)
			load_list(l, n, files);
	table_free(files);
	if (c->zone_count == 0)
		return;
	qsort_r(c->zones, c->zone_count, sizeof(*c->zones), by_name, &l->faults);
	find_duplicates(l);
}
