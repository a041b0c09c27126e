/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the main loop and the transfer loops ("workers") say to each other.  A mail is one heap
 * object that changes hands when posted; mail_free() frees any of them.  Zones are named by id and
 * epoch, connections and jobs by numbers, never by pointer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mbox.h"
#include "core/xfrin.h"
#include "net/tls.h"
#include "store/store.h"
#include "wire/cookie.h"
#include "wire/keyref.h"
#include "wire/segment.h"

enum mail_type {
	/* STORE_DONE = 1 comes from the store */
	MAIL_JOB = 16,	   /* main -> worker: struct job_mail */
	MAIL_JOB_CANCEL,   /* main -> worker: struct job_ref_mail */
	MAIL_ACCEPT,	   /* main -> worker: struct accept_mail */
	MAIL_REPLY,	   /* main -> worker: struct bytes_mail */
	MAIL_STREAM,	   /* main -> worker: struct stream_mail */
	MAIL_STOP,	   /* main -> worker: struct mail */
	MAIL_PING,	   /* main -> worker, and the same back: struct mail */
	MAIL_JOB_DONE,	   /* worker -> main: struct job_done_mail */
	MAIL_JOB_PROGRESS, /* worker -> main: struct job_progress_mail */
	MAIL_REQUEST,	   /* worker -> main: struct bytes_mail */
	MAIL_STREAM_DONE,  /* worker -> main: struct stream_done_mail */
	MAIL_CLIENT_GONE,  /* worker -> main: struct accept_mail, fd unused */
	MAIL_STOPPED	   /* worker -> main: struct mail */
};

enum job_kind {
	JOB_TRANSFER, /* fetch a zone */
	JOB_QUERY     /* send one message over TCP, bring back the response */
};

/* An order to a worker to talk to a primary or downstream over TCP. */
struct job_mail {
	struct mail mail;
	enum job_kind kind;
	uint64_t job; /* chosen by main */
	int64_t zone_id;
	uint32_t epoch;
	uint8_t zone[255]; /* wire name */
	struct zr_addr dest, source;
	struct tls_ctx *tls; /* held; NULL: in the clear */
	bool edns;
	int64_t connect_timeout_us, idle_timeout_us, total_timeout_us;
	int fd_max; /* a descriptor this high is not used; 0: any */
	/* JOB_QUERY */
	uint8_t *query; /* owned; the ID is set by the worker */
	size_t query_len;
	/* JOB_TRANSFER */
	struct keyref *key; /* held; NULL: not signed */
	enum xfrin_kind xfr;
	bool forced;
	bool readd; /* needless additions in differences are ignored */
	bool have;  /* we hold a valid copy: serial, soa, version, digest */
	uint32_t serial;
	uint32_t soa_ttl;
	uint8_t *soa; /* RDATA; owned */
	uint16_t soa_len;
	int64_t version; /* of our copy; the new one is version + 1 */
	uint8_t digest[SEGMENT_DIGEST];
	uint64_t segments, records, octets;
	bool
	    stored; /* rows of `version` exist, valid copy or not: they are compared and replaced */
	struct xfrin_limits limits;
	uint64_t min_rate; /* octets in min_rate_us; 0: no limit */
	int64_t min_rate_us;
	uint32_t journal_steps; /* 0: do not compute differences */
};

struct job_ref_mail {
	struct mail mail;
	uint64_t job;
};

enum job_outcome {
	JOB_READY,     /* a new version is staged: commit or abort it */
	JOB_IDENTICAL, /* a whole zone came and is what we have, digest and serial */
	JOB_CURRENT,   /* the primary has nothing newer */
	JOB_ANSWER,    /* JOB_QUERY: response */
	JOB_FAILED     /* err says why; nothing is staged */
};

struct job_done_mail {
	struct mail mail;
	uint64_t job;
	int64_t zone_id;
	uint32_t epoch;
	enum job_outcome outcome;
	struct zr_err err;
	bool connected;	  /* false: the primary could not even be reached */
	bool ixfr_failed; /* an IXFR was tried and did not work: reason in ixfr_text */
	enum zr_code ixfr_code;
	char ixfr_text[ZR_ERR_TEXT];
	bool used_diff;	       /* the content came as differences */
	bool plain;	       /* only the query without EDNS worked */
	bool tls;	       /* it was asked under TLS */
	struct tls_peer *peer; /* held: the certificate of the other side; NULL: no TLS */
	bool resumed;	       /* a TLS session from before */
	struct zr_wall started;
	int64_t duration_us;
	/* JOB_ANSWER */
	uint8_t *answer; /* owned */
	size_t answer_len;
	/* JOB_READY, JOB_IDENTICAL, JOB_CURRENT */
	uint32_t serial;
	struct soa soa_fields;
	uint8_t *soa; /* RDATA; owned */
	uint16_t soa_len;
	uint32_t soa_ttl;
	uint8_t *soa_owner; /* owned */
	uint8_t digest[SEGMENT_DIGEST];
	uint64_t segments, records, octets;
	int64_t version;
	bool has_delta;		   /* the journal chain goes on with this version */
	struct stage_batch *batch; /* owned: rest of the content for the commit */
	bool serial_valid;	   /* also when JOB_FAILED: the head of the stream was seen */
	bool expire_valid;
	uint32_t expire;
	uint64_t wire_octets, wire_records, wire_messages;
};

struct job_progress_mail {
	struct mail mail;
	uint64_t job;
	int64_t zone_id;
	uint32_t epoch;
	uint64_t octets, records;
};

/* An accepted connection on its way to a worker. */
struct accept_mail {
	struct mail mail;
	int fd;
	uint64_t client; /* chosen by main */
	struct zr_addr peer, local;
	struct tls_ctx *tls; /* held; NULL: in the clear */
	int64_t idle_us;
	int64_t stall_us;  /* nothing is taken */
	uint64_t min_rate; /* octets taken in min_rate_us while there are some; 0: no limit */
	int64_t min_rate_us;
};

/* A request that came over TCP, or the response to it. */
struct bytes_mail {
	struct mail mail;
	unsigned worker; /* MAIL_REQUEST: which one asks */
	uint64_t client;
	struct zr_addr peer, local;
	bool tls;		   /* MAIL_REQUEST */
	struct tls_peer *tls_peer; /* MAIL_REQUEST: held; the certificate it came with, or NULL */
	bool close;		   /* MAIL_REPLY: close after this, or at once when len is 0 */
	size_t len;
	uint8_t bytes[];
};

enum stream_kind { STREAM_FULL, STREAM_DIFF };

/* Permission to answer a transfer request from one version. */
struct stream_mail {
	struct mail mail;
	uint64_t client;
	uint64_t stream; /* chosen by main: it holds the version until MAIL_STREAM_DONE */
	enum stream_kind kind;
	int64_t total_timeout_us; /* 0: none */
	int64_t zone_id;
	uint32_t epoch;
	int64_t version;
	uint32_t from_serial;
	uint32_t soa_ttl;
	uint8_t *soa; /* RDATA; owned */
	uint16_t soa_len;
	uint8_t zone[255];
	int keepalive; /* 100 ms units or -1 */
	bool has_cookie;
	uint8_t cookie[COOKIE_OURS];
	bool expire;
	uint32_t expire_s;
	struct keyref *key; /* held; the answer is signed with it; NULL: it is not */
	struct tsig_txn txn;
	size_t len; /* the request */
	uint8_t bytes[];
};

struct stream_done_mail {
	struct mail mail;
	uint64_t client, stream;
	int64_t zone_id;
	uint32_t epoch;
	bool diff;	       /* sent as differences (a STREAM_DIFF may end as a whole zone) */
	struct zr_err err;     /* ZR_OK: the last message was queued on a connection that stood */
	struct zr_err journal; /* ZR_DAMAGED: the differences cannot be read, the zone can */
	int64_t duration_us;
	uint64_t octets, records, messages;
};

void *mail_new(enum mail_type type, size_t size); /* zeroed */
void mail_free(struct mail *m);
