/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the store costs.  Usage: store FOLDER [STAGE ...]; the database is made in FOLDER, which
 * should lie on the disk in question.  Stages: insert mark small spill; none named: all.
 *
 * A record counts as 50 octets of a segment of 14,000, as in the zone of a top-level domain.
 */
#include "store/store.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/reader.h"
#include "store/spill.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_OCTETS 14000
#define SEGMENT_RRS 280
#define RECORDS 1000000
#define ZONES 10000 /* for marks */
#define SMALL 100000
#define SMALL_OCTETS 500
#define MARK_US (2 * ZR_US_PER_S)

static char path[4096];
static const char *folder;
static uint8_t noise[1 << 20];

static void
die(const struct zr_err *e)
{
	fprintf(stderr, "store: %s\n", e->text);
	exit(1);
}

static int64_t
now_us(void)
{
	return clock_now().mono.us;
}

static void
unlink_all(void)
{
	static const char *const suffix[] = {"", "-wal", "-shm", ".lock"};
	char name[4200];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		unlink(name);
	}
}

static struct store *
open_store(void)
{
	struct store_conf conf = {.path = path};
	struct zr_err e = {0};
	struct store *s;

	if (store_open(&s, &conf, &e) != 0 || store_start(s, &e) != 0)
		die(&e);
	return s;
}

static struct store_order *
next_answer(struct mbox *box)
{
	static struct mail *rest; /* of the main thread */
	struct mail *m;

	while (rest == NULL)
		rest = mbox_wait(box, -1);
	m = rest;
	rest = m->next;
	if (ZR_CONTAINER(m, struct store_order, mail)->err.code != ZR_OK)
		die(&ZR_CONTAINER(m, struct store_order, mail)->err);
	return ZR_CONTAINER(m, struct store_order, mail);
}

static void
post(struct store *s, struct mbox *box, struct store_order *o)
{
	o->reply = box;
	store_post(s, o);
}

static void
add_zones(struct store *s, struct mbox *box, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct store_order *o = store_order_new(STORE_ADD_ZONE, 0);

		o->add.name[0] = 8;
		snprintf((char *)o->add.name + 1, 9, "%08u", i);
		memcpy(o->add.name + 9, "\004test", 6);
		post(s, box, o);
	}
	for (unsigned i = 0; i < n; i++)
		store_order_free(next_answer(box));
}

/* ---- 1M records through credits, and how long a MARK takes meanwhile ---- */

struct marker {
	struct store *s;
	int64_t zone;
	atomic_bool stop;
	unsigned n;
	int64_t us[200000];
};

static void *
mark_on(void *arg)
{
	struct marker *m = arg;
	struct mbox *box = mbox_new();

	while (!m->stop && m->n < 200000) {
		struct store_order *o = store_order_new(STORE_MARK, m->zone);
		int64_t begin = now_us();

		o->mark.pending = PENDING_CHECK;
		post(m->s, box, o);
		free(mbox_wait(box, -1)); /* an order of this kind is one block */
		m->us[m->n++] = now_us() - begin;
	}
	mbox_free(box);
	return NULL;
}

static int
cmp_us(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
fill_batch(struct stage_batch *b, unsigned *key, uint8_t sum[SEGMENT_DIGEST])
{
	struct zr_err e = {0};

	while (b->octets < STORE_INLINE_BYTES && *key < RECORDS / SEGMENT_RRS) {
		uint8_t bytes[20] = {0};
		struct segment s = {.key = bytes,
		    .key_len = sizeof(bytes),
		    .data = noise + *key % 1000 * 1000,
		    .len = SEGMENT_OCTETS,
		    .rrs = SEGMENT_RRS};

		put_u32(bytes + 2, (*key)++);
		s.digest[31] = 1;
		digest_add(sum, s.digest);
		if (stage_segment(b, &s, &e) != 0)
			die(&e);
	}
}

static struct store_order *
commit_order(int64_t zone, int64_t version, struct stage_batch *batch, uint64_t segments,
    const uint8_t sum[SEGMENT_DIGEST])
{
	struct store_order *o = store_order_new(STORE_COMMIT, zone);
	struct store_commit *c = &o->commit;

	c->version = version;
	c->batch = batch;
	c->content = true;
	c->soa_len = 60;
	c->soa = zr_xcalloc(1, c->soa_len);
	c->soa_owner = zr_xcalloc(1, 1);
	c->segments = segments;
	memcpy(c->digest, sum, SEGMENT_DIGEST);
	return o;
}

static void
bench_insert(bool with_marks)
{
	static struct marker m;
	uint8_t sum[SEGMENT_DIGEST] = {0};
	struct mbox *box = mbox_new();
	struct store *s = open_store();
	size_t flying = 0;
	unsigned key = 0;
	int64_t begin;
	pthread_t t;

	add_zones(s, box, 2);
	m = (struct marker){.s = s, .zone = 2};
	if (with_marks && pthread_create(&t, NULL, mark_on, &m) != 0)
		exit(1);
	begin = now_us();
	while (key < RECORDS / SEGMENT_RRS || flying > 0) {
		struct store_order *o;

		while (key < RECORDS / SEGMENT_RRS && flying < STORE_CREDIT_BYTES) {
			o = store_order_new(STORE_STAGE, 1);
			o->stage.version = 1;
			o->stage.batch = stage_batch_new();
			fill_batch(o->stage.batch, &key, sum);
			o->cookie = o->stage.batch->octets;
			flying += o->cookie;
			post(s, box, o);
		}
		o = next_answer(box);
		flying -= o->cookie;
		store_order_free(o);
	}
	post(s, box, commit_order(1, 1, NULL, key, sum));
	store_order_free(next_answer(box));
	begin = now_us() - begin;
	m.stop = true;
	if (with_marks)
		pthread_join(t, NULL);
	printf("insert: %u segments of %u octets in %.3f s, %.0f ns a record%s\n", key,
	    SEGMENT_OCTETS, (double)begin / 1e6, (double)begin * 1000 / RECORDS,
	    with_marks ? ", with marks:" : "");
	if (with_marks && m.n > 0) {
		qsort(m.us, m.n, sizeof(m.us[0]), cmp_us);
		printf("        %u durable marks meanwhile: median %.2f ms, 99%% %.2f ms, longest "
		       "%.2f ms\n",
		    m.n, (double)m.us[m.n / 2] / 1e3, (double)m.us[m.n - 1 - m.n / 100] / 1e3,
		    (double)m.us[m.n - 1] / 1e3);
	}
	store_stop(s);
	mbox_free(box);
}

/* ---- reading it all back ---- */

struct ids {
	int64_t v[RECORDS / SEGMENT_RRS + 1];
	unsigned n;
};

static int
take_id(void *arg, const struct segment_row *row)
{
	struct ids *ids = arg;

	ids->v[ids->n++] = row->id;
	return 0;
}

static void
bench_read(void)
{
	static struct ids ids;
	struct buf data = BUF_INIT;
	struct zr_err e = {0};
	struct reader *r;
	int64_t begin, listed;
	uint64_t octets = 0;

	if (reader_open(&r, path, &e) != 0)
		die(&e);
	begin = now_us();
	if (reader_segments(r, 1, 1, take_id, &ids, &e) != 0)
		die(&e);
	listed = now_us();
	for (unsigned i = 0; i < ids.n; i++) {
		buf_reset(&data);
		if (reader_segment_data(r, ids.v[i], &data, &e) != 0)
			die(&e);
		octets += data.len;
	}
	printf("read:   list of %u segments %.2f ms, their %.0f MB %.1f ms\n", ids.n,
	    (double)(listed - begin) / 1e3, (double)octets / 1e6,
	    (double)(now_us() - listed) / 1e3);
	buf_clear(&data);
	reader_close(r);
}

/* ---- marks ---- */

static void
bench_marks(struct store *s, struct mbox *box, unsigned flying_max)
{
	struct rng rng;
	int64_t begin = now_us(), end = begin + MARK_US;
	unsigned flying = 0;
	uint64_t n = 0;

	rng_seed(&rng, 1);
	while (flying > 0 || now_us() < end) {
		for (; flying < flying_max && now_us() < end; flying++) {
			struct store_order *o =
			    store_order_new(STORE_MARK, 1 + (int64_t)rng_below(&rng, ZONES));

			o->mark.pending = PENDING_CHECK;
			o->mark.since.us = begin;
			post(s, box, o);
		}
		if (flying > 0) {
			store_order_free(next_answer(box));
			flying--;
			n++;
		}
	}
	printf("mark:   %3u in flight: %.0f a second, each durable before its answer\n", flying_max,
	    (double)n * 1e6 / (double)(now_us() - begin));
}

static void
bench_mark(void)
{
	struct mbox *box = mbox_new();
	struct store *s = open_store();

	add_zones(s, box, ZONES);
	bench_marks(s, box, 1);
	bench_marks(s, box, 16);
	bench_marks(s, box, 256);
	store_stop(s);
	mbox_free(box);
}

/* ---- many zones of one segment ---- */

static int
count_zone(void *arg, const struct store_zone *z)
{
	*(unsigned *)arg += z->has_data;
	return 0;
}

static void
commit_small(struct store *s, struct mbox *box, int64_t version, unsigned n, unsigned flying_max)
{
	uint8_t sum[SEGMENT_DIGEST] = {0}, one[SEGMENT_DIGEST] = {[31] = 1};
	unsigned flying = 0;
	struct zr_err e = {0};

	for (int64_t i = 0; i < version; i++)
		digest_add(sum, one);
	for (unsigned i = 0; i < n || flying > 0;) {
		for (; i < n && flying < flying_max; i++, flying++) {
			uint8_t key[3] = {0, 0, (uint8_t)version};
			struct segment seg = {.key = key,
			    .key_len = 3,
			    .data = noise + i % 1000 * 1000,
			    .len = SMALL_OCTETS,
			    .rrs = 10};
			struct stage_batch *b = stage_batch_new();

			memcpy(seg.digest, one, sizeof(one));
			if (stage_segment(b, &seg, &e) != 0)
				die(&e);
			/* Zones change in no order. */
			post(s, box,
			    commit_order(1 + (int64_t)((uint64_t)i * 7919 % SMALL), version, b,
				(uint64_t)version, sum));
		}
		store_order_free(next_answer(box));
		flying--;
	}
}

static void
bench_small(void)
{
	struct mbox *box = mbox_new();
	struct store *s = open_store();
	struct store_conf conf = {.path = path};
	struct zr_err e = {0};
	struct stat st = {0};
	unsigned with_data = 0;
	int64_t t[8];

	t[0] = now_us();
	add_zones(s, box, SMALL);
	t[1] = now_us();
	commit_small(s, box, 1, SMALL, 256);
	t[2] = now_us();
	commit_small(s, box, 2, 10000, 256);
	t[3] = now_us();
	store_stop(s);
	t[4] = now_us();
	if (stat(path, &st) != 0 || store_open(&s, &conf, &e) != 0)
		die(&e);
	t[5] = now_us();
	if (store_each_zone(s, count_zone, &with_data, &e) != 0)
		die(&e);
	t[6] = now_us();
	store_stop(s);
	printf("small:  %u zones added in %.2f s, first commits %.0f a second, later ones %.0f a "
	       "second\n"
	       "        %.0f octets on disk per zone with %u octets of content; open %.1f ms, "
	       "reading %u rows %.0f ms\n",
	    SMALL, (double)(t[1] - t[0]) / 1e6, SMALL * 1e6 / (double)(t[2] - t[1]),
	    10000 * 1e6 / (double)(t[3] - t[2]), (double)st.st_size / SMALL, SMALL_OCTETS,
	    (double)(t[5] - t[4]) / 1e3, with_data, (double)(t[6] - t[5]) / 1e3);
	mbox_free(box);
}

/* ---- sorting ---- */

static void
bench_spill(void)
{
	struct spill *s;
	struct zr_err e = {0};
	struct rng rng;
	struct rr rr = {.owner = noise, .owner_len = 20, .rdlen = 20, .rdata = noise};
	int64_t begin = now_us(), added;
	uint64_t n = 0;

	rng_seed(&rng, 3);
	if (spill_open(&s, folder, UINT64_C(1) << 40, &e) != 0)
		die(&e);
	for (unsigned i = 0; i < RECORDS; i++) {
		uint64_t key[5] = {rng_next(&rng), rng_next(&rng)};

		if (spill_add(s, (uint8_t *)key, sizeof(key), &rr, &e) != 0)
			die(&e);
	}
	added = now_us();
	if (spill_sort(s, &e) != 0)
		die(&e);
	while (spill_next(s, &rr, &e) == 1)
		n++;
	printf("spill:  %" PRIu64
	       " records in random order: added in %.2f s, read sorted in %.2f s\n",
	    n, (double)(added - begin) / 1e6, (double)(now_us() - added) / 1e6);
	spill_close(s);
}

static bool
wanted(int argc, char **argv, const char *stage)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], stage) == 0)
			return true;
	return argc <= 2;
}

int
main(int argc, char **argv)
{
	struct rusage use;
	struct rng rng;

	if (argc < 2) {
		fprintf(stderr, "usage: store FOLDER [insert|mark|small|spill ...]\n");
		return 2;
	}
	folder = argv[1];
	snprintf(path, sizeof(path), "%s/bench.db", folder);
	rng_seed(&rng, 2);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)rng_next(&rng);
	unlink_all();
	if (wanted(argc, argv, "insert")) {
		bench_insert(false);
		bench_read();
		unlink_all();
		bench_insert(true);
		unlink_all();
	}
	if (wanted(argc, argv, "mark")) {
		bench_mark();
		unlink_all();
	}
	if (wanted(argc, argv, "small")) {
		bench_small();
		unlink_all();
	}
	if (wanted(argc, argv, "spill"))
		bench_spill();
	getrusage(RUSAGE_SELF, &use);
	printf("peak memory %.1f MB\n", (double)use.ru_maxrss / 1024);
	return 0;
}
