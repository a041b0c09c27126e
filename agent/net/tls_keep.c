/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions a client may resume.  They belong to one context: what it trusts cannot change under
 * them.  Time can: a session is not offered when the chain that was shown with it has ended, so
 * that the whole of it is shown and judged again.
 *
 * Workers share them without a lock: who swaps a session out of its place owns it.  While one
 * looks at it, another may miss it, or a new one take the place; then there is a whole handshake
 * more.
 */
#include "base/mem.h"
#include "net/tls_p.h"

#include <stdlib.h>

struct tls_kept {
	struct zr_addr dest;
	int64_t trust_until; /* wall clock, microseconds */
	SSL_SESSION *session;
};

static void
forget(struct tls_kept *k)
{
	if (k != NULL)
		SSL_SESSION_free(k->session);
	free(k);
}

void
tls_keep(struct tls *t, SSL_SESSION *session)
{
	struct tls_kept *k = zr_xcalloc(1, sizeof(*k));
	unsigned at = atomic_fetch_add(&t->ctx->kept_next, 1) % TLS_KEPT;

	*k = (struct tls_kept){t->dest, t->trust_until, session};
	forget(atomic_exchange(&t->ctx->kept[at], k));
}

void
tls_resume(struct tls *t)
{
	struct tls_ctx *ctx = t->ctx;
	unsigned next = atomic_load(&ctx->kept_next);

	for (unsigned i = 1; i <= TLS_KEPT; i++) {
		_Atomic(struct tls_kept *) *place = &ctx->kept[(next - i) % TLS_KEPT];
		struct tls_kept *k = atomic_exchange(place, NULL), *none = NULL;

		if (k == NULL)
			continue;
		if (!addr_equal(&k->dest, &t->dest)) {
			if (!atomic_compare_exchange_strong(place, &none, k))
				forget(k);
			continue;
		}
		if (clock_now().wall.us < k->trust_until &&
		    SSL_set_session(t->ssl, k->session) == 1)
			t->trust_until = k->trust_until;
		forget(k);
		return;
	}
}

void
tls_keep_clear(struct tls_ctx *ctx)
{
	for (unsigned i = 0; i < TLS_KEPT; i++)
		forget(atomic_exchange(&ctx->kept[i], NULL));
}
