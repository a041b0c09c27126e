/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/heap.h"
#include "base/mem.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
	int dummy; /* so that the node is not the first member */
	struct heap_node node;
};

static void
test_empty(void **state)
{
	struct heap_node n = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_null(heap_peek(&h));
	assert_null(heap_pop_due(&h, INT64_MAX));
	heap_del(&h, &n);
	heap_clear(&h);
}

static void
test_due_is_inclusive(void **state)
{
	struct item a = {0};
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_set(&h, &a.node, 10);
	assert_true(heap_in(&a.node));
	assert_null(heap_pop_due(&h, 9));
	assert_ptr_equal(ZR_CONTAINER(heap_pop_due(&h, 10), struct item, node), &a);
	assert_false(heap_in(&a.node));
	heap_clear(&h);
}

static void
test_clear_releases_the_nodes(void **state)
{
	struct heap_node n[3] = {{0}};
	struct heap h;

	(void)state;
	heap_init(&h);
	for (int i = 0; i < 3; i++)
		heap_set(&h, &n[i], -i);
	heap_clear(&h);
	for (int i = 0; i < 3; i++)
		assert_false(heap_in(&n[i]));
	heap_set(&h, &n[0], 1);
	assert_ptr_equal(heap_peek(&h), &n[0]);
	heap_clear(&h);
}

static void
check(const struct heap *h)
{
	for (size_t i = 1; i <= h->n; i++) {
		assert_int_equal(h->v[i]->pos, i);
		if (i > 1)
			assert_true(h->v[i / 2]->at <= h->v[i]->at);
	}
}

/* Random inserts, moves and deletes; then everything comes out in order. */
static void
test_random_use(void **state)
{
	enum { NODES = 200 };
	static struct heap_node node[NODES];
	int64_t last = INT64_MIN;
	struct heap_node *n;
	size_t count = 0;
	struct heap h;
	struct rng r;

	(void)state;
	heap_init(&h);
	rng_seed(&r, 3);
	for (int i = 0; i < 20000; i++) {
		n = &node[rng_below(&r, NODES)];
		if (rng_below(&r, 3) == 0) {
			count -= heap_in(n);
			heap_del(&h, n);
		} else {
			count += !heap_in(n);
			heap_set(&h, n, (int64_t)rng_below(&r, 100) - 50);
		}
		assert_int_equal(h.n, count);
		check(&h);
	}
	assert_true(count > 10);
	while ((n = heap_pop_due(&h, 100)) != NULL) {
		assert_true(n->at >= last);
		last = n->at;
		count--;
		check(&h);
	}
	assert_int_equal(count, 0);
	heap_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_due_is_inclusive),
	    cmocka_unit_test(test_clear_releases_the_nodes),
	    cmocka_unit_test(test_random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
