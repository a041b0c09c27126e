/* SPDX-License-Identifier: BSD-2-Clause */
/* Live facts as JSON objects, one per call; keys as in ctl/ctl.h. */
#pragma once

#include "app/agent_p.h"

enum zone_face {
	ZONE_FACE_CURRENT,
	ZONE_FACE_BEHIND,
	ZONE_FACE_EXPIRED,
	ZONE_FACE_NEVER,
	ZONE_FACE_COUNT
};

enum zone_face json_face(const struct entry *en);
bool json_is_idle(const struct entry *en);

/* Pieces: each writes `,"key":value`; nothing for a value that is NULL or unset. */
void json_str(struct buf *b, const char *key, const char *value);
void json_num(struct buf *b, const char *key, uint64_t v);
void json_wall(struct buf *b, const char *key, struct zr_wall t);

void json_daemon(struct buf *b, const struct agent *a);
void json_state(struct buf *b, enum zone_face face, unsigned zones);
void json_zone(struct buf *b, const struct entry *en);
void json_primary(struct buf *b, const struct agent *a, const struct primary *p, unsigned address);
void json_downstream(struct buf *b, struct agent *a, const struct config_downstream *d);
/* A TSIG key, with what came that was signed with it since the daemon started or it changed. */
/* What a peer proves itself with, and the transport: `,"transport":...,"trust":...`. */
void json_primary_trust(struct buf *b, const struct config_primary *p);
void json_downstream_trust(struct buf *b, const struct config_downstream *d);
void json_key(struct buf *b, const struct config_key *k);
void json_owed(struct buf *b, const struct owed *o);

/* json_forced.c */
void json_event(struct buf *b, const struct entry *en); /* keys of a zone: `,"event":1` ... */
void json_forced(struct ctl_reply *r, const struct entry *en); /* a line for each address */
/* Puts lines, each ended by a newline, into the answer. */
void json_lines(struct ctl_reply *r, const struct buf *lines);
