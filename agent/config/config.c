/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/mem.h"
#include "base/table.h"
#include "config/load.h"
#include "config/schema.h"
#include "wire/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ ((size_t)64 << 10) /* octets, for what does not tell its size */

struct place
load_at(const struct load *l, const struct node *n)
{
	return (struct place){l->file, n->line, n->col};
}

struct place
load_at_key(const struct load *l, const struct node *n)
{
	return (struct place){l->file, n->key_line, n->key_col};
}

static int
read_all(int fd, size_t max, struct buf *b)
{
	ssize_t got;

	do {
		if (b->len > max)
			return EFBIG;
		if (b->cap - b->len < FIRST_READ && !buf_reserve(b, FIRST_READ))
			return ENOMEM;
		do
			got = read(fd, b->data + b->len, b->cap - b->len);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return errno;
		b->len += (size_t)got;
	} while (got > 0);
	return 0;
}

int
load_slurp(const char *path, bool regular, size_t max, char **data, size_t *len)
{
	/* Not blocking: a fifo in place of a zone list must not hold up a reload. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular ? O_NONBLOCK : 0));
	struct buf b = BUF_INIT;
	struct stat st;
	int err;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0)
		err = errno;
	else if (regular && !S_ISREG(st.st_mode))
		err = EINVAL;
	else if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > max)
		err = EFBIG;
	else if (!buf_reserve(&b, (S_ISREG(st.st_mode) ? (size_t)st.st_size : 0) + FIRST_READ + 1))
		err = ENOMEM;
	else
		err = read_all(fd, max, &b);
	close(fd);
	if (err == 0)
		*data = (char *)buf_take(&b, len);
	buf_clear(&b);
	return err;
}

void
load_file(struct load *l, const char *path)
{
	struct config_file *f = pool_alloc(l->arena, sizeof(*f));

	f->path = pool_str(l->arena, path);
	f->next = l->c->files;
	l->c->files = f;
}

const char *
load_advice(const struct load *l, int err)
{
	return err == EACCES && l->denied != NULL ? l->denied : "";
}

static bool
good_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= CONFIG_NAME_MAX &&
	       name[strspn(name,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

size_t
load_named(struct load *l, const struct node *map, const char *what, const struct node **v)
{
	struct table *seen = table_new();
	char show[SHOW_MAX];
	size_t count = 0;

	for (const struct node *n = map != NULL ? map->first : NULL; n != NULL; n = n->next) {
		const struct node *first = table_get(seen, n->key, strlen(n->key));

		if (!good_name(n->key)) {
			load_key_error(l, n,
			    "%s is not a name for a %s: 1 to 63 letters, digits, . _ - are",
			    fault_show(n->key, show), what);
		} else if (first != NULL) {
			load_key_error(l, n, "duplicate %s '%s': first at %s:%u:%u", what, n->key,
			    l->file, first->key_line, first->key_col);
		} else {
			(void)table_put(seen, n->key, strlen(n->key), (void *)(uintptr_t)n);
			v[count++] = n;
		}
	}
	table_free(seen);
	return count;
}

static void
fill(struct load *l, const struct node *root)
{
	struct schema_file top = {0};
	struct config *c = l->c;

	schema_defaults(&schema_server, &c->server, l);
	schema_defaults(&schema_log, &c->log, l);
	schema_apply(&schema_file, root, &top, l);
	schema_apply(&schema_server, top.server, &c->server, l);
	c->server.listen_default = node_get(top.server, "listen") == NULL;
	schema_apply(&schema_log, top.log, &c->log, l);
	cookie_load(l, node_get(top.server, "cookie-secret-file"));
	keys_load(l, top.keys);
	peers_load(l, top.primaries, top.downstreams);
	policy_load(l, top.templates);
	zones_load(l, top.zones, top.zone_lists);
	keys_check(l, top.keys);
	check_all(l, &top);
}

/* The folder of the file: absolute for what is kept, as it was given for messages. */
static void
find_folder(struct load *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	char *folder = pool_bytes(l->arena, path, len + 1), *dir;

	folder[len] = '\0';
	dir = realpath(len != 0 ? folder : ".", NULL);
	l->folder = folder;
	l->dir = pool_str(l->arena, dir != NULL ? dir : "/");
	free(dir);
}

static void
load_init(struct load *l, const char *path, bool lists)
{
	*l = (struct load){.c = zr_xcalloc(1, sizeof(*l->c)), .lists = lists};
	l->c->mem = zr_xcalloc(1, sizeof(*l->c->mem));
	l->arena = &l->c->mem->arena;
	pool_init(l->arena);
	pool_init(&l->nodes);
	faults_init(&l->faults);
	l->key_name = table_new();
	l->primary_name = table_new();
	l->downstream_name = table_new();
	l->template_name = table_new();
	l->policy_key = table_new();
	l->policies_tail = &l->policies;
	l->file = faults_file(&l->faults, pool_str(l->arena, path));
	find_folder(l, path);
}

/* Reports, and hands out the snapshot if it may be used. */
static struct config *
load_end(struct load *l, struct config_report *r)
{
	struct config *c = l->c;

	faults_report(&l->faults, r);
	if (l->faults.errors != 0) {
		config_free(c);
		c = NULL;
	} else if (c->zone_count != 0) { /* give back what growing left over */
		c->zones = zr_xrealloc(c->zones, c->zone_count * sizeof(*c->zones));
	}
	faults_clear(&l->faults);
	pool_clear(&l->nodes);
	table_free(l->key_name);
	table_free(l->primary_name);
	table_free(l->downstream_name);
	table_free(l->template_name);
	table_free(l->policy_key);
	return c;
}

static void
load_text(struct load *l, const void *data, size_t len)
{
	const struct node *root = yaml_read(&l->nodes, &l->faults, l->file, data, len);

	if (root != NULL)
		fill(l, root);
}

struct config *
config_load_text(
    const char *path, const void *data, size_t len, bool lists, struct config_report *r)
{
	struct load l;

	load_init(&l, path, lists);
	l.no_secrets = !lists;
	load_text(&l, data, len);
	return load_end(&l, r);
}

struct config *
config_load(const char *path, struct config_report *r)
{
	char *data = NULL;
	struct stat st;
	struct load l;
	size_t len = 0;
	int err;

	load_init(&l, path, !r->no_lists);
	l.no_secrets = r->no_secrets;
	l.denied = r->denied;
	load_file(&l, path);
	l.open_to_all = stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0;
	err = load_slurp(path, false, NODE_FILE_MAX, &data, &len);
	if (err != 0)
		fault_error(&l.faults, (struct place){l.file, 0, 0}, "cannot be read: %s%s",
		    strerror(err), load_advice(&l, err));
	else
		load_text(&l, data, len);
	if (l.secrets && data != NULL)
		explicit_bzero(data, len);
	free(data);
	return load_end(&l, r);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	explicit_bzero(c->server.cookie_secret, sizeof(c->server.cookie_secret));
	for (size_t i = 0; i < c->key_count; i++)
		keyref_drop(c->keys[i].ref);
	if (c->mem != NULL)
		pool_clear(&c->mem->arena);
	free(c->mem);
	free(c->zones);
	free(c);
}

bool
config_has_client(const struct config_downstream *d)
{
	return d->client_name != NULL || d->client_pin.n > 0;
}

const struct config_key *
config_notify_key(const struct config_primary *p)
{
	return p->notify_key != NULL ? p->notify_key : p->key;
}

const struct config_key *
config_key_find(const struct config *c, const uint8_t *name)
{
	for (size_t i = 0; i < c->key_count; i++)
		if (name_equal(c->keys[i].ref->key.name, name))
			return &c->keys[i];
	return NULL;
}

const struct config_zone *
config_zone_find(const struct config *c, const uint8_t *name)
{
	size_t from = 0, to = c->zone_count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int d = zones_cmp(name, c->zones[mid].name);

		if (d == 0)
			return &c->zones[mid];
		if (d < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}
