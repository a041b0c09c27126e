/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: one line per event, "time level event key=value ...", or one JSON
 * object per line.  Any thread may log; the state below is set once, before
 * threads start, and is changed only by log_set_level().
 *
 *     log_event(LOG_LVL_INFO, "transfer-done", LS("zone", name), LU("serial", 7));
 *
 * Event names are part of the interface and listed in HACKING.md.
 * Never put key material in a field.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LVL_DEBUG, LOG_LVL_INFO, LOG_LVL_WARN, LOG_LVL_ERROR };
enum log_format { LOG_FMT_TEXT, LOG_FMT_JSON };
enum log_dest { LOG_DEST_STDERR, LOG_DEST_SYSLOG };

enum log_kind { LOG_KIND_STR, LOG_KIND_UINT, LOG_KIND_INT, LOG_KIND_BOOL };

struct log_field {
	const char *key;
	enum log_kind kind;
	union {
		const char *s; /* NULL: the field is left out */
		uint64_t u;
		int64_t i;
		bool b;
	};
};

#define LS(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = (v)})
#define LU(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_UINT, .u = (v)})
#define LI(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .i = (v)})
#define LB(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_BOOL, .b = (v)})

#define log_event(level, event, ...)                                                               \
	log_fields((level), (event), (const struct log_field[]){__VA_ARGS__},                      \
	    sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

void log_open(enum log_level level, enum log_format format, enum log_dest dest);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Quotes values which hold anything but [A-Za-z0-9._:@/+-]; one write(2) per line unless deferred.
 */
void log_fields(enum log_level level, const char *event, const struct log_field *f, size_t n);

/*
 * Lines of the calling thread below LOG_LVL_WARN are kept until log_flush(), which is up to whoever
 * is behind `arm`: it is called with the first of them.  Other lines, and too many, flush by
 * themselves.  For one thread at a time; NULL: no more, and flush.
 */
void log_defer(void (*arm)(void *arg), void *arg);
void log_flush(void);

/*
 * A limiter for lines that strangers can cause: at most `burst` lines, then one
 * per `interval_us`.  log_limit_pass() answers whether to write now; *suppressed is
 * then the number left out since the last written one.  One owner thread each.
 */
struct log_limit {
	int64_t interval_us;
	int64_t burst;
	int64_t tokens_us; /* internal */
	int64_t last_us;   /* internal */
	uint64_t suppressed;
};
bool log_limit_pass(struct log_limit *l, int64_t now_us, uint64_t *suppressed);

bool log_level_parse(const char *text, enum log_level *out); /* debug info warn error */
