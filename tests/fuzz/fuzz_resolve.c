/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: how (1), then answers with their length before them, which a resolver gives to the two
 * queries for a name, in turn; the ID, and with it the question, are put right unless `how` says
 * otherwise.  What is believed is usable, of bounded number and lifetime, and told once.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "net/resolve.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD 1
#define HOW_RAW 0x01	  /* answers go out as they are */
#define HOW_TWICE 0x02	  /* each answer is sent twice */
#define HOW_CANCEL 0x04	  /* nobody waits any more */
#define HOW_QUESTION 0x08 /* the question is put right too */
#define TURNS_MAX 40
#define QUERY_MAX 512

static const uint8_t name[] = "\3ns1\4test";

struct world {
	struct rd in;
	uint8_t how;
	int fd;
	unsigned told;
};

static void
on_done(void *arg)
{
	((struct world *)arg)->told++;
}

static int
open_server(struct zr_addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct zr_addr any = {.family = 4, .ip = {127, 0, 0, 1}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(bind(fd, (struct sockaddr *)&ss, addr_to_sockaddr(&any, &ss)) == 0);
	FUZZ_CHECK(getsockname(fd, (struct sockaddr *)&ss, &len) == 0);
	FUZZ_CHECK(addr_from_sockaddr((const struct sockaddr *)&ss, at));
	return fd;
}

static void
serve(struct world *w)
{
	uint8_t query[QUERY_MAX], out[65535];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t got;

	while (
	    (got = recvfrom(w->fd, query, sizeof(query), 0, (struct sockaddr *)&from, &len)) > 0) {
		size_t n = rd_left(&w->in) >= 2 ? rd_u16(&w->in) : 0;
		if (n > rd_left(&w->in))
			n = rd_left(&w->in);
		if (n > 0)
			memcpy(out, rd_bytes(&w->in, n), n);
		if ((w->how & HOW_RAW) == 0 && n >= 2)
			memcpy(out, query, 2);
		if ((w->how & HOW_QUESTION) != 0 && n >= (size_t)got)
			memcpy(out + 12, query + 12, (size_t)got - 12);
		for (unsigned k = 0; k < 1u + ((w->how & HOW_TWICE) != 0); k++)
			(void)sendto(w->fd, out, n, 0, (const struct sockaddr *)&from, len);
	}
}

static void
check(const struct resolve_answer *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->state == RESOLVE_FAILED)
		FUZZ_CHECK(a->error != NULL && a->error[0] != '\0' && a->count == 0);
	if (a->state != RESOLVE_FOUND)
		return;
	FUZZ_CHECK(a->count > 0 && a->count <= RESOLVE_ADDRS_MAX && !a->lasting);
	for (size_t i = 0; i < a->count; i++) {
		FUZZ_CHECK(resolve_usable(&a->addr[i]) && a->addr[i].port == 0);
		FUZZ_CHECK(
		    a->addr[i].family == 4 || memcmp(a->addr[i].ip, mapped, sizeof(mapped)) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_base *base;
	struct resolve_wait wait = {.done = on_done};
	struct resolve_answer a;
	struct resolver *r;
	struct zr_addr at;
	struct world w;

	if (size < HEAD)
		return 0;
	w = (struct world){.how = data[0], .fd = open_server(&at)};
	rd_init(&w.in, data + HEAD, size - HEAD);
	wait.arg = &w;
	base = event_base_new();
	r = resolver_new(base, &at, 1);
	resolver_ask(r, name, &wait, &a);
	FUZZ_CHECK(a.state == RESOLVE_ASKING);
	if ((w.how & HOW_CANCEL) != 0)
		resolver_cancel(&wait);
	for (unsigned n = 0; n < TURNS_MAX && (n < 4 || resolver_running(r) > 0); n++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		serve(&w);
	}
	resolver_peek(r, name, &a);
	check(&a);
	FUZZ_CHECK(w.told == (a.state != RESOLVE_ASKING && (w.how & HOW_CANCEL) == 0));
	FUZZ_CHECK(resolver_names(r) == 1);
	resolver_free(r);
	event_base_free(base);
	close(w.fd);
	return 0;
}
