/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/reach.h"

#include "core/forced.h"
#include "tool/text.h"

#include <stddef.h>
#include <string.h>

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* FORCED_PEER_STATE_COUNT when there is none, or one that we do not know. */
static enum forced_peer_state
state_of(const char *name)
{
	unsigned i = 0;

	while (i < FORCED_PEER_STATE_COUNT && !is(name, forced_peer_names[i]))
		i++;
	return (enum forced_peer_state)i;
}

static void
at_time(struct buf *out, const char *before, int64_t at, int64_t now)
{
	char when[TEXT_MAX];

	if (at != 0)
		buf_fmt(out, "%s%s", before, text_when(at, now, when));
}

/* ---- an address ---- */

static void
owed(const struct reach *r, int64_t now, struct buf *out)
{
	if (r->has_tries && r->tries > 0)
		buf_fmt(
		    out, "owed: tried %lld time%s", (long long)r->tries, r->tries == 1 ? "" : "s");
	else
		buf_str(out, "owed");
	if (r->next_at > now)
		at_time(out, ", next at ", r->next_at, now);
	else if (r->next_at != 0)
		buf_str(out, ", next now");
	if (*r->text != '\0')
		buf_fmt(out, ": %s", r->text);
}

static void
sent(const struct reach *r, int64_t now, struct buf *out)
{
	if (r->has_tries && r->tries > 1) {
		owed(r, now, out);
		return;
	}
	at_time(out, "sent at ", r->at, now);
	buf_str(out, ", no answer yet");
}

static void
cannot(const struct reach *r, int64_t now, struct buf *out)
{
	buf_str(out, "does not know NOTIFY(AXFR), got NOTIFY(SOA)");
	if (!r->current && !r->excused)
		buf_str(out, "; run a retransfer there");
	if (r->unsupported_until > now)
		at_time(out, "; not tried again until ", r->unsupported_until, now);
}

void
reach_words(const struct reach *r, int64_t now, struct buf *out)
{
	switch (state_of(r->state)) {
	case FORCED_PEER_OWED:
		owed(r, now, out);
		break;
	case FORCED_PEER_SENT:
		sent(r, now, out);
		break;
	case FORCED_PEER_ACKED:
		at_time(out, "acknowledged at ", r->at, now);
		buf_str(out, ", waiting for it to come");
		break;
	case FORCED_PEER_VERIFIED:
		at_time(out, "verified: fetched the whole zone at ", r->at, now);
		break;
	case FORCED_PEER_UNVERIFIED:
		buf_str(out, "acknowledged, but has not come for the zone");
		at_time(out, "; given up waiting at ", r->at, now);
		break;
	case FORCED_PEER_UNSUPPORTED:
		cannot(r, now, out);
		break;
	case FORCED_PEER_REFUSED:
		at_time(out, "refused at ", r->at, now);
		if (*r->text != '\0')
			buf_fmt(out, ": %s", r->text);
		break;
	case FORCED_PEER_GIVEN_UP:
		at_time(out, "never answered, given up at ", r->at, now);
		break;
	case FORCED_PEER_STATE_COUNT:
		buf_str(out, r->state);
		break;
	}
}

/* What an operator of that server types. */
static void
by_hand(const struct reach *r, struct buf *out)
{
	switch (r->kind) {
	case CONFIG_KIND_BIND:
		buf_fmt(out, "; run there: rndc retransfer %s", r->zone);
		break;
	case CONFIG_KIND_NSD:
		buf_fmt(out, "; run there: nsd-control force_transfer %s", r->zone);
		break;
	case CONFIG_KIND_KNOT:
		buf_fmt(out, "; run there: knotc zone-retransfer %s", r->zone);
		break;
	case CONFIG_KIND_POWERDNS:
		buf_fmt(out, "; run there: pdns_control retrieve %s", r->zone);
		break;
	case CONFIG_KIND_NONE:
		buf_str(out, "; run its own forced retransfer there (rndc retransfer, nsd-control "
			     "force_transfer, knotc zone-retransfer, pdns_control retrieve)");
		break;
	}
}

bool
reach_problem(const struct reach *r, struct buf *out)
{
	enum forced_peer_state s = state_of(r->state);

	if (s != FORCED_PEER_UNVERIFIED && s != FORCED_PEER_REFUSED && s != FORCED_PEER_GIVEN_UP &&
	    (s != FORCED_PEER_UNSUPPORTED || r->current))
		return false;
	if (r->excused && (s == FORCED_PEER_UNVERIFIED || s == FORCED_PEER_UNSUPPORTED))
		return false;
	buf_fmt(out, "%s at %s ", r->name, r->address);
	switch (s) {
	case FORCED_PEER_UNVERIFIED:
		buf_str(out, "acknowledged NOTIFY(AXFR), but has not come for the zone (NSD and "
			     "PowerDNS take it for NOTIFY(SOA))");
		by_hand(r, out);
		break;
	case FORCED_PEER_UNSUPPORTED:
		buf_str(out, "does not know NOTIFY(AXFR), and does not have this version");
		by_hand(r, out);
		break;
	case FORCED_PEER_REFUSED:
		buf_str(out, "refused NOTIFY(AXFR)");
		if (*r->text != '\0')
			buf_fmt(out, " (%s)", r->text);
		buf_fmt(out,
		    "; this host must be a primary of the zone there; then: zonerelayctl notify "
		    "--axfr %s %s",
		    r->zone, r->name);
		break;
	default:
		buf_fmt(out,
		    "never answered NOTIFY(AXFR); when it is back: zonerelayctl notify --axfr %s "
		    "%s",
		    r->zone, r->name);
	}
	return true;
}

/* ---- a command ---- */

static void
last_try(const struct reach_hook *h, int64_t now, struct buf *out)
{
	char ago[TEXT_MAX], span[TEXT_MAX];

	if (h->last_at == 0)
		return;
	buf_fmt(out, "%s %s, took %s", is(h->last_state, "done") ? "ended well" : "failed",
	    text_ago(h->last_at, now, ago), text_span(h->last_duration_us, span));
	if (*h->last_text != '\0' && !is(h->last_state, "done"))
		buf_fmt(out, ": %s", h->last_text);
}

void
reach_hook_words(const struct reach_hook *h, int64_t now, struct buf *out)
{
	char span[TEXT_MAX];

	if (is(h->state, "running")) {
		buf_str(out, "running");
		if (h->since != 0)
			buf_fmt(out, " since %s", text_span(now - h->since, span));
	} else if (is(h->state, "waiting")) {
		buf_str(out, "waits for its turn");
	} else if (is(h->state, "retry")) {
		buf_fmt(out, "failed %lld time%s", (long long)h->tries, h->tries == 1 ? "" : "s");
		if (h->next_at > now)
			at_time(out, ", next at ", h->next_at, now);
		else
			buf_str(out, ", next now");
	}
	if (h->last_at != 0 && out->len > 0)
		buf_str(out, "; last: ");
	last_try(h, now, out);
	if (is(h->state, "failed"))
		buf_str(out, "; given up");
}

bool
reach_hook_problem(const struct reach_hook *h, struct buf *out)
{
	if (!is(h->state, "failed"))
		return false;
	buf_fmt(out, "the command of %s failed for good", h->name);
	if (*h->last_text != '\0')
		buf_fmt(out, " (%s)", h->last_text);
	buf_str(out, "; run it by hand, and see on-forced and on-change of this downstream");
	return true;
}

/* ---- the event ---- */

static const char *
verdict_words(const char *verdict)
{
	static const char *const words[FORCED_VERDICT_COUNT] = {
	    [FORCED_NEW] = "other content than before, passed on to all",
	    [FORCED_REPEAT] = "the same content once more, passed on to all",
	    [FORCED_DUPLICATE] =
		"the same content again, passed on to those who have not fetched it",
	    [FORCED_ALTERNATING] = "the primaries disagree about the content, passed on to nobody",
	};

	for (unsigned i = 0; i < FORCED_VERDICT_COUNT; i++)
		if (is(verdict, forced_verdict_names[i]))
			return words[i];
	return verdict;
}

void
reach_event_words(const struct reach_event *v, int64_t now, struct buf *out)
{
	char when[TEXT_MAX];

	buf_fmt(out, "%lld at %s: ", (long long)v->event, text_when(v->at, now, when));
	if (*v->source == '\0') {
		buf_str(out, "NOTIFY(AXFR) by command, no transfer");
		return;
	}
	buf_fmt(out, "serial %lld from %s, asked for by %s: %s", (long long)v->serial, v->source,
	    *v->notifier != '\0' ? v->notifier : "an operator", verdict_words(v->verdict));
	if (v->last_at > v->at)
		buf_fmt(out, "; last time %s", text_when(v->last_at, now, when));
}

bool
reach_event_problem(const struct reach_event *v, struct buf *out)
{
	if (!v->pinned && !is(v->verdict, forced_verdict_names[FORCED_ALTERNATING]))
		return false;
	buf_str(out,
	    "the primaries have different content under one serial, and forced transfers go "
	    "back and forth between them: make them agree");
	if (v->pinned)
		buf_str(out, "; until then only the first one of the zone is believed");
	return true;
}
