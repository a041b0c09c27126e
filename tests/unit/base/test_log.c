/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stderr is replaced by a datagram socket: what one write(2) wrote is one datagram.
 * Cmocka writes its own report to stdout and stderr, so the swap lasts for one line.
 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

static int tap[2] = {-1, -1};
static int real_stderr = -1;
static char line[65536];

/* Instead of the C library's: what would have gone to the system log. */
static char sys_line[1024];
static int sys_priority;
static int sys_opened;

void __syslog_chk(int priority, int flag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

__attribute__((format(printf, 2, 0))) static void
keep(int priority, const char *fmt, va_list ap)
{
	sys_priority = priority;
	vsnprintf(sys_line, sizeof(sys_line), fmt, ap);
}

void
syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep(priority, fmt, ap);
	va_end(ap);
}

void
__syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	keep(priority, fmt, ap);
	va_end(ap);
}

void
openlog(const char *ident, int option, int facility)
{
	(void)option;
	sys_opened = strcmp(ident, "zonerelayd") == 0 && facility == LOG_DAEMON;
}

static void
tap_on(void)
{
	real_stderr = dup(STDERR_FILENO);
	dup2(tap[1], STDERR_FILENO);
}

static void
tap_off(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
}

/* The next line written, without its time; "" when there is none. */
static const char *
next_line(void)
{
	ssize_t n = recv(tap[0], line, sizeof(line) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return "";
	assert_int_equal(line[n - 1], '\n');
	line[n - 1] = '\0';
	assert_null(strchr(line, '\n'));
	return line;
}

static void
check_time(const char *text, const char *pattern)
{
	regex_t re;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("%s does not match %s", text, pattern);
	regfree(&re);
}

#define WHEN "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"
#define WHEN_LEN 24

static void
log_sample(const char *value)
{
	log_event(LOG_LVL_WARN, "sample", LS("zone", value), LS("gone", NULL),
	    LU("serial", UINT32_MAX), LI("delta", -7), LB("signed", true));
}

static const char *
sample(enum log_format format, const char *value)
{
	log_open(LOG_LVL_INFO, format, LOG_DEST_STDERR);
	tap_on();
	log_sample(value);
	tap_off();
	return next_line();
}

static void
test_text(void **state)
{
	const char *got = sample(LOG_FMT_TEXT, "example.org");

	(void)state;
	check_time(got, "^" WHEN " ");
	assert_string_equal(
	    got + WHEN_LEN, " warn sample zone=example.org serial=4294967295 delta=-7 signed=true");
	got = sample(LOG_FMT_TEXT, "");
	assert_non_null(strstr(got, " zone=\"\" "));
	got = sample(LOG_FMT_TEXT, "2001:db8::1@53/x+y-z_");
	assert_non_null(strstr(got, " zone=2001:db8::1@53/x+y-z_ "));
}

/* What a peer sends can neither forge a field or a line nor steer a terminal. */
static void
test_text_quotes(void **state)
{
	(void)state;
	assert_non_null(strstr(sample(LOG_FMT_TEXT, "a b"), " zone=\"a b\" "));
	assert_non_null(strstr(sample(LOG_FMT_TEXT, "a=b"), " zone=\"a=b\" "));
	assert_non_null(strstr(sample(LOG_FMT_TEXT, "a\"\\\nb"), " zone=\"a\\\"\\\\\\nb\" "));
	assert_non_null(
	    strstr(sample(LOG_FMT_TEXT, "\x1b[2J\x7f\xff"), " zone=\"\\x1b[2J\\x7f\\xff\" "));
}

static void
test_json(void **state)
{
	const char *got = sample(LOG_FMT_JSON, "a\"b\x80");

	(void)state;
	check_time(got, "^\\{\"time\":\"" WHEN "\",");
	assert_string_equal(got + strlen("{\"time\":\"\",") + WHEN_LEN,
	    "\"level\":\"warn\",\"event\":\"sample\",\"zone\":\"a\\\"b\\u0080\","
	    "\"serial\":4294967295,\"delta\":-7,\"signed\":true}");
}

static void
test_long_values_are_cut(void **state)
{
	char value[5000];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_in_range(strlen(sample(LOG_FMT_TEXT, value)), 1024, 1200);
	assert_non_null(strstr(line, "xxx... serial="));
	assert_in_range(strlen(sample(LOG_FMT_JSON, value)), 1024, 1200);
	assert_non_null(strstr(line, "xxx...\",\"serial\":"));
}

static void
test_levels(void **state)
{
	enum log_level level;

	(void)state;
	log_open(LOG_LVL_INFO, LOG_FMT_TEXT, LOG_DEST_STDERR);
	assert_false(log_enabled(LOG_LVL_DEBUG));
	assert_true(log_enabled(LOG_LVL_INFO));
	tap_on();
	log_event(LOG_LVL_DEBUG, "hidden", LU("n", 1));
	log_set_level(LOG_LVL_DEBUG);
	log_event(LOG_LVL_DEBUG, "shown", LU("n", 1));
	log_set_level(LOG_LVL_ERROR);
	log_event(LOG_LVL_WARN, "hidden", LU("n", 1));
	tap_off();
	assert_string_equal(next_line() + WHEN_LEN, " debug shown n=1");
	assert_string_equal(next_line(), "");
	assert_true(log_level_parse("debug", &level) && level == LOG_LVL_DEBUG);
	assert_true(log_level_parse("error", &level) && level == LOG_LVL_ERROR);
	assert_false(log_level_parse("Error", &level));
	assert_false(log_level_parse("", &level));
}

static void
test_syslog(void **state)
{
	(void)state;
	log_open(LOG_LVL_INFO, LOG_FMT_TEXT, LOG_DEST_SYSLOG);
	assert_true(sys_opened);
	log_sample("100%s");
	assert_int_equal(sys_priority, LOG_WARNING);
	assert_string_equal(
	    sys_line, "warn sample zone=\"100%s\" serial=4294967295 delta=-7 signed=true");
}

static void
test_errno_is_kept(void **state)
{
	(void)state;
	log_open(LOG_LVL_INFO, LOG_FMT_TEXT, LOG_DEST_STDERR);
	real_stderr = dup(STDERR_FILENO);
	close(STDERR_FILENO); /* so that write(2) fails with EBADF */
	errno = ENOENT;
	log_sample("x");
	assert_int_equal(errno, ENOENT);
	tap_off();
}

static void *
log_many(void *arg)
{
	for (unsigned i = 0; i < 50; i++)
		log_event(LOG_LVL_INFO, "many", LS("who", arg), LU("n", i));
	return NULL;
}

static void
test_threads_do_not_mix(void **state)
{
	char who[4][2000];
	pthread_t thread[4];
	int left = 200, size = 1 << 20;

	(void)state;
	setsockopt(tap[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	log_open(LOG_LVL_INFO, LOG_FMT_TEXT, LOG_DEST_STDERR);
	tap_on();
	for (int i = 0; i < 4; i++) {
		memset(who[i], 'a' + i, 900);
		who[i][900] = '\0';
		pthread_create(&thread[i], NULL, log_many, who[i]);
	}
	for (; left > 0; left--) {
		ssize_t n = recv(tap[0], line, sizeof(line), 0);
		const char *w = strstr(line, "who=") + 4;

		assert_true(n > 900 && line[n - 1] == '\n');
		assert_int_equal(strspn(w, (char[]){*w, '\0'}), 900);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	tap_off();
}

static unsigned armed;

static void *
log_once(void *arg)
{
	log_event(LOG_LVL_INFO, "other", LS("who", arg));
	return NULL;
}

static void
arm(void *arg)
{
	(void)arg;
	armed++;
}

static void
test_deferred(void **state)
{
	size_t all = 0;
	pthread_t other;
	char who[] = "x";
	ssize_t n;

	(void)state;
	log_open(LOG_LVL_INFO, LOG_FMT_TEXT, LOG_DEST_STDERR);
	tap_on();
	log_defer(arm, NULL);
	log_event(LOG_LVL_INFO, "one", LU("n", 1));
	log_event(LOG_LVL_INFO, "two", LU("n", 2));
	assert_int_equal(armed, 1);
	assert_string_equal(next_line(), "");
	log_flush();
	log_flush();
	n = recv(tap[0], line, sizeof(line) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line, " info one n=1\n"));
	assert_non_null(strstr(line, " info two n=2\n"));
	assert_string_equal(next_line(), "");

	/* A warning does not wait, nor does what came before it, nor another thread. */
	log_event(LOG_LVL_INFO, "before", LU("n", 3));
	assert_int_equal(armed, 2);
	log_event(LOG_LVL_WARN, "now", LU("n", 4));
	assert_non_null(strstr(next_line(), " info before n=3"));
	assert_non_null(strstr(next_line(), " warn now n=4"));
	pthread_create(&other, NULL, log_once, who);
	pthread_join(other, NULL);
	assert_non_null(strstr(next_line(), " info other who=x"));

	/* Not more than some are kept. */
	for (unsigned i = 0; i < 1000; i++) {
		log_event(
		    LOG_LVL_INFO, "long", LS("pad", "0123456789012345678901234567890123456789"));
		while ((n = recv(tap[0], line, sizeof(line), MSG_DONTWAIT)) > 0)
			all += (size_t)n;
	}
	assert_true(all > 50000);
	log_defer(NULL, NULL);
	while ((n = recv(tap[0], line, sizeof(line), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	assert_int_equal(all % 1000, 0); /* each of them is there, all as long as the others */
	log_event(LOG_LVL_INFO, "direct", LU("n", 5));
	assert_non_null(strstr(next_line(), " info direct n=5"));
	tap_off();
}

static void
test_limit(void **state)
{
	struct log_limit l = {.interval_us = 1000, .burst = 3};
	uint64_t left_out = 0;
	int64_t now = 5; /* soon after the start of the clock */

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(log_limit_pass(&l, now, &left_out));
	for (int i = 0; i < 10; i++)
		assert_false(log_limit_pass(&l, now, &left_out));
	now += 999;
	assert_false(log_limit_pass(&l, now, &left_out));
	now += 1;
	assert_true(log_limit_pass(&l, now, &left_out));
	assert_int_equal(left_out, 11);
	assert_false(log_limit_pass(&l, now, &left_out));
	now += 1500; /* half a token is not lost */
	assert_true(log_limit_pass(&l, now, &left_out));
	assert_int_equal(left_out, 1);
	now += 500;
	assert_true(log_limit_pass(&l, now, &left_out));
	assert_int_equal(left_out, 0);
	now += 1000000; /* idle: no more than the burst */
	for (int i = 0; i < 3; i++)
		assert_true(log_limit_pass(&l, now, &left_out));
	assert_false(log_limit_pass(&l, now, &left_out));
	assert_false(log_limit_pass(&l, now - 100000, &left_out)); /* clock of a test steps back */
}

static int
setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, tap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_text_quotes),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_long_values_are_cut),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_syslog),
	    cmocka_unit_test(test_errno_is_kept),
	    cmocka_unit_test(test_threads_do_not_mix),
	    cmocka_unit_test(test_deferred),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
