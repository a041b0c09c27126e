/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/store/util.h"

#include "base/mem.h"
#include "store/status.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
fx_init_in(struct fx *b, const char *parent)
{
	memset(b, 0, sizeof(*b));
	snprintf(b->dir, sizeof(b->dir), "%s/zr-store-XXXXXX", parent);
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/zr.db", b->dir);
}

void
fx_init(struct fx *b)
{
	const char *tmp = getenv("TMPDIR");

	fx_init_in(b, tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
}

void
fx_open(struct fx *b)
{
	struct store_conf conf = {.path = b->path};
	struct zr_err e = {0};

	b->reply = mbox_new();
	assert_non_null(b->reply);
	if (store_open(&b->s, &conf, &e) != 0 || store_start(b->s, &e) != 0 ||
	    reader_open(&b->r, b->path, &e) != 0)
		fail_msg("open: %s", e.text);
}

void
fx_close(struct fx *b)
{
	reader_close(b->r);
	store_stop(b->s);
	mbox_free(b->reply);
	b->r = NULL;
	b->s = NULL;
	b->reply = NULL;
}

void
fx_clear(struct fx *b)
{
	char name[400];
	struct dirent *d;
	DIR *dir;

	fx_close(b);
	dir = opendir(b->dir);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", b->dir, d->d_name);
		if (d->d_name[0] != '.')
			unlink(name);
	}
	closedir(dir);
	rmdir(b->dir);
}

void
fx_post(struct fx *b, struct store_order *o)
{
	o->reply = b->reply;
	store_post(b->s, o);
}

struct store_order *
fx_wait(struct fx *b)
{
	static struct mail *rest; /* taken together, given one by one */
	struct mail *m;

	while (rest == NULL)
		rest = mbox_wait(b->reply, -1);
	m = rest;
	rest = m->next;
	assert_int_equal(m->type, STORE_DONE);
	return ZR_CONTAINER(m, struct store_order, mail);
}

struct store_order *
fx_run(struct fx *b, struct store_order *o)
{
	fx_post(b, o);
	assert_ptr_equal(fx_wait(b), o);
	return o;
}

void
fx_ok(struct fx *b, struct store_order *o)
{
	fx_run(b, o);
	if (o->err.code != ZR_OK)
		fail_msg("order %d: %s", (int)o->op, o->err.text);
	store_order_free(o);
}

void
fx_owe(struct fx *b, int64_t zone, const struct store_notify *v, size_t n, int64_t *id)
{
	struct store_order *o = store_order_new(STORE_OUTBOX_ADD, zone);

	o->outbox.v = zr_xmemdup(v, n * sizeof(*v));
	o->outbox.count = n;
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	assert_int_equal(o->outbox.count, n);
	for (size_t i = 0; i < n; i++)
		id[i] = o->outbox.v[i].id;
	store_order_free(o);
}

void
fx_fails(struct fx *b, struct store_order *o, enum zr_code code)
{
	fx_run(b, o);
	if (o->err.code != code)
		fail_msg("order %d: %s instead of %s: %s", (int)o->op, zr_code_name(o->err.code),
		    zr_code_name(code), o->err.text);
	assert_true(o->err.text[0] != '\0');
	store_order_free(o);
}

void
fx_tidied(struct fx *b)
{
	for (int i = 0; i < 5000; i++) {
		if (fx_sql(b, "SELECT count(*) FROM staging") == 0)
			return;
		usleep(2000);
	}
	fail_msg("pieces of an aborted version stay");
}

static size_t
zone_name(const char *label, uint8_t out[255])
{
	size_t len = strlen(label);

	memset(out, 0, 255);
	out[0] = (uint8_t)len;
	memcpy(out + 1, label, len);
	memcpy(out + 1 + len, "\007example", 9);
	return len + 10;
}

int64_t
fx_zone(struct fx *b, const char *label)
{
	struct store_order *o = store_order_new(STORE_ADD_ZONE, 0);
	int64_t id;

	zone_name(label, o->add.name);
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	id = o->zone_id;
	assert_true(id > 0);
	store_order_free(o);
	return id;
}

struct store_zone *
fx_zone_row(struct fx *b, const char *label)
{
	struct store_zone *z;
	struct zr_err e = {0};
	uint8_t name[255];

	zone_name(label, name);
	if (reader_zone(b->r, name, &z, &e) < 0)
		fail_msg("%s", e.text);
	return z;
}

static void
fill(uint8_t *data, unsigned key, unsigned salt, size_t len)
{
	memset(data, (int)(key + salt), len);
	put_u32(data, key);
	put_u32(data + 4, salt);
}

void
fx_digest(unsigned key, unsigned salt, size_t len, uint8_t out[SEGMENT_DIGEST])
{
	uint8_t *data = zr_xmalloc(len < 8 ? 8 : len);

	fill(data, key, salt, len);
	assert_true(digest_of(data, len, out));
	free(data);
}

void
fx_segment(struct stage_batch *b, unsigned key, unsigned salt, size_t len)
{
	uint8_t bytes[2] = {(uint8_t)(key >> 8), (uint8_t)key};
	uint8_t *data = zr_xmalloc(len < 8 ? 8 : len);
	struct segment s = {
	    .key = bytes, .key_len = 2, .data = data, .len = len, .rrs = 1 + salt % 7};

	fill(data, key, salt, len);
	fx_digest(key, salt, len, s.digest);
	assert_int_equal(stage_segment(b, &s, NULL), 0);
	free(data);
}

void
fx_version(struct fx *b, struct version *v, const char *label, uint32_t serial)
{
	struct store_zone *z = fx_zone_row(b, label);

	assert_non_null(z);
	*v = (struct version){
	    .zone = z->id,
	    .version = z->version + 1,
	    .serial = serial,
	    .old_serial = z->serial,
	    .segments = z->segments,
	    .batch = stage_batch_new(),
	};
	memcpy(v->digest, z->digest, sizeof(v->digest));
	free(z);
}

void
fx_put(struct version *v, unsigned key, unsigned salt, size_t len)
{
	uint8_t d[SEGMENT_DIGEST];

	fx_segment(v->batch, key, salt, len);
	fx_digest(key, salt, len, d);
	digest_add(v->digest, d);
	v->segments++;
}

void
fx_kill(struct fx *b, struct version *v, unsigned key, unsigned salt, size_t len)
{
	uint8_t bytes[2] = {(uint8_t)(key >> 8), (uint8_t)key}, d[SEGMENT_DIGEST];
	struct segment_row row;
	struct zr_err e = {0};

	/* Also one of the version under construction, when it has been staged. */
	assert_int_equal(reader_segment_at(b->r, v->zone, v->version, bytes, 2, &row, &e), 1);
	assert_memory_equal(row.key, bytes, 2);
	assert_int_equal(stage_kill(v->batch, row.id, row.octets, &e), 0);
	fx_digest(key, salt, len, d);
	assert_memory_equal(row.digest, d, SEGMENT_DIGEST);
	digest_sub(v->digest, d);
	v->segments--;
}

void
fx_step(struct version *v, uint32_t step, uint32_t from, uint32_t to, unsigned chunks)
{
	uint8_t data[100];

	for (uint8_t part = 0; part < 2; part++)
		for (unsigned i = 0; i < chunks; i++) {
			memset(data, 0, sizeof(data));
			put_u32(data, part == 0 ? from : to);
			data[4] = part;
			data[5] = (uint8_t)i;
			assert_int_equal(stage_delta(v->batch, step, part, i, from, to, data,
					     sizeof(data), 1 + i, NULL),
			    0);
		}
}

struct store_order *
fx_stage(struct version *v)
{
	struct store_order *o = store_order_new(STORE_STAGE, v->zone);

	o->stage.version = v->version;
	o->stage.batch = v->batch;
	v->batch = stage_batch_new();
	return o;
}

struct store_order *
fx_commit(struct version *v)
{
	static const uint8_t owner[] = "\001Z\007eXample";
	struct store_order *o = store_order_new(STORE_COMMIT, v->zone);
	struct store_commit *c = &o->commit;

	c->version = v->version;
	c->batch = v->batch;
	v->batch = NULL;
	c->content = true;
	c->serial = v->serial;
	c->old_serial = v->old_serial;
	c->soa_ttl = 300;
	c->soa_len = 22;
	c->soa = zr_xcalloc(1, c->soa_len);
	put_u32(c->soa + 2, v->serial);
	put_u32(c->soa + 14, 1000); /* EXPIRE */
	c->soa_owner = zr_xmemdup(owner, sizeof(owner));
	memcpy(c->digest, v->digest, SEGMENT_DIGEST);
	c->segments = v->segments;
	c->loaded_at = c->checked_at = (struct zr_wall){1000000};
	c->refresh_at = (struct zr_wall){2000000};
	c->expire_at = (struct zr_wall){3000000};
	c->journal_max_steps = 100;
	c->journal_max_octets = 1000000;
	return o;
}

struct listing {
	struct fx *b;
	char text[4000];
	size_t len;
};

static int
list_one(void *arg, const struct segment_row *row)
{
	struct listing *l = arg;
	struct buf data = BUF_INIT;
	struct reader *r;
	struct zr_err e = {0};

	/* The reader is in use here: its own handle for the data. */
	if (reader_open(&r, l->b->path, &e) != 0 || reader_segment_data(r, row->id, &data, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(data.len, row->octets);
	assert_int_equal(get_u16(row->key), get_u32(data.data));
	l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len, "%u:%u ",
	    get_u32(data.data), get_u32(data.data + 4));
	buf_clear(&data);
	reader_close(r);
	return 0;
}

const char *
fx_list(struct fx *b, int64_t zone, int64_t version)
{
	static struct listing l;
	struct zr_err e = {0};

	l = (struct listing){.b = b};
	if (reader_segments(b->r, zone, version, list_one, &l, &e) != 0)
		fail_msg("%s", e.text);
	return l.text;
}

static int64_t
value(sqlite3 *sql, const char *text)
{
	sqlite3_stmt *s = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(sql, text, -1, &s, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(sql));
	if (sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return v;
}

int64_t
fx_sql(struct fx *b, const char *text)
{
	sqlite3 *sql;
	int64_t v;

	assert_int_equal(sqlite3_open(b->path, &sql), SQLITE_OK);
	sqlite3_busy_timeout(sql, 5000);
	v = value(sql, text);
	sqlite3_close(sql);
	return v;
}

/* Each counts rows that must not be. */
static const char *const faults[] = {
    /* a segment of a version that is not, unless it is being staged */
    "SELECT count(*) FROM segment AS s JOIN zone ON zone.id = s.zone LEFT JOIN staging ON "
    "staging.zone = s.zone WHERE (s.born > zone.version AND s.born IS NOT staging.version) "
    "OR (s.died > zone.version AND s.died IS NOT staging.version)",
    "SELECT count(*) FROM journal AS j JOIN zone ON zone.id = j.zone LEFT JOIN staging ON "
    "staging.zone = j.zone WHERE j.version > zone.version AND j.version IS NOT staging.version",
    "SELECT count(*) FROM staging JOIN zone ON zone.id = staging.zone "
    "WHERE staging.version <> zone.version + 1",
    /* rows without a zone */
    "SELECT count(*) FROM segment WHERE zone NOT IN (SELECT id FROM zone)",
    "SELECT count(*) FROM content WHERE zone NOT IN (SELECT id FROM zone)",
    "SELECT count(*) FROM journal WHERE zone NOT IN (SELECT id FROM zone)",
    "SELECT count(*) FROM outbox WHERE zone NOT IN (SELECT id FROM zone)",
    /* what describes content and content, one to one */
    "SELECT count(*) FROM segment WHERE id NOT IN (SELECT id FROM content)",
    "SELECT count(*) FROM journal WHERE id NOT IN (SELECT id FROM content)",
    "SELECT count(*) FROM content WHERE id NOT IN (SELECT id FROM segment) "
    "AND id NOT IN (SELECT id FROM journal)",
    "SELECT count(*) FROM segment JOIN content USING (id) WHERE octets <> length(data)",
    /* the sums of the zone are those of its segments */
    "SELECT count(*) FROM zone WHERE segments <> (SELECT count(*) FROM segment AS s WHERE "
    "s.zone = zone.id AND s.born <= zone.version AND (s.died IS NULL OR s.died > zone.version))",
    "SELECT count(*) FROM zone WHERE octets <> (SELECT coalesce(sum(octets), 0) FROM segment AS s "
    "WHERE s.zone = zone.id AND s.born <= zone.version "
    "AND (s.died IS NULL OR s.died > zone.version))",
    /* and those of its journal */
    "SELECT count(*) FROM zone WHERE journal_octets <> (SELECT coalesce(sum(octets), 0) FROM "
    "journal AS j WHERE j.zone = zone.id AND version BETWEEN journal_from AND zone.version)",
    /* two live segments with one key */
    "SELECT count(*) FROM (SELECT 1 FROM segment WHERE died IS NULL AND born <= (SELECT version "
    "FROM zone WHERE zone.id = segment.zone) GROUP BY zone, key HAVING count(*) > 1)",
};

unsigned
fx_check(const char *path)
{
	unsigned bad = 0;
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		int64_t n = value(sql, faults[i]);

		if (n != 0) {
			print_error("%lld rows: %s\n", (long long)n, faults[i]);
			bad++;
		}
	}
	sqlite3_close(sql);
	return bad;
}

/* A version of the segments given as "key key ...", all of salt 1 and 100 octets. */
void
fx_load(struct fx *b, const char *label, uint32_t serial, const char *keys)
{
	struct version v;
	char *end;

	fx_version(b, &v, label, serial);
	for (;;) {
		unsigned long key = strtoul(keys, &end, 10);

		if (end == keys)
			break;
		fx_put(&v, (unsigned)key, 1, 100);
		keys = end;
	}
	fx_ok(b, fx_commit(&v));
}

int
fx_setup(void **state)
{
	struct fx *b = zr_xcalloc(1, sizeof(*b));

	fx_init(b);
	fx_open(b);
	*state = b;
	return 0;
}

int
fx_teardown(void **state)
{
	struct fx *b = *state;

	fx_close(b);
	assert_int_equal(fx_check(b->path), 0);
	fx_clear(b);
	free(b);
	return 0;
}
