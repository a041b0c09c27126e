/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/verdict.h"

#include "base/clock.h"
#include "base/err.h"
#include "tool/text.h"

#include <stddef.h>
#include <string.h>

/* A check may be late by this much before it is worth a word: it waits for its turn. */
#define LATE_US (10 * ZR_US_PER_S)

const struct verdict verdict_blank = {
    .name = "",
    .state = "",
    .activity = "",
    .pending = "",
    .ahead_primary = "",
    .error = "",
    .error_code = "",
    .error_peer = "",
    .error_address = "",
    .transfer = "",
    .primary = "",
    .older = "",
    .pending_notifier = "",
    .forced_wait = "",
    .forced_limit = "",
    .unverified = "",
    .unsupported = "",
    .refused = "",
    .unanswered = "",
    .hooks_failed = "",
};

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* What is under way, for a zone that waits for nothing else. */
static bool
add_activity(const struct verdict *v, int64_t now, struct buf *out)
{
	char span[TEXT_MAX], size[TEXT_MAX];

	if (is(v->activity, "") || is(v->activity, "idle"))
		return false;
	if (is(v->activity, "waiting"))
		return false;
	if (is(v->activity, "held")) {
		buf_str(out, ", frozen by an operator");
		return true;
	}
	buf_str(out, ", now ");
	text_clean(out, v->activity);
	if (is(v->activity, "transferring") || is(v->activity, "checking")) {
		if (*v->transfer != '\0' && is(v->activity, "transferring")) {
			buf_u8(out, ' ');
			text_clean(out, v->transfer);
		}
		if (*v->primary != '\0') {
			buf_str(out, is(v->activity, "transferring") ? " from " : " at ");
			text_clean(out, v->primary);
		}
		if (v->transfer_records > 0)
			buf_fmt(out, ": %lld records, %s", (long long)v->transfer_records,
			    text_size((uint64_t)v->transfer_octets, size));
		if (v->transfer_at > 0)
			buf_fmt(out, " in %s", text_span(now - v->transfer_at, span));
	}
	return true;
}

static void
add_error(const struct verdict *v, int64_t now, struct buf *out)
{
	char ago[TEXT_MAX];
	/* It may have failed while the facts were being gathered. */
	int64_t at = v->error_at < now ? v->error_at : now;

	if (*v->error == '\0')
		return;
	buf_str(out, ", last attempt failed");
	if (v->error_at > 0)
		buf_fmt(out, " %s", text_ago(at, now, ago));
	if (v->failures > 1)
		buf_fmt(out, " (%lld in a row)", (long long)v->failures);
	buf_str(out, ": ");
	text_clean(out, v->error);
	if (*v->error_peer != '\0' && strstr(v->error, v->error_peer) == NULL) {
		buf_str(out, " (");
		text_clean(out, v->error_peer);
		buf_u8(out, ')');
	}
}

static void
add_next(const struct verdict *v, int64_t now, struct buf *out)
{
	char span[TEXT_MAX], when[TEXT_MAX];

	if (v->next_at == 0)
		return;
	if (v->next_at <= now) {
		buf_str(out, ", next try is due");
		return;
	}
	text_when(v->next_at, now, when);
	when[strcspn(when, " ")] = '\0';
	buf_fmt(out, ", next try in %s (%s)", text_span(v->next_at - now, span), when);
}

static void
say_current(const struct verdict *v, int64_t now, struct buf *out)
{
	char ago[TEXT_MAX];

	buf_fmt(out, "current: serial %u", (unsigned)v->serial);
	if (v->checked_at > 0)
		buf_fmt(out, ", checked %s", text_ago(v->checked_at, now, ago));
	if (is(v->pending, "check"))
		buf_str(out, ", a check is owed");
	else if (is(v->pending, "none") && v->refresh_at > 0 && v->refresh_at < now - LATE_US)
		buf_fmt(
		    out, ", the next check is overdue by %s", text_span(now - v->refresh_at, ago));
	add_activity(v, now, out);
}

static void
say_behind(const struct verdict *v, struct buf *out)
{
	buf_str(out, "behind: ");
	if (v->has_ahead) {
		buf_str(out, "primary ");
		text_clean(out, v->ahead_primary);
		buf_fmt(out, " has %u, ", (unsigned)v->ahead_serial);
	} else if (v->has_want) {
		buf_fmt(out, "a NOTIFY announced %u, ", (unsigned)v->want_serial);
	}
	buf_fmt(out, "we have %u", (unsigned)v->serial);
}

static void
say_failing(const struct verdict *v, int64_t now, struct buf *out)
{
	char span[TEXT_MAX], when[TEXT_MAX];

	buf_str(out, "failing: ");
	if (*v->older != '\0')
		text_clean(out, v->older);
	else
		buf_str(out, "no primary could be asked");
	buf_fmt(out, "%s; serial %u is served", *v->older != '\0' ? ", which is not newer" : "",
	    (unsigned)v->serial);
	if (v->expire_at > now) {
		text_when(v->expire_at, now, when);
		when[strcspn(when, " ")] = '\0';
		buf_fmt(
		    out, " for another %s (until %s)", text_span(v->expire_at - now, span), when);
	}
}

static void
say_expired(const struct verdict *v, int64_t now, struct buf *out)
{
	char ago[TEXT_MAX], when[TEXT_MAX];

	buf_str(out, "expired");
	if (v->expire_at > 0) {
		text_when(v->expire_at, now, when);
		when[strcspn(when, " ")] = '\0';
		buf_fmt(out, " since %s (%s)", when, text_ago(v->expire_at, now, ago));
	}
	buf_fmt(out, ": serial %u is not served any more", (unsigned)v->serial);
}

/* A forced transfer that is owed: who wants it, and what it waits for. */
static void
add_forced(const struct verdict *v, int64_t now, struct buf *out)
{
	char when[TEXT_MAX], span[TEXT_MAX];

	if (!is(v->pending, "force"))
		return;
	buf_str(out, ", a forced transfer is pending");
	if (v->pending_at > 0)
		buf_fmt(out, " since %s", text_span(now - v->pending_at, span));
	if (*v->pending_notifier != '\0') {
		buf_str(out, " (asked for by ");
		text_clean(out, v->pending_notifier);
		buf_u8(out, ')');
	}
	if (*v->forced_wait == '\0' || is(v->activity, "transferring"))
		return;
	if (v->forced_wait_at > now) {
		text_when(v->forced_wait_at, now, when);
		when[strcspn(when, " ")] = '\0';
		buf_fmt(out, " and waits until %s (", when);
	} else {
		buf_str(out, " and waits for its turn (");
	}
	text_clean(out, v->forced_wait);
	if (*v->forced_limit != '\0')
		buf_fmt(out, ": %s", v->forced_limit);
	buf_u8(out, ')');
}

/* Who still has what was there before the last forced transfer. */
static void
add_trouble(const struct verdict *v, struct buf *out)
{
	const struct {
		const char *names, *text;
	} trouble[] = {
	    {v->unverified, "acknowledged the forced transfer but has not come for it"},
	    {v->unsupported, "does not know NOTIFY(AXFR)"},
	    {v->refused, "refused NOTIFY(AXFR)"},
	    {v->unanswered, "never answered NOTIFY(AXFR)"},
	    {v->hooks_failed, "command failed"},
	};

	for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++) {
		if (*trouble[i].names == '\0')
			continue;
		buf_fmt(out, "; %s: ", trouble[i].text);
		text_clean(out, trouble[i].names);
	}
}

static void
say_state(const struct verdict *v, int64_t now, struct buf *out)
{
	if (is(v->state, "current")) {
		say_current(v, now, out);
		return;
	}
	if (is(v->state, "behind"))
		say_behind(v, out);
	else if (is(v->state, "failing"))
		say_failing(v, now, out);
	else if (is(v->state, "expired"))
		say_expired(v, now, out);
	else if (*v->error != '\0')
		buf_str(out, "never loaded");
	else
		buf_str(out, "never loaded: no primary has answered yet");
	/* Without a code: they answered, and what they have was said. */
	if (!is(v->state, "failing") || *v->older == '\0' || *v->error_code != '\0')
		add_error(v, now, out);
	if (!add_activity(v, now, out))
		add_next(v, now, out);
}

void
verdict_line(const struct verdict *v, int64_t now, struct buf *out)
{
	say_state(v, now, out);
	add_forced(v, now, out);
	add_trouble(v, out);
}

/* "try: dig @192.0.2.1 -p 53 NAME SOA" */
static void
add_try(const struct verdict *v, const char *more, struct buf *out)
{
	const char *at = strrchr(v->error_address, '@');

	if (out->len > 0 && out->data[out->len - 1] != '?')
		buf_u8(out, ';');
	buf_str(out, " try: dig @");
	if (at != NULL) {
		for (const char *p = v->error_address; p < at; p++)
			buf_u8(out, (uint8_t)*p);
		if (strcmp(at, "@53") != 0)
			buf_fmt(out, " -p %s", at + 1);
	} else {
		buf_str(out, "ADDRESS");
	}
	buf_fmt(out, " %s SOA%s", v->name, more);
}

void
verdict_hint(const struct verdict *v, struct buf *out)
{
	static const struct {
		enum zr_code code;
		const char *text;
		const char *dig; /* arguments behind the usual ones; NULL = no try */
	} hints[] = {
	    {ZR_TIMEOUT, "does the primary run, and do firewalls let UDP and TCP through?", ""},
	    {ZR_IO, "is the address right, does the primary run, and do firewalls let TCP through?",
		" +tcp"},
	    {ZR_CLOSED, "the primary broke off; its log says why", NULL},
	    {ZR_TLS,
		"the primary's certificate, or ours, is not what the other side wants: see tls of "
		"this primary in the configuration",
		NULL},
	    {ZR_REFUSED,
		"the primary must serve this zone and allow this host to transfer it (BIND "
		"allow-transfer, NSD provide-xfr, Knot acl)",
		""},
	    {ZR_SERVFAIL, "the primary cannot serve the zone itself; its log says why", ""},
	    {ZR_NOTIMP, "that server does not transfer zones; is the address right?", NULL},
	    {ZR_FORMERR, "the primary's answer is not as it should be; is there something between?",
		""},
	    {ZR_BADZONE,
		"the zone is at fault at the primary: check it there, for example with "
		"named-checkzone",
		NULL},
	    {ZR_DIFF,
		"the incremental transfer does not fit what we have; fetch it whole: "
		"zonerelayctl retransfer NAME",
		NULL},
	    {ZR_LIMIT, "has the zone grown? then raise max-size or max-records", NULL},
	    {ZR_NOMEM, "this host is out of memory", NULL},
	    {ZR_DB, "is there space left for the database, and may zonerelayd write to it?", NULL},
	    {ZR_DAMAGED,
		"the database is damaged; zonerelayctl retransfer NAME fetches the zone anew, and "
		"the "
		"log of zonerelayd says more",
		NULL},
	    {ZR_CONF, "see the configuration of this zone", NULL},
	};

	if (is(v->state, "current"))
		return;
	if (is(v->state, "failing") && *v->older != '\0') {
		buf_fmt(out,
		    "raise the serial at the primary above %u; or, to take over what it has: "
		    "zonerelayctl retransfer %s",
		    (unsigned)v->serial, v->name);
		return;
	}
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (is(v->error_code, zr_code_name(hints[i].code))) {
			buf_str(out, hints[i].text);
			if (hints[i].dig != NULL)
				add_try(v, hints[i].dig, out);
			return;
		}
	if (is(v->state, "never") && *v->error == '\0')
		buf_str(out, "wait for the first check, or: zonerelayctl refresh --wait NAME");
	else if (is(v->state, "behind") && *v->error == '\0')
		buf_str(out, "if it stays so: zonerelayctl refresh --wait NAME");
}
