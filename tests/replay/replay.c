/* SPDX-License-Identifier: BSD-2-Clause */
/* The script runner: reads, keeps the clock, dispatches, compares.  README.md describes the
 * language. */
#include "replay.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

static const struct replay_table *const replay_tables[] = {
    [REPLAY_XFRIN] = &replay_xfrin,
};
#define TABLES (sizeof(replay_tables) / sizeof(replay_tables[0]))

void
replay_die(const struct replay *r, unsigned line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", r->file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void
replay_step(struct replay *r, unsigned line, const char *step, bool final)
{
	if (r->step != NULL && r->step_final) {
		replay_die(r, line, "nobody expected the step %s before this (%s)", r->step,
		    r->reason.text);
	}
	r->step = step;
	r->step_final = final;
}

const char *
replay_flag(const struct replay_cmd *c, unsigned from, const char *key)
{
	size_t n = strlen(key);

	for (unsigned i = from; i < c->argc; i++) {
		if (strncmp(c->argv[i], key, n) != 0)
			continue;
		if (c->argv[i][n] == '=')
			return c->argv[i] + n + 1;
		if (c->argv[i][n] == '\0')
			return "";
	}
	return NULL;
}

const char *
replay_after(const struct replay_cmd *c, const char *key)
{
	for (unsigned i = 1; i + 1 < c->argc; i++)
		if (strcmp(c->argv[i], key) == 0)
			return c->argv[i + 1];
	return NULL;
}

unsigned long
replay_number(const struct replay *r, unsigned line, const char *text)
{
	uint64_t v;

	if (!parse_u64(text, &v))
		replay_die(r, line, "not a number: %s", text);
	return (unsigned long)v;
}

/* ---- general commands ---- */

static void
word_zone(struct replay *r, const struct replay_cmd *c)
{
	if (c->argc != 2 || name_from_text(c->argv[1], r->zone) == 0)
		replay_die(r, c->line, "zone NAME");
}

static void
word_at(struct replay *r, const struct replay_cmd *c)
{
	int64_t us;

	if (c->argc != 2 || !parse_duration(c->argv[1], &us))
		replay_die(r, c->line, "at TIME");
	us += ZR_US_PER_S; /* virtual time begins at 1 s: 0 means "unset" */
	if (us < r->now.mono.us)
		replay_die(r, c->line, "time does not go back");
	r->now.wall.us += us - r->now.mono.us;
	r->now.mono.us = us;
	for (size_t i = 0; i < TABLES; i++)
		if (replay_tables[i]->tick != NULL)
			replay_tables[i]->tick(r);
}

static void
word_expect(struct replay *r, const struct replay_cmd *c)
{
	if (c->argc < 2 || c->argc > 3)
		replay_die(r, c->line, "expect STEP [\"TEXT\"]");
	if (r->step == NULL)
		replay_die(r, c->line, "expected %s, but nothing happened", c->argv[1]);
	if (strcmp(r->step, c->argv[1]) != 0) {
		replay_die(
		    r, c->line, "expected %s, found %s (%s)", c->argv[1], r->step, r->reason.text);
	}
	if (c->argc == 3 && strstr(r->reason.text, c->argv[2]) == NULL)
		replay_die(r, c->line, "the reason is: %s", r->reason.text);
	r->step = NULL;
}

static bool
is_one_of(const char *text, const char *const *list, size_t *len)
{
	for (; *list != NULL; list++) {
		*len = strlen(*list);
		if (strncmp(text, *list, *len) == 0 && text[*len] == ' ')
			return true;
	}
	return false;
}

/* Lines with a record are brought into the form in which records come out. */
static void
expected_line(const struct replay *r, unsigned line, const char *text, struct buf *out)
{
	static const char *const with_record[] = {"rr", "del", "add", NULL};
	char prefix[8];
	size_t len;

	if (!is_one_of(text, with_record, &len)) {
		buf_str(out, text);
		buf_u8(out, '\n');
		return;
	}
	snprintf(prefix, sizeof(prefix), "%.*s ", (int)len, text);
	replay_lines(r, line, prefix, text + len + 1, out);
}

static void
word_got(struct replay *r, const struct replay_cmd *c)
{
	struct buf want = BUF_INIT;
	const char *a, *b;

	for (unsigned i = 0; i < c->blockc; i++)
		expected_line(r, c->block_line[i], c->block[i], &want);
	a = buf_cstr(&want);
	b = buf_cstr(&r->out);
	if (strcmp(a, b) != 0)
		replay_die(r, c->line, "--- expected\n%s--- found\n%s", a, b);
	buf_clear(&want);
	buf_reset(&r->out);
}

static void
word_ignore(struct replay *r, const struct replay_cmd *c)
{
	(void)c;
	buf_reset(&r->out);
}

static const struct replay_word general[] = {
    {"zone", word_zone},
    {"at", word_at},
    {"expect", word_expect},
    {"got", word_got},
    {"ignore", word_ignore},
    {NULL, NULL},
};

/* ---- scripts ---- */

static const struct replay_word *
find_word(const struct replay_word *w, const char *name)
{
	for (; w->name != NULL; w++)
		if (strcmp(w->name, name) == 0)
			return w;
	return NULL;
}

static void
run_command(struct replay *r, const struct replay_cmd *c)
{
	const struct replay_word *w = find_word(general, c->argv[0]);

	for (size_t i = 0; w == NULL && i < TABLES; i++)
		w = find_word(replay_tables[i]->words, c->argv[0]);
	if (w == NULL)
		replay_die(r, c->line, "unknown command %s", c->argv[0]);
	w->run(r, c);
}

static char *
skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Words separated by blanks; "quoted ones" may hold blanks. */
static void
split(struct replay *r, struct replay_cmd *c, char *p)
{
	for (p = skip_blanks(p); *p != '\0' && *p != '#'; p = skip_blanks(p)) {
		bool quoted = *p == '"';

		if (c->argc == REPLAY_WORDS)
			replay_die(r, c->line, "too many words");
		p += quoted;
		c->argv[c->argc++] = p;
		p += strcspn(p, quoted ? "\"" : " \t");
		if (*p != '\0')
			*p++ = '\0';
	}
}

static void
add_block(struct replay *r, struct replay_cmd *c, char *p, unsigned line)
{
	if (c->argc == 0)
		replay_die(r, line, "a block without a command");
	if (c->blockc == REPLAY_BLOCK)
		replay_die(r, line, "too many lines in a block");
	c->block_line[c->blockc] = line;
	c->block[c->blockc++] = p;
}

static void
run_script(struct replay *r, char *text)
{
	struct replay_cmd c = {.argc = 0};
	char *next;
	unsigned line = 0;

	for (char *p = text; p != NULL; p = next) {
		next = strchr(p, '\n');
		if (next != NULL)
			*next++ = '\0';
		line++;
		if (*skip_blanks(p) == '\0' || *skip_blanks(p) == '#')
			continue;
		if (*p == ' ' || *p == '\t') {
			add_block(r, &c, skip_blanks(p), line);
			continue;
		}
		if (c.argc > 0)
			run_command(r, &c);
		c = (struct replay_cmd){.line = line};
		split(r, &c, p);
	}
	if (c.argc > 0)
		run_command(r, &c);
	if (r->step != NULL && r->step_final)
		replay_die(r, line, "nobody expected the step %s (%s)", r->step, r->reason.text);
	if (r->out.len > 0)
		replay_die(r, line, "nobody looked at\n%s", buf_cstr(&r->out));
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	struct buf b = BUF_INIT;
	char part[4096];
	size_t n;

	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_bytes(&b, part, n);
	fclose(f);
	buf_u8(&b, 0);
	return (char *)buf_take(&b, &n);
}

static void
run_file(const char *path)
{
	struct replay r = {.file = path};
	char *text = read_file(path);

	r.now.mono.us = ZR_US_PER_S;
	r.now.wall.us = INT64_C(1800000000) * ZR_US_PER_S;
	name_from_text("example.org.", r.zone);
	for (size_t i = 0; i < TABLES; i++)
		replay_tables[i]->begin(&r);
	run_script(&r, text);
	for (size_t i = 0; i < TABLES; i++)
		replay_tables[i]->end(&r);
	printf("ok %s\n", path);
	buf_clear(&r.out);
	free(text);
}

static int
run_all(void)
{
	const char *srcdir = getenv("srcdir");
	char pattern[4096];
	glob_t found = {0};
	size_t n;

	snprintf(pattern, sizeof(pattern), "%s/tests/replay/*.rpl", srcdir != NULL ? srcdir : ".");
	if (glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "no scripts: %s\n", pattern);
		return 1;
	}
	n = found.gl_pathc;
	for (size_t i = 0; i < n; i++)
		run_file(found.gl_pathv[i]);
	globfree(&found);
	printf("%zu scripts\n", n);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return run_all();
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	return 0;
}
