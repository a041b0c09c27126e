/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSIG keys.  No message of this file has any part of a value in it that may be a secret, even when
 * it stands in the wrong place.
 */
#include "base/mem.h"
#include "base/table.h"
#include "config/load.h"
#include "config/near.h"
#include "config/schema.h"
#include "wire/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIDDEN "(hidden)" /* what config_print() writes */
#define BLANKS " \t\r\n"

/* ---- the secret ---- */

int
secret_read(struct load *l, const struct node *n, const char *word, const char *path,
    char out[SECRET_FILE_MAX + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char show[SHOW_MAX];
	struct stat st;
	size_t len = 0, from;
	ssize_t got = -1;

	fault_show(path, show);
	if (fd < 0 || fstat(fd, &st) != 0) {
		load_error(l, n, "%s: %s cannot be read: %s%s", word, show, strerror(errno),
		    load_advice(l, errno));
	} else if (!S_ISREG(st.st_mode)) {
		load_error(l, n, "%s: %s is not a file", word, show);
	} else if ((st.st_mode & S_IRWXO) != 0) {
		load_error(l, n,
		    "%s: %s is open to everybody (mode %03o): chmod o= is needed, and if "
		    "others have seen it, a new secret",
		    word, show, (unsigned)(st.st_mode & 0777));
	} else {
		do {
			got = read(fd, out + len, SECRET_FILE_MAX - len);
			len += got > 0 ? (size_t)got : 0;
		} while (got > 0 || (got < 0 && errno == EINTR));
		if (got < 0)
			load_error(l, n, "%s: %s cannot be read: %s", word, show, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	out[len] = '\0';
	while (len > 0 && strchr(BLANKS, out[len - 1]) != NULL)
		out[--len] = '\0';
	from = strspn(out, BLANKS);
	memmove(out, out + from, len - from + 1);
	return got < 0 ? -1 : 0;
}

static void
set_secret(struct load *l, const struct node *n, struct config_key *k, enum tsig_alg alg,
    const char *word, const char *secret)
{
	struct zr_err e;

	if (tsig_key_set(&k->ref->key, k->name, tsig_alg_name(alg), secret, &e) != 0) {
		load_error(l, n, "%s: %s", word, e.text);
		return;
	}
	k->ref->key.mac_min = (uint8_t)(k->min_mac != 0 ? k->min_mac : tsig_alg_mac(alg));
	if (k->ref->key.secret_len < tsig_alg_mac(alg))
		load_warning(l, n, "%s: only %zu octets: %s deserves %zu (RFC 8945 section 8)",
		    word, k->ref->key.secret_len, tsig_alg_name(alg), tsig_alg_mac(alg));
}

static void
secret_from_file(struct load *l, const struct node *n, struct config_key *k, enum tsig_alg alg)
{
	char text[SECRET_FILE_MAX + 1];

	load_file(l, k->secret_file);
	if (!l->no_secrets && secret_read(l, n, "secret-file", k->secret_file, text) == 0)
		set_secret(l, n, k, alg, "secret-file", text);
	explicit_bzero(text, sizeof(text));
}

static void
secret_inline(struct load *l, const struct node *n, struct config_key *k, enum tsig_alg alg)
{
	l->secrets = true;
	if (strcmp(n->text, HIDDEN) == 0)
		load_error(l, n, "secret: %s stands for one that was not printed", HIDDEN);
	else
		set_secret(l, n, k, alg, "secret", n->text);
	if (l->open_to_all)
		load_error(l, n,
		    "secret: this file is open to everybody: chmod o= is needed, or secret-file");
	explicit_bzero((char *)(uintptr_t)n->text, strlen(n->text));
}

/* ---- one key ---- */

static enum tsig_alg
read_alg(struct load *l, const struct node *n)
{
	enum tsig_alg alg = TSIG_HMAC_SHA256;
	struct zr_err e;

	if (n == NULL)
		return alg;
	if (tsig_alg_parse(&alg, n->text, &e) != 0)
		load_error(l, n, "algorithm: %s", e.text);
	else if (alg == TSIG_HMAC_SHA1)
		load_warning(l, n,
		    "algorithm: hmac-sha1 is for peers that know no other (RFC 8945 section 6)");
	return alg;
}

static void
load_key(struct load *l, const struct node *n, struct config_key *out, const uint8_t *name)
{
	struct key_draft d = {.k = *out};
	const struct node *file = node_get(n, "secret-file");
	enum tsig_alg alg;

	schema_defaults(&schema_key, &d, l);
	schema_apply(&schema_key, n, &d, l);
	alg = read_alg(l, d.algorithm);
	*out = d.k;
	out->ref->key.alg = alg;
	name_lower(out->ref->key.name, name);
	out->ref->key.name_len = (uint8_t)name_len(name);
	if (d.secret != NULL && out->secret_file != NULL)
		load_key_error(l, d.secret, "either secret or secret-file, not both");
	else if (d.secret != NULL)
		secret_inline(l, d.secret, out, alg);
	else if (out->secret_file != NULL)
		secret_from_file(l, file, out, alg);
	else if (file == NULL && node_get(n, "secret") == NULL && n->kind != NODE_BAD &&
		 (n->kind == NODE_MAP || node_empty(n)))
		load_key_error(l, n, "the key has no secret: give secret-file");
	if (out->min_mac > tsig_alg_mac(alg))
		load_error(l, node_get(n, "min-mac"), "min-mac: %s makes %zu octets only",
		    tsig_alg_name(alg), tsig_alg_mac(alg));
}

/* The name, in *wire; false after a fault. */
static bool
read_name(struct load *l, const struct node *n, uint8_t wire[NAME_MAX_LEN])
{
	char show[SHOW_MAX];
	const char *why;
	size_t at;

	if (zonename_read(n->key, wire, &why, &at) != 0)
		return true;
	load_key_error(l, n, "%s is not a domain name: %s", fault_show(n->key, show), why);
	return false;
}

void
keys_load(struct load *l, const struct node *keys)
{
	struct config *c = l->c;
	uint8_t wire[NAME_MAX_LEN];
	char text[NAME_TEXT_MAX];

	c->keys = pool_array(l->arena, keys != NULL ? keys->count : 0, sizeof(*c->keys));
	for (const struct node *n = keys != NULL ? keys->first : NULL; n != NULL; n = n->next) {
		struct config_key *k = &c->keys[c->key_count];

		if (!read_name(l, n, wire))
			continue;
		if (table_get(l->key_name, wire, name_len(wire)) != NULL) {
			load_key_error(l, n, "duplicate key '%s'", name_show(wire, text));
			continue;
		}
		c->key_count++;
		k->name = pool_str(l->arena, name_show(wire, text));
		k->ref = keyref_new();
		load_key(l, n, k, wire);
		(void)table_put(
		    l->key_name, pool_bytes(l->arena, wire, name_len(wire)), name_len(wire), k);
	}
}

bool
key_read(
    struct load *l, const struct schema_key *k, const struct node *n, const struct config_key **out)
{
	const char *text = value_scalar(l, k, n);
	uint8_t wire[NAME_MAX_LEN];
	char near[NEAR_TEXT_MAX], show[SHOW_MAX], lower[NAME_TEXT_MAX];
	const struct config_key *found;
	const char *why;
	struct near words;
	size_t at;

	*out = NULL;
	if (text == NULL)
		return false;
	if (strcmp(text, "none") == 0)
		return true;
	if (zonename_read(text, wire, &why, &at) == 0) {
		load_error(l, n, "%s: not the name of a key: %s", k->key, why);
		return false;
	}
	found = table_get(l->key_name, wire, name_len(wire));
	if (found != NULL) {
		*out = found;
		return true;
	}
	near_init(&words, name_show(wire, lower));
	for (size_t i = 0; i < l->c->key_count; i++)
		near_try(&words, l->c->keys[i].name);
	load_error(
	    l, n, "%s: unknown key %s%s", k->key, fault_show(text, show), near_text(&words, near));
	return false;
}

/* ---- whose they are ---- */

struct user {
	const char *what, *name;
};

/* TS-30: a secret that three know proves less. */
static void
use(struct load *l, struct user *v, const struct config_key *k, const struct node *peer,
    const char *what, const char *name)
{
	struct user *u = k != NULL ? &v[k - l->c->keys] : NULL;
	const struct node *n = node_get(peer, "key");

	if (u == NULL)
		return;
	if (u->name == NULL) {
		*u = (struct user){what, name};
		return;
	}
	if (u->name == name)
		return;
	load_warning(l, n != NULL ? n : peer,
	    "the key '%s' is that of the %s '%s' as well: each pair of servers should have its own "
	    "(RFC 8945 section 8)",
	    k->name, u->what, u->name);
}

void
keys_check(struct load *l, const struct node *keys)
{
	const struct config *c = l->c;
	struct user *v = zr_xcalloc(c->key_count + 1, sizeof(*v));

	for (size_t i = 0; i < c->primary_count; i++) {
		const struct config_primary *p = &c->primaries[i];

		use(l, v, p->key, l->primary_node[i], "primary", p->name);
		if (p->notify_key != p->key)
			use(l, v, p->notify_key, l->primary_node[i], "primary", p->name);
	}
	for (size_t i = 0; i < c->downstream_count; i++) {
		const struct config_downstream *d = &c->downstreams[i];

		use(l, v, d->key, l->downstream_node[i], "downstream", d->name);
		if (d->notify_key != d->key)
			use(l, v, d->notify_key, l->downstream_node[i], "downstream", d->name);
	}
	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next)
		if (e->p.notify_key != NULL && v[e->p.notify_key - c->keys].name == NULL)
			v[e->p.notify_key - c->keys] = (struct user){"template", ""};
	for (size_t i = 0; i < c->key_count; i++)
		if (v[i].name == NULL)
			fault_warning(&l->faults, load_at(l, keys),
			    "the key '%s' is used by no primary, downstream or template",
			    c->keys[i].name);
	free(v);
}
