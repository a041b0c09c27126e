/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `send-notify`: NOTIFYs from this host to any servers, with no daemon, database or configuration
 * (PL-12, PL-13, PL-16, AN-20): for primaries that cannot send them.
 */
#include "tool/ask.h"
#include "tool/text.h"
#include "tool/tool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT 53
#define KEY_TEXT_MAX 4096
#define TRIES 3
#define TIMEOUT_US (2 * ZR_US_PER_S)
#define TIMEOUT_MAX_US (600 * ZR_US_PER_S)

struct sending {
	struct tool *t;
	struct ask_conf c;
	struct tsig_key key;
	struct ask_target *v;
	size_t n, acknowledged;
	int width; /* of the longest address */
};

static int
usage(const char *what, const char *word)
{
	tool_warn("%s: %.80s", what, word);
	return TOOL_USAGE;
}

/* The first line of a file, without the newline; the caller wipes and frees it. */
static char *
read_line(const char *path, struct zr_err *e)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n = -1;

	if (f != NULL) {
		n = getline(&line, &cap, f);
		fclose(f);
	}
	if (n > 0 && n <= KEY_TEXT_MAX) {
		line[strcspn(line, "\r\n")] = '\0';
		return line;
	}
	if (f == NULL)
		zr_fail(e, ZR_CONF, "--key-file: %.150s: %s", path, strerror(errno));
	else
		zr_fail(e, ZR_CONF,
		    "--key-file: %.150s: one line is expected, [algorithm:]name:secret", path);
	if (line != NULL)
		explicit_bzero(line, cap);
	free(line);
	return NULL;
}

/* A secret on the command line is seen by everybody on this host; one in a file is not. */
static int
take_key(struct sending *s)
{
	const struct args *a = &s->t->args;
	struct zr_err e;
	char *line;
	int rc;

	if (a->key == NULL && a->key_file == NULL)
		return TOOL_OK;
	if (a->key != NULL && a->key_file != NULL)
		return usage("--key, --key-file", "one of them, not both");
	if (a->key != NULL) {
		rc = tsig_key_parse(&s->key, a->key, &e);
	} else {
		line = read_line(a->key_file, &e);
		rc = line == NULL ? -1 : tsig_key_parse(&s->key, line, &e);
		if (line != NULL)
			explicit_bzero(line, strlen(line));
		free(line);
	}
	if (rc != 0) {
		tool_warn("%s", e.text);
		return TOOL_USAGE;
	}
	s->c.key = &s->key;
	return TOOL_OK;
}

static int
take_options(struct sending *s)
{
	const struct args *a = &s->t->args;

	s->c = (struct ask_conf){.zone = s->t->zone,
	    .tcp = a->tcp,
	    .has_serial = a->serial_given,
	    .serial = (uint32_t)a->serial,
	    .timeout_us = a->timeout_us > 0 ? a->timeout_us : TIMEOUT_US,
	    .tries = a->tries > 0 ? (unsigned)a->tries : TRIES};
	if (a->type != NULL && strcmp(a->type, "axfr") == 0)
		s->c.kind = NOTIFYOUT_AXFR;
	else if (a->type != NULL && strcmp(a->type, "soa") != 0)
		return usage("--type: soa or axfr", a->type);
	if (s->c.kind == NOTIFYOUT_AXFR && a->serial_given)
		return usage("--serial", "a NOTIFY(AXFR) carries no serial");
	if (a->tries > ASK_TRIES_MAX)
		return usage("--tries", "at most 10");
	if (s->c.timeout_us > TIMEOUT_MAX_US)
		return usage("--timeout", "at most 10m");
	if (a->source != NULL && !addr_parse_ip(a->source, &s->c.source))
		return usage("--source: not an IP address", a->source);
	return take_key(s);
}

static int
take_targets(struct sending *s)
{
	const struct args *a = &s->t->args;
	char text[ADDR_TEXT_MAX];

	s->n = a->operands - 1;
	s->v = zr_xcalloc(s->n, sizeof(*s->v));
	for (size_t i = 0; i < s->n; i++) {
		struct ask_target *t = &s->v[i];
		t->fd = -1;
		if (!addr_parse(a->operand[i + 1], PORT, &t->addr))
			return usage(
			    "not an address such as 192.0.2.1 or 192.0.2.1@53", a->operand[i + 1]);
		int len = (int)strlen(addr_text(&t->addr, text));
		if (len > s->width)
			s->width = len;
	}
	return TOOL_OK;
}

static void
show(void *arg, const struct ask_target *t)
{
	struct sending *s = arg;
	char addr[ADDR_TEXT_MAX];
	struct buf b = BUF_INIT, clean = BUF_INIT;

	s->acknowledged += t->answer.kind == ANSWER_ACKNOWLEDGED;
	if (s->t->args.json)
		return;
	answer_meaning(&t->answer, s->c.kind, s->c.tcp, s->t->zone_text, &b);
	text_clean(&clean, buf_cstr(&b));
	fprintf(s->t->out, "%-*s  %-11s  %s\n", s->width, addr_text(&t->addr, addr),
	    answer_word(&t->answer), buf_cstr(&clean));
	fflush(s->t->out);
	buf_clear(&b);
	buf_clear(&clean);
}

static void
json_text(struct buf *b, const char *key, const char *text)
{
	struct buf clean = BUF_INIT;

	buf_fmt(b, ",\"%s\":", key);
	if (text == NULL) {
		buf_str(b, "null");
		return;
	}
	text_clean(&clean, text);
	buf_json(b, buf_cstr(&clean));
	buf_clear(&clean);
}

static void
show_json(const struct sending *s, const struct ask_target *t, struct buf *b)
{
	const struct answer *a = &t->answer;
	char addr[ADDR_TEXT_MAX];
	struct buf text = BUF_INIT;

	answer_meaning(a, s->c.kind, s->c.tcp, s->t->zone_text, &text);
	buf_str(b, "{\"name\":");
	buf_json(b, s->t->zone_text);
	json_text(b, "address", addr_text(&t->addr, addr));
	json_text(b, "type", s->c.kind == NOTIFYOUT_AXFR ? "AXFR" : "SOA");
	json_text(b, "transport", s->c.tcp ? "tcp" : "udp");
	json_text(b, "result", answer_kind_names[a->kind]);
	json_text(b, "rcode", a->has_rcode ? answer_word(a) : NULL);
	json_text(b, "text", buf_cstr(&text));
	if (a->has_ede)
		buf_fmt(b, ",\"ede\":%u", a->ede);
	else
		buf_str(b, ",\"ede\":null");
	json_text(b, "ede_text", a->has_ede && *a->ede_text != '\0' ? a->ede_text : NULL);
	buf_fmt(b, ",\"tries\":%u,\"took_us\":%lld}", t->tries, (long long)t->took_us);
	buf_clear(&text);
}

static void
show_all(const struct sending *s)
{
	struct buf b = BUF_INIT;

	if (s->t->args.json) {
		for (size_t i = 0; i < s->n; i++) {
			buf_str(&b, i == 0 ? "[\n" : ",\n");
			show_json(s, &s->v[i], &b);
		}
		fprintf(s->t->out, "%s\n]\n", buf_cstr(&b));
		buf_clear(&b);
	} else if (s->n > 1) {
		fprintf(s->t->out, "%zu of %zu acknowledged\n", s->acknowledged, s->n);
	}
}

int
cmd_send_notify(struct tool *t)
{
	struct sending s = {.t = t};
	int rc = take_options(&s);

	if (rc == TOOL_OK)
		rc = take_targets(&s);
	if (rc == TOOL_OK) {
		if (s.c.kind == NOTIFYOUT_AXFR && s.c.tcp)
			tool_warn(
			    "NOTIFY(AXFR) over TCP: a server that looks at the query type first "
			    "takes it for a transfer and sends the zone; UDP is safer");
		ask_all(s.v, s.n, &s.c, show, &s);
		show_all(&s);
		rc = s.acknowledged == s.n ? TOOL_OK : TOOL_FAILED;
	}
	tsig_key_clear(&s.key);
	free(s.v);
	return rc;
}
