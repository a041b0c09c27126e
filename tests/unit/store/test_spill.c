/* SPDX-License-Identifier: BSD-2-Clause */
/* Sorting more than memory should hold. */
#include "tests/unit/store/util.h"

#include "base/mem.h"
#include "base/rand.h"
#include "store/spill.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 200000

/* What the test remembers of a record; the arrival is in the TTL. */
struct item {
	uint8_t key[24];
	uint8_t key_len, rdlen;
	uint32_t arrival;
	uint8_t rdata[40];
};

static int
cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int d = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return d != 0 ? d : (int)a_len - (int)b_len;
}

static int
cmp_item(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int d = cmp(a->key, a->key_len, b->key, b->key_len);

	if (d == 0)
		d = cmp(a->rdata, a->rdlen, b->rdata, b->rdlen);
	return d != 0 ? d : (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

static const uint8_t owner[] = "\003www\007example";

static struct rr
rr_of(const struct item *it)
{
	return (struct rr){
	    .owner = owner,
	    .owner_len = sizeof(owner),
	    .rdata = it->rdata,
	    .rdlen = it->rdlen,
	    .ttl = it->arrival,
	    .type = (uint16_t)(it->arrival % 60000),
	    .class = 1,
	};
}

static void
must(int rc, const struct zr_err *e)
{
	if (rc < 0)
		fail_msg("%s", e->text);
}

static unsigned
files_in(const char *dir)
{
	unsigned n = 0;
	struct dirent *d;
	DIR *p = opendir(dir);

	if (p == NULL)
		return 0;
	while ((d = readdir(p)) != NULL)
		n += d->d_name[0] != '.';
	closedir(p);
	return n;
}

/* Random keys from so few that many are equal. */
static void
sort_random(const char *dir, unsigned n, unsigned keys)
{
	struct item *v = zr_xcalloc(n + 1, sizeof(*v));
	struct spill *s = NULL;
	struct zr_err e = {0};
	struct rng rng;
	struct rr rr;

	rng_seed(&rng, n);
	must(spill_open(&s, dir, 1u << 30, &e), &e);
	for (unsigned i = 0; i < n; i++) {
		uint64_t k = rng_below(&rng, keys);

		v[i].key_len = (uint8_t)(1 + k % sizeof(v[i].key));
		memcpy(v[i].key, &k, sizeof(k));
		v[i].rdlen = (uint8_t)rng_below(&rng, 3);
		v[i].rdata[0] = (uint8_t)rng_below(&rng, 3);
		v[i].arrival = i;
		rr = rr_of(&v[i]);
		must(spill_add(s, v[i].key, v[i].key_len, &rr, &e), &e);
	}
	assert_int_equal(spill_count(s), n);
	assert_int_equal(files_in(dir), 0); /* nothing a crash could leave */
	must(spill_sort(s, &e), &e);
	qsort(v, n, sizeof(*v), cmp_item);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(spill_next(s, &rr, &e), 1);
		if (rr.ttl != v[i].arrival)
			fail_msg("place %u: record %u instead of %u", i, rr.ttl, v[i].arrival);
		assert_int_equal(rr.type, v[i].arrival % 60000);
		assert_int_equal(rr.rdlen, v[i].rdlen);
		assert_memory_equal(rr.rdata, v[i].rdata, rr.rdlen);
		assert_int_equal(rr.owner_len, sizeof(owner));
		assert_memory_equal(rr.owner, owner, sizeof(owner));
	}
	assert_int_equal(spill_next(s, &rr, &e), 0);
	assert_int_equal(spill_next(s, &rr, &e), 0);
	spill_close(s);
	free(v);
}

static int
setup(void **state)
{
	static struct fx b;

	fx_init(&b);
	*state = &b;
	return 0;
}

static int
teardown(void **state)
{
	fx_clear(*state);
	return 0;
}

static void
test_many(void **state)
{
	struct fx *b = *state;

	sort_random(b->dir, MANY, 1u << 30);
	sort_random(b->dir, MANY, 5000);
}

static void
test_few(void **state)
{
	struct fx *b = *state;

	sort_random("/nonexistent/folder", 1000, 50); /* needs no file */
	sort_random("/nonexistent/folder", 0, 1);
	sort_random(b->dir, 1, 1);
}

/* Records of 64 KiB: every read buffer must grow for one. */
static void
test_giants(void **state)
{
	struct fx *b = *state;
	uint8_t *data = zr_xmalloc(65535), key[600];
	struct rr rr = {.owner = owner, .owner_len = sizeof(owner), .rdata = data, .rdlen = 65535};
	struct spill *s = NULL;
	struct zr_err e = {0};
	uint32_t last = 0;

	memset(key, 7, sizeof(key));
	must(spill_open(&s, b->dir, 1u << 30, &e), &e);
	for (uint32_t i = 0; i < 600; i++) {
		rr.ttl = (i * 7919) % 600;
		memset(data, (int)rr.ttl, rr.rdlen);
		key[599] = (uint8_t)(rr.ttl >> 8);
		put_u32(data, rr.ttl);
		must(spill_add(s, key, sizeof(key), &rr, &e), &e);
	}
	must(spill_sort(s, &e), &e);
	for (last = 0; spill_next(s, &rr, &e) == 1; last++) {
		assert_int_equal(rr.ttl, last);
		assert_int_equal(get_u32(rr.rdata), last);
		assert_int_equal(rr.rdata[65534], last & 0xff);
	}
	assert_int_equal(last, 600);
	spill_close(s);
	free(data);
}

static void
test_limit(void **state)
{
	struct fx *b = *state;
	struct item it = {.key_len = 24, .rdlen = 40};
	struct rr rr = rr_of(&it);
	struct spill *s = NULL;
	struct zr_err e = {0};
	unsigned n = 0;

	must(spill_open(&s, b->dir, 100000, &e), &e);
	while (spill_add(s, it.key, it.key_len, &rr, &e) == 0)
		n++;
	assert_int_equal(e.code, ZR_LIMIT);
	assert_in_range(n, 800, 1100);
	spill_close(s);
}

static void
test_folder_must_exist_for_many(void **state)
{
	struct item it = {.key_len = 24, .rdlen = 40};
	struct rr rr = rr_of(&it);
	struct spill *s = NULL;
	struct zr_err e = {0};
	unsigned n = 0;

	(void)state;
	must(spill_open(&s, "/nonexistent/folder", 1u << 30, &e), &e);
	while (spill_add(s, it.key, it.key_len, &rr, &e) == 0)
		assert_true(n++ < 200000);
	assert_int_equal(e.code, ZR_DB);
	assert_non_null(strstr(e.text, "/nonexistent/folder"));
	spill_close(s);
	spill_close(NULL);
}

static void
test_wrong_order_of_calls(void **state)
{
	struct fx *b = *state;
	struct item it = {.key_len = 1};
	struct rr rr = rr_of(&it);
	struct spill *s = NULL;
	struct zr_err e = {0};

	must(spill_open(&s, b->dir, 1u << 30, &e), &e);
	assert_int_equal(spill_next(s, &rr, &e), -1);
	assert_int_equal(e.code, ZR_INTERNAL);
	must(spill_sort(s, &e), &e);
	assert_int_equal(spill_add(s, it.key, 1, &rr, &e), -1);
	assert_int_equal(spill_sort(s, &e), -1);
	spill_close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
    T(test_many),
    T(test_few),
    T(test_giants),
    T(test_limit),
    T(test_folder_must_exist_for_many),
    T(test_wrong_order_of_calls),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
