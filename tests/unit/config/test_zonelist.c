/* SPDX-License-Identifier: BSD-2-Clause */
#include "catch.h"

#include "wire/name.h"

#include <time.h>
#include <unistd.h>

#define MANY 100000

static char list_path[] = "/tmp/zonerelay-list-XXXXXX";

static void
write_list(const char *text, size_t len)
{
	FILE *f = fopen(list_path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static struct config *
load_list(struct caught *caught, const char *text, size_t len)
{
	char yaml[256];

	write_list(text, len);
	snprintf(yaml, sizeof(yaml),
	    "primaries: {a: {address: 192.0.2.1}}\nzone-lists: [{file: %s}]\n", list_path);
	return catch_text(caught, yaml);
}

/* The names in the order of the file's lines, or NULL when nothing may be reported. */
static void
names_are(const char *text, size_t len, const char *want)
{
	struct buf got = BUF_INIT;
	struct caught caught;
	struct config *c = load_list(&caught, text, len);
	char name[NAME_TEXT_MAX];

	if (c == NULL)
		fail_msg("refused: %s", buf_cstr(&caught.text));
	for (uint32_t line = 1; line < 50; line++)
		for (size_t i = 0; i < c->zone_count; i++)
			if (c->zones[i].line == line)
				buf_fmt(&got, "%u:%u %s\n", line, c->zones[i].col,
				    name_show(c->zones[i].name, name));
	assert_string_equal(buf_cstr(&got), want);
	buf_clear(&got);
	buf_clear(&caught.text);
	config_free(c);
}

#define NAMES(text, want) names_are((text), sizeof(text) - 1, (want))

static void
test_forms(void **state)
{
	(void)state;
	NAMES("a.example\nb.example\n", "1:1 a.example\n2:1 b.example\n");
	NAMES("a.example", "1:1 a.example\n");
	NAMES("a.example\r\nb.example\r\n\r\n", "1:1 a.example\n2:1 b.example\n");
	NAMES("\xef\xbb\xbf"
	      "A.Example.\n",
	    "1:1 a.example\n");
	NAMES("# all\n\n  \t\n\t b.example \t# why\n#c\nd.example#\n",
	    "4:3 b.example\n6:1 d.example#\n");
	NAMES(".\n\\065.example\n", "1:1 .\n2:1 a.example\n");
	NAMES("", "");
	NAMES("\n\n#", "");
}

static void
test_long_line_is_one_fault(void **state)
{
	size_t len = 1 << 20;
	char *text = malloc(len), want[128];
	struct caught caught;

	(void)state;
	memset(text, 'x', len);
	memcpy(text + len - 11, "\nok.example", 11);
	assert_null(load_list(&caught, text, len));
	snprintf(want, sizeof(want), "%s:1:1: %zu octets are too long for a domain name\n",
	    list_path, len - 11);
	assert_string_equal(buf_cstr(&caught.text), want);
	buf_clear(&caught.text);
	free(text);
}

static char *
many_names(size_t *len, const char *tail)
{
	char *text = malloc((size_t)MANY * 40);
	size_t at = 0;

	for (unsigned i = 0; i < MANY; i++) /* 7919 is prime: not in order */
		at += (size_t)sprintf(
		    text + at, "zone%06u%s\n", (unsigned)((uint64_t)i * 7919 % MANY), tail);
	*len = at;
	return text;
}

/* 60 ms in an optimised build; the limit here leaves room for sanitizers and busy machines. */
static void
test_many_names(void **state)
{
	clock_t begin;
	struct caught caught;
	struct config *c;
	double seconds;
	size_t len;
	char *text = many_names(&len, ".customers.example\r");

	(void)state;
	begin = clock();
	c = load_list(&caught, text, len);
	seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
	assert_non_null(c);
	assert_int_equal(c->zone_count, MANY);
	if (seconds > 3)
		fail_msg("%.1f s for %d names", seconds, MANY);
	for (size_t i = 0; i < c->zone_count; i++) {
		assert_ptr_equal(config_zone_find(c, c->zones[i].name), &c->zones[i]);
		assert_ptr_equal(c->zones[i].policy, c->zones[0].policy);
	}
	/* As a fleet has 100,000 of them. */
	assert_true(sizeof(struct config_zone) <= 32);
	config_free(c);
	buf_clear(&caught.text);
	free(text);
}

static void
test_many_faults_are_capped(void **state)
{
	struct caught caught;
	size_t len, lines = 0;
	char *text = many_names(&len, "..example"), last[128];

	(void)state;
	assert_null(load_list(&caught, text, len));
	assert_int_equal(caught.r.errors, MANY);
	for (const char *p = buf_cstr(&caught.text); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, FAULTS_SHOWN + 1);
	snprintf(last, sizeof(last), "%s:51:12: %d more errors are not shown\n", list_path,
	    MANY - FAULTS_SHOWN);
	assert_non_null(strstr(buf_cstr(&caught.text), last));
	buf_clear(&caught.text);
	free(text);
}

/* What a hostile or mistaken file may hold: no crash, and a fault with a position. */
static void
test_binary(void **state)
{
	char text[4096];
	struct caught caught;
	struct config *c;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 37 + i / 256);
	c = load_list(&caught, text, sizeof(text));
	assert_null(c);
	assert_true(caught.r.errors > 10);
	buf_clear(&caught.text);
}

static int
make_list(void **state)
{
	int fd = mkstemp(list_path);

	(void)state;
	return fd >= 0 ? close(fd) : -1;
}

static int
drop_list(void **state)
{
	(void)state;
	return unlink(list_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_long_line_is_one_fault),
	    cmocka_unit_test(test_many_names),
	    cmocka_unit_test(test_many_faults_are_capped),
	    cmocka_unit_test(test_binary),
	};

	return cmocka_run_group_tests(tests, make_list, drop_list);
}
