/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "base/parse.h"
#include "config/near.h"
#include "config/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SHOWN 22 /* characters: those of the largest number, and one more */

const char *
value_scalar(struct load *l, const struct schema_key *k, const struct node *n)
{
	if (n->kind == NODE_BAD)
		return NULL;
	if (n->kind != NODE_SCALAR) {
		load_error(
		    l, n, "%s: a single value is expected, not %s", k->key, node_kind_text(n));
		return NULL;
	}
	if (node_empty(n)) {
		load_error(l, n, "%s: a value is missing", k->key);
		return NULL;
	}
	return n->text;
}

static bool
read_bool(struct load *l, const struct schema_key *k, const struct node *n, bool *out)
{
	const char *text = value_scalar(l, k, n);
	char show[SHOW_MAX];

	if (text == NULL)
		return false;
	if (parse_bool(text, out))
		return true;
	load_error(l, n, "%s: %s is neither yes nor no", k->key, fault_show(text, show));
	return false;
}

static bool
read_number(struct load *l, const struct schema_key *k, const struct node *n, uint64_t *out)
{
	const char *text = value_scalar(l, k, n);
	char show[SHOW_MAX];
	uint64_t v;

	if (text == NULL)
		return false;
	if (!parse_u64(text, &v)) {
		/* So long a text may be a secret in the wrong place. */
		load_error(l, n, "%s: %s is not a whole number", k->key,
		    strlen(text) < NUMBER_SHOWN ? fault_show(text, show) : "what stands here");
		return false;
	}
	if (v < k->min || v > k->max) {
		load_error(l, n, "%s: %" PRIu64 " is not between %" PRIu64 " and %" PRIu64, k->key,
		    v, k->min, k->max);
		return false;
	}
	*out = v;
	return true;
}

static bool
read_count(struct load *l, const struct schema_key *k, const struct node *n, uint32_t *out)
{
	uint64_t v;

	if (!read_number(l, k, n, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
read_size(struct load *l, const struct schema_key *k, const struct node *n, uint64_t *out)
{
	const char *text = value_scalar(l, k, n);
	char low[PARSE_TEXT_MAX], high[PARSE_TEXT_MAX], show[SHOW_MAX];
	uint64_t v;

	if (text == NULL)
		return false;
	if (!parse_size(text, &v)) {
		load_error(l, n, "%s: %s is not a size (such as 512MiB or 2GiB)", k->key,
		    fault_show(text, show));
		return false;
	}
	if (v < k->min || v > k->max) {
		load_error(l, n, "%s: %s is not between %s and %s", k->key, fault_show(text, show),
		    size_text(k->min, low), size_text(k->max, high));
		return false;
	}
	*out = v;
	return true;
}

static bool
read_time(struct load *l, const struct schema_key *k, const struct node *n, const char *text,
    int64_t *out)
{
	char low[PARSE_TEXT_MAX], high[PARSE_TEXT_MAX], show[SHOW_MAX];
	int64_t v;

	if (!parse_duration(text, &v)) {
		load_error(l, n, "%s: %s is not a duration (such as 90s, 1h30m or 4w)", k->key,
		    fault_show(text, show));
		return false;
	}
	if (v < (int64_t)k->min || v > (int64_t)k->max) {
		load_error(l, n, "%s: %s is not between %s and %s", k->key, fault_show(text, show),
		    duration_text((int64_t)k->min, low), duration_text((int64_t)k->max, high));
		return false;
	}
	*out = v;
	return true;
}

static bool
read_duration(struct load *l, const struct schema_key *k, const struct node *n, int64_t *out)
{
	const char *text = value_scalar(l, k, n);

	return text != NULL && read_time(l, k, n, text, out);
}

/* "300s..4w"; one duration is both ends. */
static bool
read_range(struct load *l, const struct schema_key *k, const struct node *n, int64_t out[2])
{
	const char *text = value_scalar(l, k, n), *dots;
	char first[PARSE_TEXT_MAX], show[SHOW_MAX];
	int64_t low, high;

	if (text == NULL)
		return false;
	dots = strstr(text, "..");
	if (dots == NULL) {
		if (!read_time(l, k, n, text, &low))
			return false;
		out[0] = out[1] = low;
		return true;
	}
	if (dots == text || dots[2] == '\0' || (size_t)(dots - text) >= sizeof(first)) {
		load_error(l, n, "%s: %s is not a range (such as 300s..4w)", k->key,
		    fault_show(text, show));
		return false;
	}
	memcpy(first, text, (size_t)(dots - text));
	first[dots - text] = '\0';
	if (!read_time(l, k, n, first, &low) || !read_time(l, k, n, dots + 2, &high))
		return false;
	if (low > high) {
		load_error(l, n, "%s: %s begins above its end", k->key, fault_show(text, show));
		return false;
	}
	out[0] = low;
	out[1] = high;
	return true;
}

static bool
read_choice(struct load *l, const struct schema_key *k, const struct node *n, int *out)
{
	const char *text = value_scalar(l, k, n);
	struct buf words = BUF_INIT;
	char show[SHOW_MAX];

	if (text == NULL)
		return false;
	for (int i = 0; k->choice[i] != NULL; i++) {
		if (strcmp(text, k->choice[i]) == 0) {
			*out = i;
			buf_clear(&words);
			return true;
		}
		buf_fmt(&words, "%s%s",
		    i == 0		       ? ""
		    : k->choice[i + 1] != NULL ? ", "
					       : " or ",
		    k->choice[i]);
	}
	load_error(
	    l, n, "%s: %s is not one of %s", k->key, fault_show(text, show), buf_cstr(&words));
	buf_clear(&words);
	return false;
}

long
value_items(struct load *l, const struct schema_key *k, const struct node *n)
{
	if (n->kind == NODE_LIST)
		return (long)n->count;
	if (n->kind == NODE_MAP) {
		load_error(l, n, "%s: one value or a list is expected, not a map", k->key);
		return -1;
	}
	return value_scalar(l, k, n) != NULL ? 1 : -1;
}

/* The usual slips: the port in another program's form, and a host name. */
static const char *
addr_hint(const char *text)
{
	const char *at = strrchr(text, '@'), *colon = strchr(text, ':');
	char ip[ADDR_TEXT_MAX];
	struct zr_addr addr;

	if (at != NULL && (size_t)(at - text) < sizeof(ip)) {
		memcpy(ip, text, (size_t)(at - text));
		ip[at - text] = '\0';
		if (addr_parse_ip(ip, &addr))
			return ": the port must be between 1 and 65535";
	}
	if (strpbrk(text, "#[") != NULL ||
	    (colon != NULL && colon == strrchr(text, ':') && strchr(text, '.') != NULL))
		return ": a port is written behind '@'";
	if (colon == NULL && text[strspn(text, "0123456789.@/")] != '\0')
		return ": host names are not looked up";
	return " (such as 192.0.2.1, 2001:db8::1 or 192.0.2.1@53)";
}

static bool
read_addrs(
    struct load *l, const struct schema_key *k, const struct node *n, struct config_addrs *out)
{
	long count = value_items(l, k, n);
	bool good = count >= 0;
	struct config_addrs a = {0};
	char show[SHOW_MAX];

	if (!good)
		return false;
	a.v = pool_array(l->arena, (size_t)count, sizeof(*a.v));
	for (const struct node *i = node_item(n, 0); i != NULL; i = i == n ? NULL : i->next) {
		const char *text = value_scalar(l, k, i);
		struct zr_addr addr;

		if (text == NULL) {
			good = false;
		} else if (!addr_parse(text, k->min != 0 ? (uint16_t)k->min : l->port, &addr)) {
			load_error(l, i, "%s: %s is not an IP address%s", k->key,
			    fault_show(text, show), addr_hint(text));
			good = false;
		} else {
			a.v[a.n++] = addr;
		}
	}
	*out = a;
	return good;
}

static bool
read_source(struct load *l, const struct schema_key *k, const struct node *n, struct zr_addr out[2])
{
	bool good = value_items(l, k, n) >= 0;
	char show[SHOW_MAX];

	if (!good)
		return false;
	for (const struct node *i = node_item(n, 0); i != NULL; i = i == n ? NULL : i->next) {
		const char *text = value_scalar(l, k, i);
		struct zr_addr addr;

		if (text == NULL) {
			good = false;
		} else if (!addr_parse_ip(text, &addr)) {
			load_error(l, i, "%s: %s is not an IP address%s", k->key,
			    fault_show(text, show),
			    strchr(text, '@') != NULL ? ": a source has no port" : "");
			good = false;
		} else if (out[addr.family == 6].family != 0) {
			load_error(l, i, "%s: a second IPv%u address", k->key, addr.family);
			good = false;
		} else {
			out[addr.family == 6] = addr;
		}
	}
	return good;
}

static bool
read_prefix(struct load *l, const struct schema_key *k, const struct node *n, struct zr_prefix *out)
{
	const char *text = value_scalar(l, k, n), *slash, *why = "";
	char show[SHOW_MAX], ip[ADDR_TEXT_MAX];
	struct zr_addr addr;

	if (text == NULL)
		return false;
	if (prefix_parse(text, out))
		return true;
	slash = strchr(text, '/');
	if (slash != NULL && (size_t)(slash - text) < sizeof(ip)) {
		uint64_t bits;

		memcpy(ip, text, (size_t)(slash - text));
		ip[slash - text] = '\0';
		if (addr_parse_ip(ip, &addr) && parse_u64(slash + 1, &bits))
			why = bits > (addr.family == 4 ? 32 : 128)
				  ? ": the prefix is longer than the address"
				  : ": the address has bits behind the prefix";
	} else if (strchr(text, '@') != NULL) {
		why = ": a prefix has no port";
	}
	load_error(l, n, "%s: %s is not a prefix%s", k->key, fault_show(text, show),
	    why[0] != '\0' ? why : " (such as 192.0.2.0/28 or 2001:db8::/32)");
	return false;
}

static bool
read_prefixes(
    struct load *l, const struct schema_key *k, const struct node *n, struct config_prefixes *out)
{
	long count = value_items(l, k, n);
	struct config_prefixes p = {0};
	bool good = count >= 0;

	if (!good)
		return false;
	p.v = pool_array(l->arena, (size_t)count, sizeof(*p.v));
	for (const struct node *i = node_item(n, 0); i != NULL; i = i == n ? NULL : i->next) {
		if (read_prefix(l, k, i, &p.v[p.n]))
			p.n++;
		else
			good = false;
	}
	*out = p;
	return good;
}

bool
value_path_ok(struct load *l, const char *key, const struct node *n)
{
	if (n->text[0] == '\0') {
		load_error(l, n, "%s: a path is missing", key);
		return false;
	}
	for (const char *p = n->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			load_error(l, n, "%s: a control character in a path", key);
			return false;
		}
	return true;
}

bool
value_path(struct load *l, const struct schema_key *k, const struct node *n, char **out)
{
	const char *text = value_scalar(l, k, n);
	struct buf path = BUF_INIT;

	if (text == NULL)
		return false;
	if (!value_path_ok(l, k->key, n))
		return false;
	if (text[0] != '/')
		buf_fmt(&path, "%s%s", l->dir, strcmp(l->dir, "/") == 0 ? "" : "/");
	buf_str(&path, text);
	*out = pool_str(l->arena, buf_cstr(&path));
	buf_clear(&path);
	return true;
}

/* Kept as it is; only its form is looked at. */
static bool
read_node(struct load *l, const struct schema_key *k, const struct node *n, const struct node **out)
{
	enum node_kind want = k->type == VALUE_MAP ? NODE_MAP : NODE_LIST;

	switch (k->type) {
	case VALUE_NAME:
		if (value_scalar(l, k, n) == NULL)
			return false;
		break;
	case VALUE_NAMES:
		if (n->kind == NODE_MAP) {
			load_error(l, n, "%s: a list of names is expected, not a map", k->key);
			return false;
		}
		if (n->kind == NODE_SCALAR && value_scalar(l, k, n) == NULL)
			return false;
		break;
	default:
		if (node_empty(n))
			return true;
		if (n->kind == want)
			break;
		if (n->kind != NODE_BAD)
			load_error(l, n, "%s must be a %s, not %s", k->key,
			    want == NODE_MAP ? "map (key: value)" : "list", node_kind_text(n));
		return false;
	}
	*out = n;
	return n->kind != NODE_BAD;
}

/* Whether there is such a user is a matter of the machine, and of the start. */
static bool
read_user(struct load *l, const struct schema_key *k, const struct node *n, char **out)
{
	static const char octets[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$";
	const char *text = value_scalar(l, k, n), *group;
	char show[SHOW_MAX];
	size_t len;

	if (text == NULL)
		return false;
	len = strspn(text, octets);
	group = text[len] == ':' ? text + len + 1 : "-";
	if (len == 0 || text[0] == '-' || group[0] == '\0' ||
	    (text[len] != '\0' && text[len] != ':') || group[strspn(group, octets)] != '\0') {
		load_error(l, n, "%s: %s is neither a user nor user:group", k->key,
		    fault_show(text, show));
		return false;
	}
	*out = pool_str(l->arena, text);
	return true;
}

bool
value_read(struct load *l, const struct schema_key *k, const struct node *n, void *at)
{
	switch (k->type) {
	case VALUE_BOOL:
		return read_bool(l, k, n, at);
	case VALUE_COUNT:
		return read_count(l, k, n, at);
	case VALUE_NUMBER:
		return read_number(l, k, n, at);
	case VALUE_SIZE:
		return read_size(l, k, n, at);
	case VALUE_DURATION:
		return read_duration(l, k, n, at);
	case VALUE_RANGE:
		return read_range(l, k, n, at);
	case VALUE_CHOICE:
		return read_choice(l, k, n, at);
	case VALUE_ADDRS:
		return read_addrs(l, k, n, at);
	case VALUE_SOURCE:
		return read_source(l, k, n, at);
	case VALUE_PREFIXES:
		return read_prefixes(l, k, n, at);
	case VALUE_ARGV:
		return argv_read(l, k, n, at);
	case VALUE_PATH:
		return value_path(l, k, n, at);
	case VALUE_USER:
		return read_user(l, k, n, at);
	case VALUE_CA:
		return trust_read_ca(l, k, n, at);
	case VALUE_HOST:
		return trust_read_host(l, k, n, at);
	case VALUE_PINS:
		return trust_read_pins(l, k, n, at);
	case VALUE_KEY:
		return key_read(l, k, n, at);
	case VALUE_SUB:
		return trust_read_map(l, k, n, at);
	case VALUE_NAMES:
	case VALUE_NAME:
	case VALUE_MAP:
	case VALUE_MAPS:
		return read_node(l, k, n, at);
	}
	return false;
}
