/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective configuration as a file: walks the same tables that read it. */
#include "base/mem.h"
#include "base/parse.h"
#include "base/table.h"
#include "config/load.h"
#include "config/schema.h"
#include "wire/name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_KEY_MAX 1000

_Static_assert(offsetof(struct policy_draft, p) == 0, "a policy is printed with the draft's table");

/* One character of UTF-8 text, which it is: libyaml has read it.  Returns its octets. */
static size_t
take_char(const char *s, uint32_t *out)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	*out = n == 1 ? p[0] : p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++)
		*out = *out << 6 | (p[i] & 0x3fU);
	return n;
}

/* What may stand in a YAML file as it is, and does not end a line (YAML 1.1 section 5.1). */
static bool
is_printable(uint32_t c)
{
	return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0xd800 && c != 0x2028 && c != 0x2029) ||
	       (c >= 0xe000 && c < 0xfffe && c != 0xfeff) || c >= 0x10000;
}

static void
put_quoted(struct buf *out, const char *s)
{
	uint32_t c;
	size_t n;

	buf_u8(out, '"');
	for (; *s != '\0'; s += n) {
		n = take_char(s, &c);
		if (c == '"' || c == '\\')
			buf_u8(out, '\\');
		if (is_printable(c))
			buf_bytes(out, s, n);
		else
			buf_fmt(out, "\\u%04" PRIx32, c);
	}
	buf_u8(out, '"');
}

/* Plain where nobody could take it for something else. */
static void
put_text(struct buf *out, const char *s)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._@-";
	bool simple = s[0] != '\0' && strchr("-@._", s[0]) == NULL && s[strspn(s, plain)] == '\0' &&
		      strcasecmp(s, "null") != 0;

	if (simple)
		buf_str(out, s);
	else
		put_quoted(out, s);
}

static void
put_size(struct buf *out, uint64_t v)
{
	char text[PARSE_TEXT_MAX];
	uint64_t back;

	/* The short form is cut to tenths. */
	if (parse_size(size_text(v, text), &back) && back == v)
		buf_str(out, text);
	else
		buf_fmt(out, "%" PRIu64, v);
}

static void
put_addrs(struct buf *out, const struct zr_addr *v, size_t n)
{
	const char *sep = "";
	char text[ADDR_TEXT_MAX];

	buf_str(out, "[");
	for (size_t i = 0; i < n; i++) {
		if (v[i].family == 0)
			continue;
		buf_str(out, sep);
		put_text(out, addr_text(&v[i], text));
		sep = ", ";
	}
	buf_str(out, "]");
}

static void
put_prefixes(struct buf *out, const struct config_prefixes *p)
{
	char text[ADDR_TEXT_MAX];

	buf_str(out, "[");
	for (size_t i = 0; i < p->n; i++) {
		buf_str(out, i != 0 ? ", " : "");
		put_text(out, prefix_text(&p->v[i], text));
	}
	buf_str(out, "]");
}

static void
put_pins(struct buf *out, const struct config_pins *p)
{
	buf_str(out, "[");
	for (size_t i = 0; i < p->n; i++) {
		buf_str(out, i != 0 ? ", " : "");
		put_text(out, p->v[i]);
	}
	buf_str(out, "]");
}

static void
put_argv(struct buf *out, const struct config_argv *a)
{
	buf_str(out, "[");
	for (size_t i = 0; i < a->n; i++) {
		buf_str(out, i != 0 ? ", " : "");
		put_text(out, a->v[i]);
	}
	buf_str(out, "]");
}

static void
put_duration(struct buf *out, int64_t us)
{
	char text[PARSE_TEXT_MAX];

	buf_str(out, duration_text(us, text));
}

static void
put_key_name(struct buf *out, const struct config_key *k)
{
	bool word = k != NULL && strcmp(k->name, "none") == 0;

	put_text(out, k == NULL ? "none" : word ? "none." : k->name);
}

static void
put_value(struct buf *out, const struct schema_key *k, const void *at)
{
	const int64_t *time = at;

	switch (k->type) {
	case VALUE_BOOL:
		buf_str(out, *(const bool *)at ? "yes" : "no");
		break;
	case VALUE_COUNT:
		buf_fmt(out, "%" PRIu32, *(const uint32_t *)at);
		break;
	case VALUE_NUMBER:
		buf_fmt(out, "%" PRIu64, *(const uint64_t *)at);
		break;
	case VALUE_SIZE:
		put_size(out, *(const uint64_t *)at);
		break;
	case VALUE_DURATION:
		put_duration(out, time[0]);
		break;
	case VALUE_RANGE:
		put_duration(out, time[0]);
		buf_str(out, "..");
		put_duration(out, time[1]);
		break;
	case VALUE_CHOICE:
		buf_str(out, k->choice[*(const int *)at]);
		break;
	case VALUE_ADDRS:
		put_addrs(out, ((const struct config_addrs *)at)->v,
		    ((const struct config_addrs *)at)->n);
		break;
	case VALUE_SOURCE:
		put_addrs(out, at, 2);
		break;
	case VALUE_PREFIXES:
		put_prefixes(out, at);
		break;
	case VALUE_ARGV:
		put_argv(out, at);
		break;
	case VALUE_PINS:
		put_pins(out, at);
		break;
	case VALUE_PATH:
	case VALUE_USER:
	case VALUE_CA:
	case VALUE_HOST:
		put_text(out, *(char *const *)at);
		break;
	case VALUE_KEY:
		put_key_name(out, *(const struct config_key *const *)at);
		break;
	default:
		assert(!"a node is no value");
	}
}

/* A map or a text that was not written has no form that says so. */
static bool
is_unset(const struct schema_key *k, const void *at)
{
	switch (k->type) {
	case VALUE_PATH:
	case VALUE_USER:
	case VALUE_CA:
	case VALUE_HOST:
		return *(char *const *)at == NULL;
	case VALUE_SUB:
		return ((const struct config_place *)at)->file == NULL;
	default:
		return k->type >= VALUE_NAMES;
	}
}

static void
put_keys(struct buf *out, const struct schema *s, const void *from, const char *indent)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct schema_key *k = &s->keys[i];

		const void *at = (const char *)from + k->at;

		if (is_unset(k, at))
			continue;
		if (k->type == VALUE_SUB) {
			buf_fmt(out, "%s%s:\n", indent, k->key);
			put_keys(out, k->sub, at, indent[2] == '\0' ? "    " : "      ");
			continue;
		}
		buf_fmt(out, "%s%s: ", indent, k->key);
		put_value(out, k, at);
		buf_str(out, "\n");
	}
}

static void
put_policy(struct buf *out, const struct config_policy *p)
{
	buf_str(out, "    primaries: [");
	for (size_t i = 0; i < p->primary_count; i++) {
		buf_str(out, i != 0 ? ", " : "");
		put_text(out, p->primaries[i]->name);
	}
	buf_str(out, "]\n    downstreams: [");
	for (size_t i = 0; i < p->downstream_count; i++) {
		buf_str(out, i != 0 ? ", " : "");
		put_text(out, p->downstreams[i]->name);
	}
	buf_str(out, "]\n");
	put_keys(out, &schema_template, p, "    ");
}

static void
put_head(struct buf *out, const char *section, const char *name)
{
	struct buf key = BUF_INIT;

	put_text(&key, name);
	if (section != NULL)
		buf_fmt(out, "%s:\n", section);
	/* A key of more than 1024 characters needs the question mark: a name full of escapes. */
	buf_str(out, key.len > SHORT_KEY_MAX ? "  ? " : "  ");
	buf_bytes(out, key.data, key.len);
	buf_str(out, key.len > SHORT_KEY_MAX ? "\n  :" : ":");
	buf_clear(&key);
}

/* What a secret is nobody learns here. */
static void
put_tsig_keys(struct buf *out, const struct config *c)
{
	for (size_t i = 0; i < c->key_count; i++) {
		const struct config_key *k = &c->keys[i];

		put_head(out, i == 0 ? "keys" : NULL, k->name);
		buf_fmt(out, "\n    algorithm: %s\n", tsig_alg_name(k->ref->key.alg));
		if (k->secret_file != NULL) {
			buf_str(out, "    secret-file: ");
			put_text(out, k->secret_file);
		} else {
			buf_str(out, "    secret: \"(hidden)\"");
		}
		buf_fmt(out, "\n    min-mac: %" PRIu32 "\n", k->min_mac);
	}
}

static void
put_peers(struct buf *out, const struct config *c)
{
	for (size_t i = 0; i < c->primary_count; i++) {
		put_head(out, i == 0 ? "primaries" : NULL, c->primaries[i].name);
		buf_str(out, "\n");
		put_keys(out, &schema_primary, &c->primaries[i], "    ");
	}
	for (size_t i = 0; i < c->downstream_count; i++) {
		put_head(out, i == 0 ? "downstreams" : NULL, c->downstreams[i].name);
		buf_str(out, "\n");
		put_keys(out, &schema_downstream, &c->downstreams[i], "    ");
	}
}

static int
by_name(const void *pa, const void *pb)
{
	const struct config_zone *const *a = pa, *const *b = pb;

	return name_cmp((*a)->name, (*b)->name);
}

/* In canonical order: people read this. */
static void
put_zones(struct buf *out, const struct config *c)
{
	const struct config_zone **v = zr_xcalloc(c->zone_count, sizeof(struct config_zone *));
	const struct config_mem *m = c->mem;
	struct table *names = table_new(); /* policy -> template */
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < m->template_count; i++)
		(void)table_put(names, &m->templates[i].policy, sizeof(m->templates[i].policy),
		    &m->templates[i]);
	for (size_t i = 0; i < c->zone_count; i++)
		v[i] = &c->zones[i];
	qsort(v, c->zone_count, sizeof(struct config_zone *), by_name);
	for (size_t i = 0; i < c->zone_count; i++) {
		const struct config_template *t =
		    table_get(names, &v[i]->policy, sizeof(v[i]->policy));

		put_head(out, i == 0 ? "zones" : NULL, name_show(v[i]->name, text));
		if (t == NULL) {
			buf_str(out, "\n");
			put_policy(out, v[i]->policy);
			continue;
		}
		buf_str(out, " {template: ");
		put_text(out, t->name);
		buf_str(out, "}\n");
	}
	table_free(names);
	free(v);
}

void
config_print(const struct config *c, struct buf *out)
{
	const struct config_mem *m = c->mem;

	buf_str(out, "server:\n");
	put_keys(out, &schema_server, &c->server, "  ");
	buf_str(out, "log:\n");
	put_keys(out, &schema_log, &c->log, "  ");
	put_tsig_keys(out, c);
	put_peers(out, c);
	for (size_t i = 0; i < m->template_count; i++) {
		put_head(out, i == 0 ? "templates" : NULL, m->templates[i].name);
		buf_str(out, "\n");
		put_policy(out, m->templates[i].policy);
	}
	put_zones(out, c);
}
