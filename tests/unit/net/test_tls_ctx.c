/* SPDX-License-Identifier: BSD-2-Clause */
/* What contexts are made from, what is refused, and what the refusal says. */
#include "pump.h"

#include "tls_pair.h"

static void
refused(struct tls_ctx *t, const struct zr_err *e, const char *want)
{
	if (t != NULL)
		fail_msg("made, instead of \"%s\"", want);
	assert_int_equal(e->code, ZR_CONF);
	assert_says(e->text, want);
}

static void
client_refused(struct tls_client_spec s, const char *want)
{
	struct zr_err e = {0};

	refused(tls_client_new(&s, &e), &e, want);
}

static void
server_refused(const char *cert, const char *key, const char *ca, const char *want)
{
	struct tls_server_spec s = {cert != NULL ? pki_path(cert) : NULL,
	    key != NULL ? pki_path(key) : NULL, ca != NULL ? pki_path(ca) : NULL, false};
	struct zr_err e = {0};

	refused(tls_server_new(&s, &e), &e, want);
}

static void
test_pin_text(void **state)
{
	struct tls_pin pin, again;
	char text[TLS_PIN_TEXT], prefixed[TLS_PIN_TEXT + 8];

	(void)state;
	for (int i = 0; i < TLS_PIN_LEN; i++)
		pin.sha256[i] = (uint8_t)(i * 9 + 3);
	assert_int_equal(strlen(tls_pin_text(&pin, text)), 44);
	assert_true(tls_pin_parse(&again, text));
	assert_memory_equal(&pin, &again, sizeof(pin));
	snprintf(prefixed, sizeof(prefixed), "sha256/%s", text);
	assert_true(tls_pin_parse(&again, prefixed));
	assert_memory_equal(&pin, &again, sizeof(pin));
	assert_false(tls_pin_parse(&again, ""));
	assert_false(tls_pin_parse(&again, text + 1));
	assert_false(tls_pin_parse(&again, prefixed + 6));
	text[42]++; /* octets that no pin has: the last two bits */
	assert_false(tls_pin_parse(&again, text));
	memset(text, '=', 44);
	assert_false(tls_pin_parse(&again, text));
	memset(text, '*', 43);
	assert_false(tls_pin_parse(&again, text));
	memset(text, 'A', 44);
	assert_false(tls_pin_parse(&again, text)); /* 33 octets */
}

static void
test_trust_must_be_said(void **state)
{
	struct tls_pin pin = {{0}};
	char longest[300];

	(void)state;
	client_refused(
	    (struct tls_client_spec){.name = "a.example"}, "which server is the right one");
	client_refused((struct tls_client_spec){0}, "give a name and a CA, or pins");
	client_refused((struct tls_client_spec){.ca_file = pki_path("ca.pem")}, "give name");
	client_refused(
	    (struct tls_client_spec){.system_ca = true, .pins = &pin, .pin_count = 1}, "give name");
	client_refused(
	    (struct tls_client_spec){.name = "a", .system_ca = true, .ca_file = pki_path("ca.pem")},
	    "either");
	client_refused((struct tls_client_spec){.name = "a.example",
			   .ca_file = pki_path("ca.pem"),
			   .cert_file = pki_path("client.pem")},
	    "key is missing");
	client_refused((struct tls_client_spec){.name = "", .ca_file = pki_path("ca.pem")},
	    "cannot be the name");
	memset(longest, 'a', sizeof(longest));
	longest[299] = '\0';
	client_refused((struct tls_client_spec){.name = longest, .ca_file = pki_path("ca.pem")},
	    "cannot be the name");
}

static void
test_files(void **state)
{
	FILE *f;

	(void)state;
	server_refused(NULL, "server.key", NULL, "needs cert and key");
	server_refused("server.pem", NULL, NULL, "needs cert and key");
	server_refused("gone.pem", "server.key", NULL, "gone.pem cannot be read: No such file");
	server_refused("server.pem", "gone.key", NULL, "gone.key cannot be read: No such file");
	server_refused("", "server.key", NULL, "is not a file");
	server_refused("server.pem", "client.key", NULL, "does not belong to the certificate in");
	server_refused("server.key", "server.key", NULL, "holds no certificates in PEM form");
	server_refused("server.pem", "server.pem", NULL, "open to everybody");
	server_refused("server.pem", "server.key", "gone.pem", "ca: ");
	server_refused("server.pem", "server.key", "server.key", "ca: ");

	f = fopen(pki_path("broken.pem"), "w");
	assert_non_null(f);
	PEM_write_X509(f, pki_ca.x);
	fputs("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", f);
	fclose(f);
	server_refused(
	    "server.pem", "server.key", "broken.pem", "broken.pem holds no certificates");

	f = fopen(pki_path("locked.key"), "w");
	assert_non_null(f);
	PEM_write_PKCS8PrivateKey(
	    f, pki_ca.key, EVP_aes_128_cbc(), (char *)(uintptr_t) "secret", 6, NULL, NULL);
	fclose(f);
	chmod(pki_path("locked.key"), 0600);
	server_refused("ca.pem", "locked.key", NULL, "has a passphrase");
	f = fopen(pki_path("empty.key"), "w");
	fclose(f);
	chmod(pki_path("empty.key"), 0600);
	server_refused("server.pem", "empty.key", NULL, "holds no private key");
}

/* As files of TSIG secrets: the group may read, others may not. */
static void
test_key_mode(void **state)
{
	(void)state;
	chmod(pki_path("server.key"), 0604);
	server_refused("server.pem", "server.key", NULL, "(mode 604): chmod o= is needed");
	chmod(pki_path("server.key"), 0640);
	tls_drop(server_ctx("server", NULL, false));
	chmod(pki_path("server.key"), 0600);
}

static void
test_what_is_known(void **state)
{
	struct tls_ctx *t = server_ctx("chained", NULL, false);
	struct tls_pin pin = pki_pin_of("chained.pem");
	int64_t days = (tls_not_after(t).us - clock_now().wall.us) / ZR_US_PER_S / DAY;
	char text[TLS_PIN_TEXT];

	(void)state;
	assert_in_range(days, 59, 60); /* that of the sub CA, which ends before */
	assert_says(tls_text(t), "ns1.example.net, sha256/");
	assert_says(tls_text(t), tls_pin_text(&pin, text));
	assert_ptr_equal(tls_hold(t), t);
	tls_drop(t);
	tls_drop(t);
	assert_null(tls_hold(NULL));
	tls_drop(NULL);
	t = client_ctx("a.example", "ca.pem", NULL, NULL);
	assert_string_equal(tls_text(t), "");
	assert_int_equal(tls_not_after(t).us, 0);
	tls_drop(t);
}

static void
same(struct tls_ctx *a, struct tls_ctx *b, bool want)
{
	assert_int_equal(tls_same(a, b), want);
	assert_int_equal(tls_same(b, a), want);
	tls_drop(a);
	tls_drop(b);
}

static void
test_same(void **state)
{
	struct tls_pin pin = pki_pin_of("server.pem"), other = pki_pin_of("other.pem");

	(void)state;
	assert_true(tls_same(NULL, NULL));
	same(server_ctx("server", NULL, false), NULL, false);
	same(server_ctx("server", NULL, false), server_ctx("server", NULL, false), true);
	same(server_ctx("server", NULL, false), server_ctx("server", NULL, true), false);
	same(server_ctx("server", NULL, false), server_ctx("server", "ca.pem", false), false);
	same(server_ctx("server", NULL, false), server_ctx("chained", NULL, false), false);
	same(client_ctx("a", "ca.pem", NULL, NULL), client_ctx("a", "ca.pem", NULL, NULL), true);
	same(client_ctx("a", "ca.pem", NULL, NULL), client_ctx("b", "ca.pem", NULL, NULL), false);
	same(client_ctx("a", "ca.pem", NULL, NULL), client_ctx("a", "sub.pem", NULL, NULL), false);
	same(client_ctx("a", "ca.pem", NULL, NULL), client_ctx("a", "ca.pem", &pin, NULL), false);
	same(client_ctx("a", NULL, &other, NULL), client_ctx("a", NULL, &pin, NULL), false);
	same(client_ctx("a", NULL, &pin, NULL), client_ctx(NULL, NULL, &pin, NULL), false);
	/* The same octets in another place. */
	same(client_ctx("a", "client.pem", &pin, NULL), client_ctx("a", NULL, &pin, "client"),
	    false);
}

/* Long and strange names are cut and cleaned. */
static void
test_texts_are_clean(void **state)
{
	char san[2000] = "DNS:a\x1b[2J.example";
	struct tls_ctx *t;

	(void)state;
	for (int i = 0; i < 40; i++)
		snprintf(san + strlen(san), 40, ",DNS:host-%d.example.net", i);
	pki_leaf("odd", san, -DAY, DAY, &pki_ca);
	t = server_ctx("odd", NULL, false);
	assert_true(strlen(tls_text(t)) < TLS_TEXT_MAX);
	assert_says(tls_text(t), "a?[2J.example, host-0.example.net");
	assert_says(tls_text(t), "..., sha256/");
	tls_drop(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pin_text),
	    cmocka_unit_test(test_trust_must_be_said),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_key_mode),
	    cmocka_unit_test(test_what_is_known),
	    cmocka_unit_test(test_same),
	    cmocka_unit_test(test_texts_are_clean),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
