/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each stage of a transfer costs: nanoseconds per record over a stream made in memory.
 * Usage: stages [RECORDS].  A new stage is a function and a line in stages[].
 */
#include "base/clock.h"
#include "base/mem.h"
#include "stream.h"
#include "wire/frame.h"
#include "wire/msg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 1000000
#define ROUNDS 5    /* the best one counts */
#define PIECE 65536 /* octets given to frame_feed() at a time, as one read(2) would */

struct bench {
	struct stream stream;
	struct records records;
	struct msg m;
	struct msg_walk w;
	uint64_t sum; /* keeps results alive and shows that stages see the same records */
};

static int
on_frame(void *arg, const uint8_t *data, size_t len)
{
	struct bench *b = arg;

	b->sum += len + data[0];
	return 0;
}

static int
on_parse(void *arg, const uint8_t *data, size_t len)
{
	struct bench *b = arg;

	if (msg_parse(&b->m, data, len, MSG_FULL, NULL) < 0)
		return 1;
	b->sum += b->m.ancount;
	return 0;
}

static int
on_walk(void *arg, const uint8_t *data, size_t len)
{
	struct bench *b = arg;
	struct rr rr;
	int rc;

	if (msg_parse(&b->m, data, len, MSG_HEADER_ONLY, NULL) < 0 ||
	    msg_walk_start(&b->w, &b->m, SECTION_ANSWER, NULL) < 0)
		return 1;
	while ((rc = msg_next(&b->w, &rr, NULL)) == 1)
		b->sum += rr.owner_len + rr.rdlen;
	return rc;
}

static bool
feed(struct bench *b, frame_sink sink)
{
	const uint8_t *p = b->stream.octets;
	struct frame f;
	size_t n, used;
	int rc = 0;

	frame_init(&f);
	for (size_t at = 0; at < b->stream.len && rc == 0; at += n) {
		n = b->stream.len - at < PIECE ? b->stream.len - at : PIECE;
		rc = frame_feed(&f, p + at, n, &used, sink, b);
	}
	rc |= frame_partial(&f) != 0;
	frame_clear(&f);
	return rc == 0;
}

static bool
stage_frame(struct bench *b)
{
	return feed(b, on_frame);
}

static bool
stage_parse(struct bench *b)
{
	return feed(b, on_parse);
}

static bool
stage_walk(struct bench *b)
{
	return feed(b, on_walk);
}

static bool
stage_key(struct bench *b)
{
	uint8_t key[RR_KEY_MAX];

	for (unsigned i = 0; i < b->records.count; i++) {
		b->sum += rr_key(&b->records.rr[i], b->stream.apex, key, NULL);
		b->sum += key[2];
	}
	return true;
}

static bool
stage_cmp(struct bench *b)
{
	const struct rr *rr = b->records.rr;

	for (unsigned i = 1; i < b->records.count; i++)
		b->sum += rr_cmp(&rr[i - 1], &rr[i], b->stream.apex) < 0;
	return true;
}

static bool
stage_print(struct bench *b)
{
	struct buf text = BUF_INIT;

	for (unsigned i = 0; i < b->records.count; i++) {
		buf_reset(&text);
		if (rr_print(&b->records.rr[i], &text, NULL) < 0)
			return false;
		b->sum += text.len;
	}
	buf_clear(&text);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(struct bench *b);
} stages[] = {
    {"frame", stage_frame},
    {"frame, parse", stage_parse},
    {"frame, walk", stage_walk},
    {"key", stage_key},
    {"compare neighbours", stage_cmp},
    {"print", stage_print},
};

static int64_t
best_of(struct bench *b, bool (*run)(struct bench *))
{
	int64_t best = INT64_MAX, start, took;

	for (unsigned i = 0; i < ROUNDS; i++) {
		b->sum = 0;
		start = clock_now().mono.us;
		if (!run(b))
			return -1;
		took = clock_now().mono.us - start;
		if (took < best)
			best = took;
	}
	return best;
}

int
main(int argc, char **argv)
{
	unsigned rrs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RECORDS;
	struct bench *b = zr_xcalloc(1, sizeof(*b));
	int64_t us;
	int rc = 0;

	stream_make(&b->stream, rrs);
	records_make(&b->records, &b->stream);
	printf("%u records, %u messages, %zu octets\n", b->stream.rrs, b->stream.messages,
	    b->stream.len);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		us = best_of(b, stages[i].run);
		if (us < 0) {
			printf("%-24s failed\n", stages[i].name);
			rc = 1;
			continue;
		}
		printf("%-24s %8.1f ns per record   (%016" PRIx64 ")\n", stages[i].name,
		    1000.0 * (double)us / b->stream.rrs, b->sum);
	}
	records_clear(&b->records);
	stream_clear(&b->stream);
	free(b);
	return rc;
}
