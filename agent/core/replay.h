/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signed requests that were seen before (RFC 8945 section 5.2.3, TS-09): nobody who has overheard
 * a NOTIFY makes us work by sending it again.  Pure; one owner thread.
 *
 * The same request is known by its MAC, among the last REPLAY_PLACES: a sender that got no answer
 * repeats it, so it is answered again, and nothing else.  One that is not known must not have been
 * signed more than REPLAY_LATE_S before the newest of its key; that much, since datagrams overtake
 * each other and the senders that share a key may differ in their clocks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define REPLAY_PLACES 4096
#define REPLAY_LATE_S 60

struct replay;

enum replay_verdict { REPLAY_NEW, REPLAY_SEEN, REPLAY_LATE };

struct replay *replay_new(void);
void replay_free(struct replay *r); /* NULL is allowed */
/* `key`: its name in lower-case wire form; everything is of a request that was verified. */
enum replay_verdict replay_check(
    const struct replay *r, const uint8_t *key, uint64_t time, const uint8_t *mac, size_t mac_len);
/* It was acted upon. */
void replay_note(
    struct replay *r, const uint8_t *key, uint64_t time, const uint8_t *mac, size_t mac_len);
/* It came to nothing after all: the repetition is to be acted upon. */
void replay_forget(struct replay *r, const uint8_t *key, const uint8_t *mac, size_t mac_len);
