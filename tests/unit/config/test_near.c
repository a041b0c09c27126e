/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Candidates end with NULL; want NULL: nothing is offered. */
static void
offers(const char *word, const char *const *candidates, const char *want)
{
	char text[NEAR_TEXT_MAX], line[NEAR_TEXT_MAX] = "";
	struct near n;

	near_init(&n, word);
	for (; *candidates != NULL; candidates++)
		near_try(&n, *candidates);
	if (want != NULL) {
		strcpy(line, ": did you mean '");
		strcat(line, want);
		strcat(line, "'?");
	}
	assert_string_equal(near_text(&n, text), line);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
test_one_step(void **state)
{
	(void)state;
	offers("adress", LIST("address", "source"), "address");	  /* left out */
	offers("addresss", LIST("address", "source"), "address"); /* too many */
	offers("addrass", LIST("address", "source"), "address");  /* changed */
	offers("adrdess", LIST("address", "source"), "address");  /* swapped */
	offers("zone", LIST("zones", "zone-lists"), "zones");
}

static void
test_far_is_not_offered(void **state)
{
	(void)state;
	offers("frobnicate", LIST("address", "source", "refresh"), NULL);
	offers("x", LIST("a"), NULL);
	offers("", LIST("a", "to"), NULL);
	offers("ab", LIST("cd"), NULL);
}

static void
test_ties_are_not_offered(void **state)
{
	(void)state;
	offers("bind3", LIST("bind1", "bind2"), NULL);
	offers("bind12", LIST("bind1", "bind2", "bind13"), NULL);
	offers("bund1", LIST("bind1", "bind2"), "bind1");
	/* A closer one behind two equal ones wins. */
	offers("abcdef", LIST("abcdxx", "abxxef", "abcdeg"), "abcdeg");
}

static void
test_long_words(void **state)
{
	char word[400];

	(void)state;
	memset(word, 'a', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	offers(word, LIST("a", "aaaaaaaaaa"), NULL);
	word[64] = '\0';
	offers(word, LIST("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_step),
	    cmocka_unit_test(test_far_is_not_offered),
	    cmocka_unit_test(test_ties_are_not_offered),
	    cmocka_unit_test(test_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
