/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP listeners.  Running out of descriptors (TB-12) neither spins nor leaves clients
 * hanging: a descriptor kept in reserve accepts and closes what waits, then accepting
 * pauses for a moment.  Owner: the thread of the base.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct listen_sock;

/*
 * `fd` is non-blocking, close-on-exec, and the callee's.  The callback may close the
 * listener.
 */
typedef void (*listen_cb)(
    void *arg, int fd, const struct zr_addr *peer, const struct zr_addr *local);

struct listen_stats {
	uint64_t accepted;
	uint64_t shed; /* closed at once: no descriptor left */
	uint64_t pauses;
};

/* `bind` may have port 0; backlog 0 = what the system allows.  NULL: *e tells why. */
struct listen_sock *listen_open(struct event_base *base, const struct zr_addr *bind, int backlog,
    listen_cb cb, void *arg, struct zr_err *e);
void listen_close(struct listen_sock *l);

/* For a limit of connections: what waits stays in the backlog. */
void listen_pause(struct listen_sock *l);
void listen_resume(struct listen_sock *l);

const struct zr_addr *listen_addr(const struct listen_sock *l); /* with the real port */
const struct listen_stats *listen_stats(const struct listen_sock *l);
