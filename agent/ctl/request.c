/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/request.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Octets of UTF-8 pass: file names may hold them. */
static bool
is_forbidden(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

struct scan {
	const char *p, *end;
	char *out; /* into request.text; never ahead of what was read */
};

/* The rest of a word in quotes, behind the opening one. */
static int
scan_quoted(struct scan *s, struct zr_err *e)
{
	while (s->p < s->end && *s->p != '"') {
		if (*s->p == '\\') {
			s->p++;
			if (s->p == s->end || (*s->p != '"' && *s->p != '\\'))
				return zr_fail(e, ZR_FORMERR,
				    "in quotes a backslash stands before \" or \\ only");
		}
		*s->out++ = *s->p++;
	}
	if (s->p == s->end)
		return zr_fail(e, ZR_FORMERR, "a quote is not closed");
	s->p++;
	if (s->p < s->end && !is_blank(*s->p))
		return zr_fail(e, ZR_FORMERR, "a blank is expected behind a closing quote");
	return 0;
}

static int
scan_plain(struct scan *s, struct zr_err *e)
{
	while (s->p < s->end && !is_blank(*s->p)) {
		if (*s->p == '"')
			return zr_fail(e, ZR_FORMERR, "a quote inside a word");
		*s->out++ = *s->p++;
	}
	return 0;
}

int
ctl_request_parse(struct ctl_request *r, const char *line, size_t len, struct zr_err *e)
{
	struct scan s = {.p = line, .end = line + len, .out = r->text};

	r->argc = 0;
	r->argv[0] = NULL;
	if (len > 0 && line[len - 1] == '\r') {
		s.end--;
		len--;
	}
	if (len > CTL_LINE_MAX)
		return zr_fail(e, ZR_LIMIT, "the line is longer than %d octets", CTL_LINE_MAX);
	for (size_t i = 0; i < len; i++)
		if (is_forbidden(line[i]))
			return zr_fail(e, ZR_FORMERR, "octet 0x%02x in the line",
			    (unsigned)(unsigned char)line[i]);
	for (;;) {
		while (s.p < s.end && is_blank(*s.p))
			s.p++;
		if (s.p == s.end)
			break;
		if (r->argc == CTL_ARGS_MAX)
			return zr_fail(e, ZR_LIMIT, "more than %d words", CTL_ARGS_MAX);
		r->argv[r->argc] = s.out;
		bool quoted = *s.p == '"';
		if (quoted)
			s.p++;
		if ((quoted ? scan_quoted(&s, e) : scan_plain(&s, e)) != 0)
			return -1;
		/* A word is followed by a blank, a quote or the end of the line, so there is
		 * room for its NUL: text has one octet more than the line. */
		*s.out++ = '\0';
		r->argc++;
	}
	r->argv[r->argc] = NULL;
	return 0;
}

static void
write_word(struct buf *out, const char *w)
{
	if (*w != '\0' && w[strcspn(w, " \t\"")] == '\0') {
		buf_str(out, w);
		return;
	}
	buf_u8(out, '"');
	for (; *w != '\0'; w++) {
		if (*w == '"' || *w == '\\')
			buf_u8(out, '\\');
		buf_u8(out, (uint8_t)*w);
	}
	buf_u8(out, '"');
}

int
ctl_request_write(struct buf *out, int argc, const char *const *argv, struct zr_err *e)
{
	size_t start = out->len;

	if (argc < 1 || argc > CTL_ARGS_MAX)
		return zr_fail(e, ZR_LIMIT, "%d words; 1 to %d are possible", argc, CTL_ARGS_MAX);
	for (int i = 0; i < argc; i++) {
		for (const char *p = argv[i]; *p != '\0'; p++)
			if (is_forbidden(*p))
				return zr_fail(
				    e, ZR_FORMERR, "an argument holds a control character");
		if (i > 0)
			buf_u8(out, ' ');
		write_word(out, argv[i]);
	}
	if (!out->bad && out->len - start > CTL_LINE_MAX)
		return zr_fail(e, ZR_LIMIT, "the request is longer than %d octets", CTL_LINE_MAX);
	buf_u8(out, '\n');
	if (out->bad)
		return zr_fail(e, ZR_NOMEM, "no memory for the request");
	return 0;
}
