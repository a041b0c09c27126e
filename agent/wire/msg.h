/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading DNS messages.  A struct msg borrows the octets it was parsed from.
 * Nothing is allocated.  Names: pointers backward only, at most 255 octets, reserved
 * label types refused (T-15).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/name.h"
#include "wire/rr.h"

#define MSG_HEADER 12
#define MSG_MAX 65535
#define OPCODE_QUERY 0
#define OPCODE_NOTIFY 4
#define OPCODE_UPDATE 5
#define FLAG_QR 0x8000
#define FLAG_AA 0x0400
#define FLAG_TC 0x0200
#define FLAG_RD 0x0100
#define FLAG_RA 0x0080
#define FLAG_AD 0x0020
#define FLAG_CD 0x0010
#define RCODE_NOERROR 0
#define RCODE_FORMERR 1
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_NOTIMP 4
#define RCODE_REFUSED 5
#define RCODE_NOTAUTH 9
#define RCODE_BADVERS 16
#define RCODE_BADCOOKIE 23
#define EDE_NOT_READY 14
#define EDE_PROHIBITED 18
#define EDE_NOT_AUTHORITATIVE 20
#define EDE_NOT_SUPPORTED 21
#define EDE_INVALID_DATA 24
#define OPT_EXPIRE 9
#define OPT_COOKIE 10
#define OPT_KEEPALIVE 11
#define OPT_PADDING 12
#define OPT_EDE 15

struct edns {
	bool present;
	/*
	 * Broken options, an owner that is not the root, a second OPT; in a request also wrong
	 * option lengths: FORMERR with OPT (ED-02, ED-09, E-11).  Options of a version above 0 are
	 * not looked at: BADVERS comes first (ED-04).
	 */
	bool malformed;
	bool do_bit;
	bool has_expire;   /* option there; in a response with 4 octets */
	bool expire_valid; /* response: expire holds a value */
	bool has_keepalive;
	bool keepalive_malformed; /* wrong length: over TCP a query is FORMERR (KA-01, ED-09) */
	bool keepalive_valid;
	bool has_ede;
	bool has_padding;      /* a response over TLS is to be padded then (PD-03) */
	bool cookie_malformed; /* wrong length; in a request malformed is set, too (C-05) */
	uint8_t cookie_len;    /* of the first COOKIE; 0: there is none, or it is malformed */
	uint8_t version;
	uint8_t ext_rcode;  /* upper 8 bits */
	uint16_t udp_size;  /* at least 512 (ED-06) */
	uint32_t expire;    /* seconds */
	uint16_t keepalive; /* units of 100 ms */
	uint16_t ede;
	const uint8_t *cookie;	 /* borrowed */
	const uint8_t *ede_text; /* borrowed, not terminated, not trusted */
	uint16_t ede_text_len;
};

struct msg {
	const uint8_t *data;
	size_t len;
	uint16_t id;
	uint16_t flags;
	uint16_t qdcount, ancount, nscount, arcount;
	uint8_t opcode;
	uint8_t rcode;		     /* of the header; msg_rcode() has the extended one */
	bool has_question;	     /* qdcount >= 1 and the first question parsed */
	uint8_t qname[NAME_MAX_LEN]; /* case as sent */
	uint8_t qname_len;
	uint16_t qtype, qclass;
	size_t answer_at; /* offset of the answer section */
	struct edns edns;
	bool has_tsig;	    /* last additional record is a TSIG */
	size_t tsig_at;	    /* its offset */
	unsigned opt_count; /* more than one OPT: edns.malformed is set too (ED-02) */
};

enum msg_level {
	MSG_HEADER_ONLY, /* header and question: cheap, for strangers */
	MSG_FULL	 /* walks every section, finds OPT and TSIG */
};

/*
 * 0: parsed as far as `level` asks.  -1 with ZR_FORMERR: m->id, flags, opcode are valid when
 * len >= 12 (m->len is 0 otherwise), has_question tells whether the question could be read.
 * MSG_FULL does not require the sections' RDATA to fit their types, msg_next() does.  It does
 * require that nothing follows the last record, that OPT stands in the additional section and
 * TSIG at its end only (RFC 8945 section 5.2).
 */
int msg_parse(struct msg *m, const void *data, size_t len, enum msg_level level, struct zr_err *e);
uint16_t msg_rcode(const struct msg *m); /* 12 bits, with EDNS */
const char *rcode_text(unsigned rcode);	 /* "REFUSED", "RCODE23" is written as "unknown rcode" */
bool msg_question_is(const struct msg *m, const uint8_t *qname, uint16_t qtype, uint16_t qclass);

enum msg_section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

/*
 * What a run of records remembers of its last owner, so that the next record pointing to the
 * same name need not decompress it again.  All zero at the start of a run; the owner[] given to
 * msg_rr_next() must be kept as it is between the calls.
 */
struct owner_memo {
	size_t at;   /* where the name was read from */
	uint8_t len; /* 0 = nothing remembered */
	bool kept;   /* the last record's owner is, octet by octet, the one before's */
};

/* Walks the records of one section; owner and RDATA names are decompressed into the walker. */
struct msg_walk {
	const struct msg *m;
	size_t pos;
	unsigned left;
	struct owner_memo memo;
	uint8_t owner[NAME_MAX_LEN];
	uint8_t
	    rdata[MSG_MAX + 2 * NAME_MAX_LEN + 2]; /* room for expansion, RDLENGTH stays <= 65535 */
};

/* Authority and additional are found by skipping; O(records before them). */
int msg_walk_start(struct msg_walk *w, const struct msg *m, enum msg_section s, struct zr_err *e);
/* 1: *rr filled, valid until the next call; 0: end of the section; -1: malformed. */
int msg_next(struct msg_walk *w, struct rr *rr, struct zr_err *e);

/*
 * The decompressor itself, for other runs of records (wire/segment): reads the record at
 * *pos of a message-shaped buffer.  `rdata` has room for MSG_MAX + 2*NAME_MAX_LEN+2 octets.
 * The fast path returns rr->rdata pointing into data when the RDATA holds no names.
 */
int msg_rr_at(const uint8_t *data, size_t len, size_t *pos, struct rr *rr,
    uint8_t owner[NAME_MAX_LEN], uint8_t *rdata, struct zr_err *e);
/* The same with a memory of the last owner: the hot path of transfers. */
int msg_rr_next(const uint8_t *data, size_t len, size_t *pos, struct rr *rr,
    uint8_t owner[NAME_MAX_LEN], uint8_t *rdata, struct owner_memo *memo, struct zr_err *e);
/* Steps over one record; false when it is cut off or its owner cannot be a name. */
bool msg_rr_skip(const uint8_t *data, size_t len, size_t *pos, uint16_t *type);
/* A possibly compressed name at *pos; moves *pos behind it.  Length or 0. */
size_t msg_name_at(const uint8_t *data, size_t len, size_t *pos, uint8_t out[NAME_MAX_LEN]);
