/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSIG, RFC 8945: messages signed with a secret that two parties share.  Pure: the time is an
 * argument, in seconds since 1970, and nothing is logged.
 *
 * A key is immutable once made; any number of threads may use it at the same time.  A transaction
 * belongs to one thread.  Both borrow nothing but what is said below.
 *
 * Asking:     tsig_sign_request(), send; then for each message that comes tsig_verify_answer(), or
 *             the functions of a stream for an answer of several messages.
 * Answering:  tsig_verify_request(); TSIG_OK: tsig_sign_answer() for every message of the answer
 *             (TS-16); TSIG_NONE: answer without TSIG, or refuse; TSIG_FORMERR: FORMERR without
 *             TSIG, or nothing; TSIG_BAD*: RCODE NOTAUTH with tsig_sign_error().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/msg.h"
#include "wire/name.h"

#define TSIG_FUDGE 300	/* seconds that we allow */
#define TSIG_MAC_MAX 64 /* octets: HMAC-SHA512 */
#define TSIG_SECRET_MAX 1024
#define TSIG_UNSIGNED_MAX 99 /* messages in a row of a stream (TS-17, TS-20) */
/* The longest TSIG record of ours: key name, fixed part, algorithm, fields, MAC, time of error. */
#define TSIG_SIZE_MAX (NAME_MAX_LEN + 10 + 13 + 16 + TSIG_MAC_MAX + 6)

/* Values of the error field. */
#define TSIG_ERROR_BADSIG 16
#define TSIG_ERROR_BADKEY 17
#define TSIG_ERROR_BADTIME 18
#define TSIG_ERROR_BADTRUNC 22
const char *tsig_error_text(unsigned error); /* "BADSIG", ...; others as "unknown error" */

/* In the order of strength (TS-29).  HMAC-MD5 is refused (TS-28), SHA-1 is for old peers. */
enum tsig_alg {
	TSIG_HMAC_SHA1,
	TSIG_HMAC_SHA224,
	TSIG_HMAC_SHA256,
	TSIG_HMAC_SHA384,
	TSIG_HMAC_SHA512,
	TSIG_ALG_COUNT
};

const char *tsig_alg_name(enum tsig_alg alg); /* "hmac-sha256" */
size_t tsig_alg_mac(enum tsig_alg alg);	      /* octets of a whole MAC */
/* Case does not matter, nor a final dot. */
int tsig_alg_parse(enum tsig_alg *out, const char *text, struct zr_err *e);
/* By the wire name in lower case. */
bool tsig_alg_find(enum tsig_alg *out, const uint8_t *name);

struct evp_mac_ctx_st;

struct tsig_key {
	uint8_t name[NAME_MAX_LEN]; /* wire, lower case */
	uint8_t name_len;
	enum tsig_alg alg;
	uint8_t *secret; /* owned; shorter than tsig_alg_mac() is weak (TS-30) */
	size_t secret_len;
	/*
	 * Local policy (TS-10): shorter MACs from the peer are BADTRUNC.  0: everything that the
	 * RFC allows, which is max(10, half of the MAC).  To be set after the key is made.
	 */
	uint8_t mac_min;
	struct evp_mac_ctx_st *ready; /* has the secret; is copied for every message */
};

/* `name` is in wire form, in any case; the secret is copied, 1 to TSIG_SECRET_MAX octets. */
int tsig_key_init(struct tsig_key *k, const uint8_t *name, enum tsig_alg alg, const void *secret,
    size_t len, struct zr_err *e);
/* The parts as text, the secret in base64; no text of an error has a part of the secret. */
int tsig_key_set(
    struct tsig_key *k, const char *name, const char *alg, const char *secret, struct zr_err *e);
/* "[alg:]name:base64"; hmac-sha256 when no algorithm is there. */
int tsig_key_parse(struct tsig_key *k, const char *text, struct zr_err *e);
/* Wipes the secret.  Also for a key that is all zero, or that could not be made. */
void tsig_key_clear(struct tsig_key *k);
bool tsig_key_equal(const struct tsig_key *a, const struct tsig_key *b);
/* Octets that signing adds to a message. */
size_t tsig_size(const struct tsig_key *k);

enum tsig_result {
	TSIG_OK,
	TSIG_PENDING, /* stream: no TSIG here; nothing is known until one comes (TS-22) */
	TSIG_NONE,    /* no TSIG where one is needed (TS-23) */
	TSIG_FORMERR, /* cannot be understood, or a MAC of an impossible length (TS-03, TS-07) */
	TSIG_BADKEY,
	TSIG_BADSIG,
	TSIG_BADTIME,
	TSIG_BADTRUNC,
	TSIG_REJECTED, /* an authentic answer: the peer did not accept our request: rr.error */
	/*
	 * The peer claims the same without signing it (NOTAUTH with BADKEY or BADSIG), or somebody
	 * in its place: worth a line in the log, no reason to end the wait for an answer (TS-24).
	 */
	TSIG_REJECTED_UNSIGNED,
	TSIG_FAILED, /* no memory, or libcrypto failed */
	TSIG_RESULT_COUNT
};

extern const char *const tsig_result_names[TSIG_RESULT_COUNT]; /* "ok", "badsig", ... */
/* Value of the error field for TSIG_BAD*; else 0. */
unsigned tsig_result_error(enum tsig_result r);

/* A TSIG record.  Borrows from the message. */
struct tsig_rr {
	uint8_t name[NAME_MAX_LEN]; /* of the key; lower case */
	uint8_t alg[NAME_MAX_LEN];  /* lower case */
	uint64_t time;		    /* signed at; 48 bits */
	const uint8_t *mac, *other;
	uint16_t fudge, mac_len, original_id, error, other_len;
};

/* TSIG_OK, TSIG_NONE or TSIG_FORMERR.  `m` must have been parsed with MSG_FULL. */
enum tsig_result tsig_read(struct tsig_rr *rr, const struct msg *m);
/* The time of the peer in a BADTIME answer.  For the log only: no clock follows it (TS-25). */
bool tsig_peer_time(const struct tsig_rr *rr, uint64_t *out);

/* One request and what answers it.  Nothing to free. */
struct tsig_txn {
	const struct tsig_key *key; /* borrowed */
	uint8_t mac[TSIG_MAC_MAX];  /* of the request as sent (TS-27), then of the last answer */
	uint8_t mac_len;
	uint32_t answers;     /* signed so far */
	uint64_t answer_time; /* Time Signed of the last one */
};

/* The key with this name, lower-case wire; NULL: none. */
typedef const struct tsig_key *(*tsig_find)(void *arg, const uint8_t *name);

/*
 * A finished message, the only content of `b`, gets a TSIG record; it stays as it was when that
 * fails, unless the buffer is bad.  ZR_LIMIT: the message would be too long.
 */
int tsig_sign_request(
    struct tsig_txn *t, const struct tsig_key *k, struct buf *b, uint64_t now, struct zr_err *e);
/*
 * The first answer to a request that was verified, and the further messages of a stream, in
 * order.  The time never goes back within it (TS-21).
 */
int tsig_sign_answer(struct tsig_txn *t, struct buf *b, uint64_t now, struct zr_err *e);
/*
 * The answer to a request that failed with TSIG_BAD*, which may become longer than tsig_size()
 * tells, by the names that a stranger sent: `rr` and `t` are from
 * tsig_verify_request(), `b` a finished answer with RCODE NOTAUTH.  BADKEY and BADSIG are not
 * signed, BADTIME and BADTRUNC are (TS-05, TS-06, TS-08, TS-10).
 */
int tsig_sign_error(struct tsig_txn *t, const struct tsig_rr *rr, enum tsig_result why,
    struct buf *b, uint64_t now, struct zr_err *e);

/*
 * Checks in the order key, MAC, time, truncation (TS-04).  `m` must have been parsed with
 * MSG_FULL.  *rr is filled unless the result is NONE or FORMERR.  *t is for tsig_sign_answer()
 * after TSIG_OK, and for tsig_sign_error() after TSIG_BAD*.  That nobody sends an old request again
 * within its fudge is the caller's to see (TS-09): rr->time.
 */
enum tsig_result tsig_verify_request(struct tsig_txn *t, struct tsig_rr *rr, const struct msg *m,
    tsig_find find, void *arg, uint64_t now);
/* An answer of one message.  *t stays as it is, so that another message can be tried. */
enum tsig_result tsig_verify_answer(
    const struct tsig_txn *t, struct tsig_rr *rr, const struct msg *m, uint64_t now);

/* The answer of several messages, as they come.  All zero: can be cleared. */
struct tsig_stream {
	struct tsig_txn txn;
	struct evp_mac_ctx_st *run; /* of the messages since the last TSIG; owned */
	unsigned waiting;	    /* how many they are */
	bool failed;		    /* for good */
};

/* *t is copied; its key must live as long as the stream. */
void tsig_stream_init(struct tsig_stream *s, const struct tsig_txn *t);
void tsig_stream_clear(struct tsig_stream *s);
/*
 * TSIG_OK: this and all messages before it are authentic.  TSIG_PENDING: keep the data apart.
 * Anything else ends the stream: drop what is not authentic, close the connection (TS-19).
 */
enum tsig_result tsig_stream_verify(
    struct tsig_stream *s, struct tsig_rr *rr, const struct msg *m, uint64_t now);
/* The stream may end here: the last message was signed (TS-17). */
bool tsig_stream_whole(const struct tsig_stream *s);
