/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define DEFER_MAX 32768 /* octets of lines kept */
#define VALUE_MAX 1024	/* octets of a string value; a name as text is at most 1004 */

static atomic_int level_now = LOG_LVL_INFO;
static enum log_format format_now = LOG_FMT_TEXT;
static enum log_dest dest_now = LOG_DEST_STDERR;
/* A pipe may take a long line in pieces; without the lock two lines could mix. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

/* Lines that wait for log_flush(), of the thread that has called log_defer(). */
static _Thread_local bool deferring;
static void (*defer_arm)(void *arg);
static void *defer_arg;
static struct buf deferred = BUF_INIT;

static const char *const level_name[] = {"debug", "info", "warn", "error"};
static const int level_syslog[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

void
log_open(enum log_level level, enum log_format format, enum log_dest dest)
{
	log_set_level(level);
	format_now = format;
	dest_now = dest;
	if (dest == LOG_DEST_SYSLOG)
		openlog("zonerelayd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

bool
log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

static bool
is_plain(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || strchr("._:@/+-", *p) != NULL))
			return false;
	return *s != '\0';
}

/* Only printable ASCII passes: what a peer sent must not steer a terminal. */
static void
put_quoted(struct buf *b, const char *s)
{
	buf_u8(b, '"');
	for (const uint8_t *p = (const uint8_t *)s; *p != 0; p++) {
		if (*p == '"' || *p == '\\')
			buf_fmt(b, "\\%c", *p);
		else if (*p == '\n')
			buf_str(b, "\\n");
		else if (*p < 0x20 || *p >= 0x7f)
			buf_fmt(b, "\\x%02x", *p);
		else
			buf_u8(b, *p);
	}
	buf_u8(b, '"');
}

static void
put_text(struct buf *b, const char *s)
{
	char cut[VALUE_MAX + sizeof("...")];

	if (strnlen(s, VALUE_MAX + 1) > VALUE_MAX) {
		memcpy(cut, s, VALUE_MAX);
		memcpy(cut + VALUE_MAX, "...", sizeof("..."));
		s = cut;
	}
	if (format_now == LOG_FMT_JSON)
		buf_json(b, s);
	else if (is_plain(s))
		buf_str(b, s);
	else
		put_quoted(b, s);
}

static void
put_value(struct buf *b, const struct log_field *f)
{
	switch (f->kind) {
	case LOG_KIND_STR:
		put_text(b, f->s);
		break;
	case LOG_KIND_UINT:
		buf_fmt(b, "%" PRIu64, f->u);
		break;
	case LOG_KIND_INT:
		buf_fmt(b, "%" PRId64, f->i);
		break;
	case LOG_KIND_BOOL:
		buf_str(b, f->b ? "true" : "false");
		break;
	}
}

static void
put_line(
    struct buf *b, enum log_level level, const char *event, const struct log_field *f, size_t n)
{
	bool json = format_now == LOG_FMT_JSON;
	char when[CLOCK_RFC3339_LEN];

	clock_rfc3339(clock_now().wall, true, when);
	if (json)
		buf_fmt(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when,
		    level_name[level], event);
	else if (dest_now == LOG_DEST_SYSLOG) /* which writes its own time */
		buf_fmt(b, "%s %s", level_name[level], event);
	else
		buf_fmt(b, "%s %s %s", when, level_name[level], event);
	for (size_t i = 0; i < n; i++) {
		if (f[i].kind == LOG_KIND_STR && f[i].s == NULL)
			continue;
		buf_fmt(b, json ? ",\"%s\":" : " %s=", f[i].key);
		put_value(b, &f[i]);
	}
	if (json)
		buf_u8(b, '}');
}

static void
write_line(const char *p, size_t len)
{
	pthread_mutex_lock(&write_lock);
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* there is nobody to tell */
		p += n;
		len -= (size_t)n;
	}
	pthread_mutex_unlock(&write_lock);
}

void
log_flush(void)
{
	if (deferred.len > 0)
		write_line((const char *)deferred.data, deferred.len);
	buf_reset(&deferred);
}

void
log_defer(void (*arm)(void *arg), void *arg)
{
	log_flush();
	if (arm == NULL)
		buf_clear(&deferred);
	defer_arm = arm;
	defer_arg = arg;
	deferring = arm != NULL;
}

/* False: it is to be written now, after those that wait. */
static bool
keep(enum log_level level, const struct buf *line)
{
	if (!deferring)
		return false;
	if (level < LOG_LVL_WARN && deferred.len + line->len <= DEFER_MAX) {
		if (deferred.len == 0)
			defer_arm(defer_arg);
		buf_bytes(&deferred, line->data, line->len);
		if (!deferred.bad)
			return true;
	}
	log_flush();
	return false;
}

void
log_fields(enum log_level level, const char *event, const struct log_field *f, size_t n)
{
	static const char no_memory[] = "error log-out-of-memory\n";
	struct buf line = BUF_INIT;
	int saved = errno; /* so that a caller may log before it looks */

	if (!log_enabled(level))
		return;
	put_line(&line, level, event, f, n);
	if (dest_now == LOG_DEST_SYSLOG) {
		syslog(level_syslog[level], "%s", buf_cstr(&line));
	} else {
		buf_u8(&line, '\n');
		if (line.bad)
			write_line(no_memory, sizeof(no_memory) - 1);
		else if (!keep(level, &line))
			write_line((const char *)line.data, line.len);
	}
	buf_clear(&line);
	errno = saved;
}

/* Tokens are counted as time, so that no fraction is lost. */
bool
log_limit_pass(struct log_limit *l, int64_t now_us, uint64_t *suppressed)
{
	int64_t full, since = now_us - l->last_us;

	if (__builtin_mul_overflow(l->interval_us, l->burst, &full))
		full = INT64_MAX;
	if (l->last_us == 0 || since > full - l->tokens_us)
		l->tokens_us = full;
	else if (since > 0)
		l->tokens_us += since;
	l->last_us = now_us != 0 ? now_us : 1; /* 0 means: never used */
	*suppressed = l->suppressed;
	if (l->tokens_us < l->interval_us) {
		l->suppressed++;
		return false;
	}
	l->tokens_us -= l->interval_us;
	l->suppressed = 0;
	return true;
}

bool
log_level_parse(const char *text, enum log_level *out)
{
	for (size_t i = 0; i < sizeof(level_name) / sizeof(level_name[0]); i++) {
		if (strcmp(text, level_name[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}
