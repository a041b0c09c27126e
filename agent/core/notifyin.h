/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging a received NOTIFY: who sent it, for which zone, what is answered, what the zone is told
 * (N-01..N-35, A-01, A-02, A-11, A-16..A-18, A-37, R-02..R-05).  Pure; owned by the main loop.
 *
 * An UDP request that repeats one of the last seconds octet by octet, from the same address and
 * port, is a retransmission: it gets the same answer again without touching the zone, or
 * none while the first one still waits for the disk.  For NOTIFY(AXFR) that holds as long as its
 * sender may go on repeating it for want of an answer: each further one would cost a transfer.
 * Answers of this kind have a rate of their own, for anybody may have overheard the request.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "core/acl.h"
#include "core/bucket.h"
#include "core/zone.h"
#include "wire/msg.h"

#define NOTIFYIN_MEMORY 1024		     /* requests remembered */
#define NOTIFYIN_MEMORY_US (5 * ZR_US_PER_S) /* for so long */
/* NOTIFY(AXFR) that was answered NOERROR: for so long since it was last seen (N-15: 60 s apart) */
#define NOTIFYIN_FORCED_US (65 * ZR_US_PER_S)
#define NOTIFYIN_SOURCES 4096 /* places of each limiter */

struct notifyin;

/* How the judge asks about zones. */
struct notifyin_zones {
	/* By lower-case wire name, exact; NULL: not ours. */
	struct zone *(*find)(void *arg, const uint8_t *name);
	/* Is there a delegation at or above qname inside the zone?  May be NULL: no. */
	bool (*delegated)(void *arg, const struct zone *z, const uint8_t *qname);
	void *arg;
};

struct notifyin_conf {
	/*
	 * Per source.  A source has `known` once more for what it sends over TCP or with a cookie,
	 * and once more for what is signed; so has each key, whatever the sources.
	 */
	struct bucket_rate known, stranger;
};

struct notifyin *notifyin_new(const struct notifyin_conf *c, const struct notifyin_zones *z);
void notifyin_free(struct notifyin *n);
/* primaries: ids are those of struct primary.  Borrowed until the next call; call at every reload.
 */
void notifyin_configure(
    struct notifyin *n, const struct notifyin_conf *c, const struct acl *primaries);

struct notifyin_source {
	struct zr_addr from; /* with port */
	bool tcp;
	bool reached; /* it has returned our cookie: the address is not forged (C-11) */
	/*
	 * Is the certificate that it came with this primary's?  NULL: it came with none.  It
	 * authenticates.
	 */
	bool (*certified)(const void *certificate, const struct primary *p);
	const void *certificate;
	/*
	 * The name of the key that it is signed with, checked by the caller; NULL: it is not
	 * signed.  It authenticates when it is the primary's notify_key.
	 */
	const uint8_t *key;
	bool seen; /* signed, and acted upon before: it is answered again, and nothing else */
};

enum notifyin_why {
	NOTIFYIN_OK,
	NOTIFYIN_REPEAT,       /* retransmission: answered again */
	NOTIFYIN_REPEAT_WAITS, /* retransmission: the first answer is still to come; dropped */
	NOTIFYIN_RESPONSE,     /* QR=1: dropped */
	NOTIFYIN_RCODE,	       /* RCODE not 0: dropped */
	NOTIFYIN_SHORT,	       /* no whole header: dropped */
	NOTIFYIN_FLOOD,	   /* above the rate, and not authorised or not a zone's name: dropped */
	NOTIFYIN_STRANGER, /* no primary of anything */
	NOTIFYIN_MALFORMED,
	NOTIFYIN_QUESTIONS, /* QDCOUNT is not 1 */
	NOTIFYIN_TRUNCATED, /* TC=1 */
	NOTIFYIN_VERSION,   /* EDNS version above 0 */
	NOTIFYIN_SIGNED,    /* TSIG that nobody has checked */
	NOTIFYIN_CLASS,
	NOTIFYIN_QTYPE,
	NOTIFYIN_NO_ZONE,
	NOTIFYIN_CHILD,	      /* name below a delegation */
	NOTIFYIN_NOT_PRIMARY, /* known peer, but not a primary of this zone */
	NOTIFYIN_FORCED_OFF,  /* NOTIFY(AXFR): not taken from this primary (REFUSED, EDE 18) */
	NOTIFYIN_FORCED_AUTH, /* NOTIFY(AXFR) of this primary must be authenticated */
	NOTIFYIN_UNSIGNED,    /* each NOTIFY of this primary must be signed with its key */
	NOTIFYIN_WHY_COUNT
};

extern const char *const notifyin_why_names[NOTIFYIN_WHY_COUNT];

struct notifyin_verdict {
	enum notifyin_why why;
	bool drop; /* no answer; nothing else below is meant */
	uint16_t rcode;
	bool aa;
	int ede;	   /* -1 = none */
	struct zone *zone; /* not NULL: step it with ZONE_EV_NOTIFY and notify; its answer rules
			      when to reply */
	struct zone_notify notify;
	struct primary *primary; /* not NULL with zone: call primary_notified() first */
	uint32_t memory;	 /* for notifyin_answered(); 0 = none */
};

/*
 * `parsed` is the result of msg_parse(MSG_FULL) and m what it left.  Opcode NOTIFY is the caller's
 * business (dispatch on the opcode comes first, AN-19).
 */
void notifyin_judge(struct notifyin *n, const struct notifyin_source *src, const struct msg *m,
    int parsed, struct zr_mono now, struct notifyin_verdict *v);
/* The answer that had to wait has been sent (or became SERVFAIL): retransmissions get the same. */
void notifyin_answered(struct notifyin *n, uint32_t memory, uint16_t rcode);
