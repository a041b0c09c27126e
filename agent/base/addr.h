/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses as values.  IPv4-mapped IPv6 addresses are normalised to IPv4 wherever
 * one is made.  Text form: "192.0.2.1@53", "2001:db8::1@53", "fe80::1%eth0@53".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;
struct sockaddr_storage;

struct zr_addr {
	uint8_t family; /* 0 = none, 4, 6 */
	uint16_t port;	/* host order; 0 = any */
	uint32_t scope; /* IPv6 link-local */
	uint8_t ip[16]; /* network order; 4 octets used for IPv4 */
};

struct zr_prefix {
	struct zr_addr addr; /* port unused */
	uint8_t bits;
};

#define ADDR_TEXT_MAX 80

/* default_port is used when the text has no "@port"; 0 and no port in the text: fails. */
bool addr_parse(const char *text, uint16_t default_port, struct zr_addr *out);
bool addr_parse_ip(const char *text, struct zr_addr *out); /* no port allowed; port = 0 */
/* "192.0.2.0/24" or a single IP; bits set behind the prefix ("192.0.2.1/24") fail. */
bool prefix_parse(const char *text, struct zr_prefix *out);
const char *addr_text(const struct zr_addr *a, char out[ADDR_TEXT_MAX]); /* ip@port; ip if port 0 */
const char *addr_ip_text(const struct zr_addr *a, char out[ADDR_TEXT_MAX]);
const char *prefix_text(const struct zr_prefix *p, char out[ADDR_TEXT_MAX]);

bool addr_from_sockaddr(const struct sockaddr *sa, struct zr_addr *out);
unsigned addr_to_sockaddr(const struct zr_addr *a, struct sockaddr_storage *out); /* its length */

bool addr_equal(const struct zr_addr *a, const struct zr_addr *b);    /* with port */
bool addr_ip_equal(const struct zr_addr *a, const struct zr_addr *b); /* without port */
/* A prefix without a scope matches every scope. */
bool prefix_match(const struct zr_prefix *p, const struct zr_addr *a);
bool addr_is_any(const struct zr_addr *a); /* 0.0.0.0 or :: */
/* The address as a limiter sees it: IPv4 /32, IPv6 /64, port 0. */
struct zr_addr addr_client(const struct zr_addr *a);
