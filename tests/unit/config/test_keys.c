/* SPDX-License-Identifier: BSD-2-Clause */
/* TSIG keys: what is refused and warned of, whose they are, and that no secret gets out (TS-30). */
#include "catch.h"

#include "wire/name.h"

#include <sys/stat.h>
#include <unistd.h>

#define SECRET "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="
#define OTHER "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyMTI="
#define PEERS                                                                                      \
	"primaries: {p: {address: 192.0.2.1, key: RELAY}}\n"                                       \
	"downstreams: {d: {address: 192.0.2.2}}\nzones: {example.org: {}}\n"

static void
test_keys(void **state)
{
	struct caught caught;
	struct config *c =
	    catch_text(&caught, "keys: {Relay: {algorithm: HMAC-SHA512., secret: " SECRET
				", min-mac: 32},\n  b.example: {secret: " SECRET "}}\n"
				"primaries: {p: {address: 192.0.2.1, key: relay.}}\n"
				"downstreams: {d: {address: 192.0.2.2, key: B.example},\n"
				"  e: {address: 192.0.2.3, key: b.example, notify-key: none}}\n"
				"zones: {example.org: {}}\n");
	const struct config_primary *p = &c->primaries[0];
	uint8_t name[NAME_MAX_LEN];

	(void)state;
	assert_int_equal(caught.r.errors, 0);
	assert_int_equal(caught.r.warnings, 2); /* a short one, a shared one */
	buf_clear(&caught.text);
	assert_int_equal(c->key_count, 2);
	assert_string_equal(p->key->name, "relay");
	assert_int_equal(p->key->ref->key.alg, TSIG_HMAC_SHA512);
	assert_int_equal(p->key->ref->key.mac_min, 32);
	assert_null(p->notify_key);
	assert_ptr_equal(config_notify_key(p), p->key);
	assert_int_equal(c->keys[1].ref->key.alg, TSIG_HMAC_SHA256);
	assert_int_equal(c->keys[1].ref->key.mac_min, 32); /* a whole one */
	assert_ptr_equal(c->downstreams[0].key, &c->keys[1]);
	assert_ptr_equal(c->downstreams[0].notify_key, &c->keys[1]);
	assert_null(c->downstreams[1].notify_key);
	name_from_text("b.example.", name);
	assert_ptr_equal(config_key_find(c, name), &c->keys[1]);
	name_from_text("c.example.", name);
	assert_null(config_key_find(c, name));
	config_free(c);
}

/* A secret that is used on still lives. */
static void
test_hold(void **state)
{
	struct config *c = load_good("keys: {relay: {secret: " SECRET "}}\n" PEERS);
	struct keyref *r = keyref_hold(c->keys[0].ref);

	(void)state;
	config_free(c);
	assert_int_equal(r->key.secret_len, 32);
	keyref_drop(r);
}

static void
test_bad(void **state)
{
	(void)state;
	load_bad(
	    "keys: {relay: {}}\n" PEERS, "t.yaml:1:8: the key has no secret: give secret-file\n");
	load_bad("keys: {relay: {algorithm: hmac-md5, secret: " SECRET "}}\n" PEERS,
	    "t.yaml:1:27: algorithm: hmac-md5 is not safe, and not supported\n");
	load_bad("keys: {relay: {secret: \"" SECRET "!\"}}\n" PEERS,
	    "t.yaml:1:24: secret: the secret is not base64\n");
	load_bad("keys: {relay: {secret: \"(hidden)\"}}\n" PEERS,
	    "t.yaml:1:24: secret: (hidden) stands for one that was not printed\n");
	load_bad("keys: {relay: {algorithm: " SECRET ", secret: hmac-sha256}}\n" PEERS,
	    "t.yaml:1:27: algorithm: the algorithm is not one of hmac-sha1, hmac-sha224, "
	    "hmac-sha256, hmac-sha384 and hmac-sha512\n"
	    "t.yaml:1:81: secret: the secret is not base64\n");
	load_bad("keys: {relay: " SECRET "}\n" PEERS,
	    "t.yaml:1:15: a key must be a map (key: value), not a single value\n");
	load_bad("keys: {relay: {secret: " SECRET ", secret-file: /x}}\n" PEERS,
	    "t.yaml:1:16: either secret or secret-file, not both\n");
	load_bad("keys: {relay: {secret: " SECRET ", min-mac: 33}}\n" PEERS,
	    "t.yaml:1:79: min-mac: hmac-sha256 makes 32 octets only\n");
	load_bad("keys: {relay: {secret: " SECRET "}, RELAY.: {secret: " SECRET "}}\n" PEERS,
	    "t.yaml:1:71: duplicate key 'relay'\n");
	load_bad("keys: {relai: {secret: " SECRET "}}\n" PEERS,
	    "warning: t.yaml:1:7: the key 'relai' is used by no primary, downstream or template\n"
	    "t.yaml:2:42: key: unknown key 'RELAY': did you mean 'relai'?\n");
}

static void
check_warning(const char *yaml, const char *lines)
{
	struct caught caught;
	struct config *c = catch_text(&caught, yaml);

	assert_non_null(c);
	assert_string_equal(buf_cstr(&caught.text), lines);
	buf_clear(&caught.text);
	config_free(c);
}

static void
test_warnings(void **state)
{
	(void)state;
	check_warning("keys: {relay: {algorithm: hmac-sha1, secret: " SECRET "}}\n" PEERS,
	    "warning: t.yaml:1:27: algorithm: hmac-sha1 is for peers that know no other (RFC 8945 "
	    "section 6)\n");
	check_warning("keys: {relay: {secret: c2hvcnQ=}}\n" PEERS,
	    "warning: t.yaml:1:24: secret: only 5 octets: hmac-sha256 deserves 32 (RFC 8945 "
	    "section "
	    "8)\n");
	check_warning(
	    "keys: {relay: {secret: " SECRET "}}\n"
	    "primaries: {p: {address: 192.0.2.1, key: relay, notify-key: relay}}\n"
	    "downstreams: {d: {address: 192.0.2.2, key: relay}}\nzones: {a.example: {}}\n",
	    "warning: t.yaml:3:44: the key 'relay' is that of the primary 'p' as well: each pair "
	    "of "
	    "servers should have its own (RFC 8945 section 8)\n");
	check_warning("keys: {relay: {secret: " SECRET "}}\n"
		      "primaries: {p: {address: 192.0.2.1}}\nzones: {a.example: {}}\n",
	    "warning: t.yaml:1:7: the key 'relay' is used by no primary, downstream or template\n");
}

static void
test_equal(void **state)
{
	struct config *a = load_good("keys: {relay: {secret: " SECRET "}}\n" PEERS);
	struct config *b = load_good("keys: {relay: {secret: " OTHER "}}\n" PEERS);
	struct config *n =
	    load_good("primaries: {p: {address: 192.0.2.1}}\n"
		      "downstreams: {d: {address: 192.0.2.2}}\nzones: {example.org: {}}\n");
	struct config *again = load_good("keys: {Relay.: {secret: " SECRET "}}\n" PEERS);

	(void)state;
	assert_true(config_primary_equal(&a->primaries[0], &again->primaries[0]));
	assert_false(config_primary_equal(&a->primaries[0], &b->primaries[0]));
	assert_false(config_primary_equal(&a->primaries[0], &n->primaries[0]));
	assert_true(config_downstream_equal(&a->downstreams[0], &b->downstreams[0]));
	b->downstreams[0].key = &b->keys[0];
	assert_false(config_downstream_equal(&a->downstreams[0], &b->downstreams[0]));
	config_free(a);
	config_free(b);
	config_free(n);
	config_free(again);
}

static void
test_print(void **state)
{
	struct config *c = load_good("keys: {relay: {secret: " SECRET "}}\n" PEERS);
	struct caught caught;
	char *text = printed(c);

	(void)state;
	assert_non_null(
	    strstr(text, "keys:\n  relay:\n    algorithm: hmac-sha256\n    secret: \"(hidden)\"\n"
			 "    min-mac: 0\n"));
	assert_non_null(strstr(text, "    key: relay\n    notify-key: none\n"));
	assert_null(strstr(text, "c2Vj"));
	assert_null(catch_text(&caught, text));
	assert_non_null(strstr(buf_cstr(&caught.text), "stands for one that was not printed"));
	buf_clear(&caught.text);
	free(text);
	config_free(c);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void
check_file(const char *text, mode_t mode, const char *want)
{
	char dir[] = "/tmp/zrkeys.XXXXXX", path[64], yaml[512];
	struct caught caught;
	struct config *c;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/k", dir);
	write_file(path, text, mode);
	snprintf(yaml, sizeof(yaml), "keys: {relay: {secret-file: %s}}\n" PEERS, path);
	c = catch_text(&caught, yaml);
	if (want == NULL) {
		char *print = printed(c);

		assert_string_equal(buf_cstr(&caught.text), "");
		assert_int_equal(c->keys[0].ref->key.secret_len, 32);
		assert_non_null(strstr(print, path));
		config_free(load_good(print));
		free(print);
	} else {
		assert_null(c);
		assert_non_null(strstr(buf_cstr(&caught.text), want));
		assert_null(strstr(buf_cstr(&caught.text), "c2Vj"));
	}
	config_free(c);
	buf_clear(&caught.text);
	unlink(path);
	rmdir(dir);
}

static void
test_file(void **state)
{
	(void)state;
	check_file(SECRET "\n", 0600, NULL);
	check_file("\n  " SECRET "\r\n\n", 0440, NULL);
	check_file(SECRET, 0644, "(mode 644): chmod o= is needed");
	check_file(SECRET " " SECRET, 0600, "secret-file: the secret is not base64");
	check_file("", 0600, "secret-file: the secret is empty");
	load_bad("keys: {relay: {secret-file: /nonexistent/k}}\n" PEERS,
	    "t.yaml:1:29: secret-file: '/nonexistent/k' cannot be read: No such file or "
	    "directory\n");
	load_bad("keys: {relay: {secret-file: /dev/null}}\n" PEERS,
	    "t.yaml:1:29: secret-file: '/dev/null' is not a file\n");
}

/* A secret in a configuration that everybody can read. */
static void
test_inline_mode(void **state)
{
	char path[] = "/tmp/zrkeys.XXXXXX";
	struct caught caught;
	struct config *c;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "keys: {relay: {secret: " SECRET "}}\n" PEERS, 0604);
	assert_null(catch_load(&caught, path));
	assert_non_null(strstr(buf_cstr(&caught.text), "this file is open to everybody"));
	buf_clear(&caught.text);
	assert_int_equal(chmod(path, 0640), 0);
	c = catch_load(&caught, path);
	assert_non_null(c);
	config_free(c);
	buf_clear(&caught.text);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_hold),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_warnings),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_inline_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
