/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fixtures/config: every bad/X.yaml reports exactly the lines of bad/X.expect; every
 * good/X.yaml loads, warns as good/X.expect says (nothing when there is none), and prints as
 * good/X.print, which loads again and prints the same.  The samples in conf/ load without a word.
 */
#include "catch.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#define BAD_MIN 63 /* so that an empty folder is no success */
#define GOOD_MIN 10
#define SAMPLES 6

static void
enter(const char *folder)
{
	const char *src = getenv("srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", src != NULL ? src : ".", folder);
	if (chdir(path) != 0)
		fail_msg("%s: %s", path, strerror(errno));
}

/* Beside X.yaml: "X.expect".  "" when the file is not there. */
static char *
beside(const char *yaml, const char *ending)
{
	char path[512], *text;

	snprintf(path, sizeof(path), "%.*s.%s", (int)(strlen(yaml) - 5), yaml, ending);
	text = file_text(path);
	return text != NULL ? text : strdup("");
}

static void
check_bad(const char *yaml)
{
	char *want = beside(yaml, "expect");
	struct caught caught;
	struct config *c = catch_load(&caught, yaml);

	if (want[0] == '\0')
		fail_msg("%s has no .expect", yaml);
	if (c != NULL)
		fail_msg("%s was accepted", yaml);
	if (strcmp(buf_cstr(&caught.text), want) != 0)
		fail_msg("%s reports\n%sand not\n%s", yaml, buf_cstr(&caught.text), want);
	buf_clear(&caught.text);
	free(want);
}

static void
check_print(const char *yaml, const struct config *c)
{
	char *want = beside(yaml, "print"), *first = printed(c), *second;
	struct caught caught;
	struct config *again;

	/* An empty file prints paths which configure chose. */
	if (strcmp(yaml, "nothing.yaml") != 0 && strcmp(first, want) != 0)
		fail_msg("%s prints\n%sand not\n%s", yaml, first, want);
	again = catch_text(&caught, first);
	if (again == NULL)
		fail_msg("%s: what was printed is refused: %s", yaml, buf_cstr(&caught.text));
	second = printed(again);
	assert_string_equal(first, second);
	assert_int_equal(c->zone_count, again->zone_count);
	for (size_t i = 0; i < c->zone_count; i++)
		assert_true(config_policy_equal(c->zones[i].policy, again->zones[i].policy));
	config_free(again);
	buf_clear(&caught.text);
	free(want);
	free(first);
	free(second);
}

static void
check_good(const char *yaml)
{
	char *want = beside(yaml, "expect");
	struct caught caught;
	struct config *c = catch_load(&caught, yaml);

	if (c == NULL || strcmp(buf_cstr(&caught.text), want) != 0)
		fail_msg("%s reports\n%sand not\n%s", yaml, buf_cstr(&caught.text), want);
	assert_int_equal(caught.r.errors, 0);
	check_print(yaml, c);
	config_free(c);
	buf_clear(&caught.text);
	free(want);
}

static unsigned
each_file(void (*check)(const char *yaml))
{
	DIR *dir = opendir(".");
	const struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len <= 5 || strcmp(e->d_name + len - 5, ".yaml") != 0)
			continue;
		check(e->d_name);
		n++;
	}
	closedir(dir);
	return n;
}

static char top[4096];

static int
leave(void **state)
{
	(void)state;
	return chdir(top);
}

static void
test_bad(void **state)
{
	(void)state;
	enter("tests/fixtures/config/bad");
	assert_true(each_file(check_bad) >= BAD_MIN);
}

static void
test_good(void **state)
{
	(void)state;
	enter("tests/fixtures/config/good");
	assert_true(each_file(check_good) >= GOOD_MIN);
}

/* What is installed as an example has not even a warning. */
static void
check_sample(const char *yaml)
{
	struct caught caught;
	struct config *c = catch_load(&caught, yaml);

	if (c == NULL || caught.text.len != 0)
		fail_msg("%s reports\n%s", yaml, buf_cstr(&caught.text));
	assert_true(c->zone_count > 0);
	config_free(c);
	buf_clear(&caught.text);
}

static void
test_samples(void **state)
{
	(void)state;
	enter("conf");
	assert_int_equal(each_file(check_sample), SAMPLES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_bad, leave),
	    cmocka_unit_test_teardown(test_good, leave),
	    cmocka_unit_test_teardown(test_samples, leave),
	};

	if (getcwd(top, sizeof(top)) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
