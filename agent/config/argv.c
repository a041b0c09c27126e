/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands.  There is no shell between: each string is one argument, so nothing needs quoting,
 * and the name of a zone cannot become anything but an argument.
 */
#include "config/near.h"
#include "config/schema.h"

#include <string.h>

#define ARGS_MAX 64 /* of one command; a longer one belongs into a script */

static const char *const words[] = {"zone", "serial", "old-serial", "primary", "kind", NULL};

static bool
is_word(const char *p, size_t len)
{
	for (size_t i = 0; words[i] != NULL; i++)
		if (strlen(words[i]) == len && memcmp(words[i], p, len) == 0)
			return true;
	return false;
}

static void
unknown_word(
    struct load *l, const struct schema_key *k, const struct node *n, const char *open, size_t len)
{
	char word[SHOW_MAX], show[SHOW_MAX], text[NEAR_TEXT_MAX];
	struct near near;

	len = len < sizeof(word) - 1 ? len : sizeof(word) - 1;
	memcpy(word, open + 1, len);
	word[len] = '\0';
	near_init(&near, word);
	for (size_t i = 0; words[i] != NULL; i++)
		near_try(&near, words[i]);
	load_error(l, n, "%s: unknown placeholder {%s} in %s%s", k->key, word,
	    fault_show(n->text, show), near_text(&near, text));
}

/* Only a word in braces is meant to be replaced; {}, {"a": 1} and the like stay as they are. */
static bool
check_words(struct load *l, const struct schema_key *k, const struct node *n)
{
	for (const char *p = n->text; (p = strchr(p, '{')) != NULL; p++) {
		size_t len = strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789_-");

		if (len == 0 || p[1 + len] != '}' || is_word(p + 1, len))
			continue;
		unknown_word(l, k, n, p, len);
		return false;
	}
	return true;
}

/* It must not depend on the folder which the daemon happens to run in, nor on a peer. */
static bool
check_program(struct load *l, const struct schema_key *k, const struct node *n)
{
	const char *text = n->text;
	char show[SHOW_MAX];

	if (text[0] == '\0')
		load_error(l, n, "%s: the name of the program is empty", k->key);
	else if (strchr(text, '{') != NULL)
		load_error(l, n, "%s: the program %s must not have braces", k->key,
		    fault_show(text, show));
	else if (text[0] != '/' && strchr(text, '/') != NULL)
		load_error(l, n,
		    "%s: the program %s is neither an absolute path nor a name to be found in PATH",
		    k->key, fault_show(text, show));
	else
		return value_path_ok(l, k->key, n);
	return false;
}

static bool
check_item(struct load *l, const struct schema_key *k, const struct node *n, bool program)
{
	/* [rndc, retransfer, {zone}] has a map for YAML */
	if (n->kind == NODE_MAP && n->count == 1) {
		load_error(l, n, "%s: an argument with braces needs quotes: \"{%s}\"", k->key,
		    n->first->key);
		return false;
	}
	if (value_scalar(l, k, n) == NULL)
		return false;
	return program ? check_program(l, k, n) : check_words(l, k, n);
}

bool
argv_read(struct load *l, const struct schema_key *k, const struct node *n, struct config_argv *out)
{
	struct config_argv a = {0};
	bool good = true;

	if (n->kind == NODE_BAD)
		return false;
	if (node_empty(n))
		return value_scalar(l, k, n) != NULL; /* it complains */
	if (n->kind != NODE_LIST) {
		load_error(l, n,
		    "%s: a command must be a list of the program and its arguments, such as "
		    "[/bin/echo, \"{zone}\"], not %s",
		    k->key, node_kind_text(n));
		return false;
	}
	if (n->count > ARGS_MAX) {
		load_error(l, n, "%s: more than %d arguments", k->key, ARGS_MAX);
		return false;
	}
	a.v = pool_array(l->arena, n->count + 1, sizeof(*a.v));
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		if (!check_item(l, k, i, i == n->first))
			good = false;
		else
			a.v[a.n++] = pool_str(l->arena, i->text);
	}
	*out = a;
	return good;
}

void
argv_of_server(struct load *l, enum config_server_kind kind, struct config_argv *out)
{
	static const char *const command[][3] = {
	    [CONFIG_KIND_BIND] = {"rndc", "retransfer", "{zone}"},
	    [CONFIG_KIND_NSD] = {"nsd-control", "force_transfer", "{zone}"},
	    [CONFIG_KIND_KNOT] = {"knotc", "zone-retransfer", "{zone}"},
	    [CONFIG_KIND_POWERDNS] = {"pdns_control", "retrieve", "{zone}"},
	};

	*out = (struct config_argv){0};
	if (kind == CONFIG_KIND_NONE)
		return;
	out->v = pool_array(l->arena, 4, sizeof(*out->v));
	for (; out->n < 3; out->n++)
		out->v[out->n] = pool_str(l->arena, command[kind][out->n]);
}
