/* SPDX-License-Identifier: BSD-2-Clause */
#include "cage/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "tests/unit/cage/apart.h"

static struct priv_user u;
static struct zr_err e;

static void
found(void **state)
{
	(void)state;
	assert_int_equal(priv_find(&u, "daemon", &e), 0);
	assert_string_equal(u.name, "daemon");
	assert_true(u.uid != 0 && u.gid != 0 && u.group_count >= 1);
	assert_int_equal(priv_find(&u, "daemon:nogroup", &e), 0);
	assert_string_equal(u.group, "nogroup");
	assert_int_equal(u.gid, getgrnam("nogroup")->gr_gid);
	assert_int_equal(priv_find(&u, "54321:54322", &e), 0);
	assert_true(u.uid == 54321 && u.gid == 54322 && u.group_count == 1 && u.groups[0] == 54322);
}

static void
not_found(void **state)
{
	static const char *const texts[][2] = {{"no-such-user", "there is no user"},
	    {"daemon:no-such-group", "there is no group"}, {"54321", "54321:GROUP"},
	    {"root", "superuser"}, {"0:1", "superuser"}, {"daemon:root", "superuser"},
	    {"99999999999:1", "there is no user"}, {"", "there is no user"}};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(priv_find(&u, texts[i][0], &e), -1);
		if (strstr(e.text, texts[i][1]) == NULL)
			fail_msg("%s: %s", texts[i][0], e.text);
	}
}

/* Of /proc/self/status, as a number. */
static unsigned long long
status_of(const char *key)
{
	unsigned long long v = ~0ULL;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			v = strtoull(line + strlen(key) + 1, NULL, 16);
	if (f != NULL)
		fclose(f);
	return v;
}

#define SETPCAP (1ULL << 8)
#define BIND_ONLY (1ULL << 10)
#define NET_ADMIN (1ULL << 12)

static int
become(void *arg)
{
	bool had = priv_may_bind();

	(void)arg;
	if (priv_find(&u, "54321:54322", &e) != 0 || priv_become(&u, &e) != 0)
		return 1;
	if (getuid() != 54321 || getegid() != 54322 || setuid(0) == 0 || getgroups(0, NULL) != 1)
		return 2;
	if (priv_may_bind() != had ||
	    (status_of("CapEff") & ~(BIND_ONLY | NET_ADMIN | SETPCAP)) != 0)
		return 3;
	if (priv_shed(false, false, &e) != 0 || (status_of("CapPrm") & ~BIND_ONLY) != 0 ||
	    status_of("NoNewPrivs") != 1)
		return 4;
	if (priv_shed(true, false, &e) != 0 || status_of("CapPrm") != 0 ||
	    status_of("CapEff") != 0 || status_of("CapInh") != 0 || status_of("CapAmb") != 0 ||
	    (status_of("CapBnd") & ~BIND_ONLY) != 0)
		return 5;
	return 0;
}

static void
for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(apart(become, NULL), 0);
}

/* The helper: no capability, but its programs may be of other users. */
static int
shed_for_programs(void *arg)
{
	(void)arg;
	if (priv_find(&u, "54321:54322", &e) != 0 || priv_become(&u, &e) != 0)
		return 1;
	return priv_shed(true, true, &e) != 0 || status_of("CapPrm") != 0 ||
	       status_of("NoNewPrivs") != 0;
}

static void
programs(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(apart(shed_for_programs, NULL), 0);
}

static int
hide(void *arg)
{
	(void)arg;
	if (priv_memory(true, &e) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 1;
	return priv_memory(false, &e) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
}

static void
no_core(void **state)
{
	(void)state;
	assert_int_equal(apart(hide, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(found),
	    cmocka_unit_test(not_found),
	    cmocka_unit_test(for_good),
	    cmocka_unit_test(programs),
	    cmocka_unit_test(no_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
