/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forged requests by the ten thousand, for the tests: flood HOST PORT RATE SECONDS SOURCES WIRE...
 *
 * Sends the octets of the WIREs in turn, each with another ID, from an IPv4 socket at each of the
 * SOURCES (separated by commas) in turn; RATE 0: as many as it can.  A WIRE is hexadecimal;
 * "~AT,N:" before it says that its N octets from AT on are made up anew each time, such as a MAC.
 * Prints "begun", and in the end how many datagrams a second the kernel took.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define WIRE_MAX 4096
#define SOURCES_MAX 1024

struct wire {
	uint8_t octets[WIRE_MAX];
	size_t len;
	size_t at, random; /* of what is made up */
};

static uint64_t state = 88172645463325252U;

static uint64_t
next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void
give_up(const char *what)
{
	perror(what);
	exit(1);
}

static void
read_wire(struct wire *w, const char *text)
{
	const char *hex = text;
	unsigned v;

	if (*text == '~') {
		if (sscanf(text, "~%zu,%zu:", &w->at, &w->random) != 2)
			give_up(text);
		hex = strchr(text, ':') + 1;
	}
	for (; w->len < WIRE_MAX && sscanf(hex, "%2x", &v) == 1; hex += 2)
		w->octets[w->len++] = (uint8_t)v;
}

static int
open_source(const char *address, const struct sockaddr_in *to)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &sa.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)(void *)&sa, sizeof(sa)) != 0 ||
	    connect(fd, (const struct sockaddr *)(const void *)to, sizeof(*to)) != 0)
		give_up(address);
	return fd;
}

static unsigned
send_batch(int fd, const struct wire *wires, size_t count, uint64_t sent)
{
	static uint8_t octets[BATCH][WIRE_MAX];
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		const struct wire *w = &wires[(sent + i) % count];

		memcpy(octets[i], w->octets, w->len);
		octets[i][0] = (uint8_t)((sent + i) >> 8);
		octets[i][1] = (uint8_t)(sent + i);
		for (size_t k = 0; k < w->random; k++)
			octets[i][w->at + k] = (uint8_t)next_random();
		iov[i] = (struct iovec){.iov_base = octets[i], .iov_len = w->len};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = sendmmsg(fd, msg, BATCH, MSG_DONTWAIT);
	return n > 0 ? (unsigned)n : 0;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	static struct wire wires[64];
	static int fds[SOURCES_MAX];
	size_t sources = 0, count = 0;
	double rate, seconds, start;
	uint64_t sent = 0, tried = 0;

	if (argc < 7)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		give_up(argv[1]);
	rate = atof(argv[3]);
	seconds = atof(argv[4]);
	for (char *a = strtok(argv[5], ","); a != NULL && sources < SOURCES_MAX;
	     a = strtok(NULL, ","))
		fds[sources++] = open_source(a, &to);
	for (int i = 6; i < argc && count < 64; i++)
		read_wire(&wires[count++], argv[i]);
	puts("begun");
	fflush(stdout);
	start = now();
	while (now() < start + seconds) {
		if (rate > 0 && (double)tried > rate * (now() - start) + BATCH) {
			nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
			continue;
		}
		sent += send_batch(fds[tried / BATCH % sources], wires, count, tried);
		tried += BATCH;
	}
	printf("%.0f\n", (double)sent / seconds);
	return 0;
}
