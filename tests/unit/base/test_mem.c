/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_sizes_of_zero_give_memory(void **state)
{
	void *a = zr_xmalloc(0), *b = zr_xcalloc(0, 8), *c = zr_try_alloc(0),
	     *d = zr_xmemdup("", 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	assert_non_null(d);
	a = zr_xrealloc(a, 0);
	assert_non_null(a);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void
test_copies(void **state)
{
	char *s = zr_xstrdup("example.org");
	uint8_t *p = zr_xmemdup("\0\1\2", 3);
	uint32_t *z = zr_xcalloc(3, sizeof(*z));

	(void)state;
	assert_string_equal(s, "example.org");
	assert_memory_equal(p, "\0\1\2", 3);
	assert_int_equal(z[0] | z[1] | z[2], 0);
	free(s);
	free(p);
	free(z);
}

static void
test_planned_failure(void **state)
{
	void *p;

	(void)state;
	zr_mem_fail_after(2);
	p = zr_try_alloc(1);
	assert_non_null(p);
	assert_null(zr_try_realloc(p, 10));
	p = zr_try_realloc(p, 10); /* only the one planned call fails */
	assert_non_null(p);
	free(p);
	zr_mem_fail_after(1);
	assert_null(zr_try_alloc(1));
	zr_mem_fail_after(0);
}

struct holder {
	int first;
	int member;
};

static void
test_container(void **state)
{
	struct holder h = {1, 2};

	(void)state;
	assert_ptr_equal(ZR_CONTAINER(&h.member, struct holder, member), &h);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
/* In a child with little memory: it must end with SIGABRT and one line on stderr. */
static void
test_exhaustion_aborts(void **state)
{
	struct rlimit limit = {64u << 20, 64u << 20}, no_core = {0, 0};
	char text[128] = "";
	int fd[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		setrlimit(RLIMIT_AS, &limit);
		free(zr_xmalloc((size_t)1 << 40));
		_exit(0);
	}
	close(fd[1]);
	assert_true(read(fd[0], text, sizeof(text) - 1) > 0);
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_string_equal(text, "zonerelay: out of memory\n");
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes_of_zero_give_memory),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_planned_failure),
	    cmocka_unit_test(test_container),
#ifndef SANITIZED
	    cmocka_unit_test(test_exhaustion_aborts),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
