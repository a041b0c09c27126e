/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "base/mbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

static int
readable(const struct mbox *m)
{
	struct pollfd p = {.fd = mbox_fd(m), .events = POLLIN};

	return poll(&p, 1, 0);
}

static void
test_order_and_descriptor(void **state)
{
	struct mail mail[3] = {{.type = 1}, {.type = 2}, {.type = 3}};
	struct mbox *m = mbox_new();
	struct mail *got;

	(void)state;
	assert_null(mbox_take(m));
	assert_int_equal(readable(m), 0);
	for (int i = 0; i < 3; i++) {
		mbox_post(m, &mail[i]);
		assert_int_equal(readable(m), 1);
		assert_int_equal(mbox_depth(m), i + 1);
	}
	got = mbox_take(m);
	for (int i = 0; i < 3; i++, got = got->next)
		assert_ptr_equal(got, &mail[i]);
	assert_null(got);
	assert_int_equal(readable(m), 0);
	assert_int_equal(mbox_depth(m), 0);
	/* The list of before must not be hung on to. */
	mbox_post(m, &mail[2]);
	got = mbox_take(m);
	assert_ptr_equal(got, &mail[2]);
	assert_null(got->next);
	mbox_free(m);
	mbox_free(NULL);
}

static void
test_wait_ends_in_time(void **state)
{
	struct mbox *m = mbox_new();
	int64_t start = clock_now().mono.us;

	(void)state;
	assert_null(mbox_wait(m, 0));
	assert_null(mbox_wait(m, 30));
	assert_true(clock_now().mono.us - start >= 30 * ZR_US_PER_MS);
	mbox_free(m);
}

#define POSTERS 4
#define MAILS 20000

struct post {
	struct mail mail;
	int number;
};

static void *
post_all(void *arg)
{
	static int next_type;
	struct mbox *m = arg;
	int type = __atomic_fetch_add(&next_type, 1, __ATOMIC_RELAXED);

	for (int i = 0; i < MAILS; i++) {
		struct post *p = malloc(sizeof(*p));

		p->mail.type = type;
		p->number = i;
		mbox_post(m, &p->mail);
	}
	return NULL;
}

/* Nothing is lost, doubled or swapped, and the reader never sleeps over mail. */
static void
test_many_posters(void **state)
{
	struct mbox *m = mbox_new();
	pthread_t thread[POSTERS];
	int next[POSTERS] = {0}, left = POSTERS * MAILS;

	(void)state;
	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, post_all, m), 0);
	while (left > 0) {
		struct mail *list = mbox_wait(m, 20000);

		assert_non_null(list);
		while (list != NULL) {
			struct post *p = (struct post *)(void *)list;

			list = list->next;
			assert_int_equal(p->number, next[p->mail.type]++);
			left--;
			free(p);
		}
	}
	for (int i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	assert_null(mbox_take(m));
	mbox_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_and_descriptor),
	    cmocka_unit_test(test_wait_ends_in_time),
	    cmocka_unit_test(test_many_posters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
