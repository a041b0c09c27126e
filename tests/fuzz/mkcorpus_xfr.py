#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the corpora of fuzz_xfrin and fuzz_xfrout, below corpus/ beside this file.

Run it after changing it, and commit what it writes.
"""

import struct

from mkcorpus import AA, ORG, Q, QR, RD, message, opt, option, rr, write

AXFR, IXFR, SOA = 252, 251, 6

# fuzz_xfrin: what the first octet of the input means
OTHER_KIND, UDP, HAVE, FORCED, LIMITS, TIMEOUT = 1, 2, 4, 8, 16, 32

# fuzz_xfrout
OUT_UDP, KNOWN, ZONE, MAY, LOADED, EXPIRED, BUSY, MANY = 1, 2, 4, 8, 16, 32, 64, 128
SERVED = KNOWN | ZONE | MAY | LOADED


def soa(serial, mname=b"\x02ns"):
    numbers = struct.pack("!IIIII", serial, 3600, 600, 86400, 300)
    return rr(Q, SOA, mname + Q + b"\x01h" + Q + numbers)


NS = rr(Q, 2, b"\x02ns" + Q)
WWW = b"\x03www" + Q


def a(last, owner=WWW):
    return rr(owner, 1, bytes([192, 0, 2, last]), 300)


def answer(qtype, *records, question=None, rcode=0, additional=(), authority=(), flags=0):
    return message(QR | AA | flags | rcode, qtype, records, authority, additional, question)


def transfer(name, how, serial, messages, fail_at=0):
    body = b"".join(struct.pack("!H", len(m)) + m for m in messages)
    write("xfrin", name, struct.pack("!BBI", how, fail_at, serial) + body)


def xfrin():
    later = []  # no question
    full = [soa(9), NS, a(1), a(2, b"\x01*" + Q), rr(WWW, 65280, Q), soa(9)]
    diff = [soa(9), soa(7), a(1), soa(8), a(2), soa(8), a(2), soa(9), NS, soa(9)]
    one = [answer(AXFR, r) for r in full]

    transfer("axfr", HAVE, 7, [answer(AXFR, *full)])
    transfer("axfr-no-copy", 0, 0, [answer(AXFR, *full)])
    transfer("axfr-one-by-one", HAVE, 7, one[:1] + [answer(AXFR, r, question=later) for r in full[1:]])
    transfer("axfr-empty", HAVE, 7, [answer(AXFR, additional=[opt(option(12, bytes(9)))])] + one)
    transfer("axfr-current", HAVE, 9, [answer(AXFR, *full)])
    transfer("axfr-forced", HAVE | FORCED, 9, [answer(AXFR, *full)])
    transfer("axfr-refused", HAVE, 7, [answer(AXFR, rcode=5, additional=[opt(option(15, b"\0\x12no"))])])
    transfer("axfr-servfail-later", HAVE, 7, one[:3] + [answer(AXFR, rcode=2)])
    transfer("axfr-cut", HAVE, 7, one[:4])
    transfer("axfr-silence", HAVE | TIMEOUT, 7, one[:4])
    transfer("axfr-other-end", HAVE, 7, [answer(AXFR, soa(9), NS, soa(9, b"\x02nt"))])
    transfer("axfr-trailing", HAVE, 7, [answer(AXFR, *full, NS)])
    transfer("axfr-no-ns", HAVE, 7, [answer(AXFR, soa(9), a(1), soa(9))])
    transfer("axfr-out-of-zone", HAVE, 7, [answer(AXFR, soa(9), a(1, b"\x03com\x00"), soa(9))])
    transfer("axfr-class", HAVE, 7, [answer(AXFR, soa(9), rr(WWW, 1, b"abcd", 1, 3), soa(9))])
    transfer("axfr-meta", HAVE, 7, [answer(AXFR, soa(9), rr(WWW, 255, b""), soa(9))])
    transfer("axfr-limits", HAVE | LIMITS, 7, [answer(AXFR, soa(9), *[a(i) for i in range(20)])])
    transfer("axfr-ixfr-question", HAVE | OTHER_KIND, 7, [answer(AXFR, *full)])
    transfer("axfr-expire", HAVE, 7, [answer(AXFR, *full, additional=[
        opt(option(9, bytes(4)) + option(11, bytes(2)))])])
    transfer("ixfr", HAVE, 7, [answer(IXFR, *diff)])
    transfer("ixfr-one-by-one", HAVE, 7, [answer(IXFR, r) for r in diff])
    transfer("ixfr-full", HAVE, 7, [answer(IXFR, *full)])
    transfer("ixfr-current", HAVE, 9, [answer(IXFR, soa(9))])
    transfer("ixfr-lone", HAVE | TIMEOUT, 7, [answer(IXFR, soa(9))])
    transfer("ixfr-notimp", HAVE, 7, [answer(IXFR, rcode=4)])
    transfer("ixfr-nodata", HAVE, 7, [answer(IXFR, authority=[soa(9)])])
    transfer("ixfr-gap", HAVE, 7, [answer(IXFR, soa(9), soa(7), soa(8), soa(9), soa(9))])
    transfer("ixfr-back", HAVE, 7, [answer(IXFR, soa(9), soa(7), soa(6))])
    transfer("ixfr-wrap", HAVE, 0xFFFFFFFF, [answer(IXFR, soa(1), soa(0xFFFFFFFF), soa(1), soa(1))])
    transfer("ixfr-limits", HAVE | LIMITS, 7, [answer(IXFR, soa(9), soa(7), *[a(i) for i in range(20)])])
    transfer("udp", HAVE | UDP, 7, [answer(IXFR, *diff)])
    transfer("udp-lone", HAVE | UDP, 7, [answer(IXFR, soa(9))])
    transfer("udp-tc", HAVE | UDP, 7, [answer(IXFR, soa(9), flags=0x0200)])
    transfer("soa", HAVE, 7, [answer(SOA, soa(9), additional=[opt(option(9, bytes(4)))])])
    for i, code in enumerate(("diff", "limit", "db", "nomem")):
        transfer(f"receiver-{code}", HAVE | i << 6, 7, [answer(IXFR, *diff)], 3 + i)
    transfer("garbage", HAVE, 7, [b"\x12\x34\x84\x00\x00\x01\x00\x01" + bytes(9)])
    transfer("pointer-loop", HAVE, 7, [answer(AXFR, rr(b"\xc0\x1d", SOA, b""))])


def request(name, how, query, serial=9):
    write("xfrout", name, struct.pack("!BI", how, serial) + query)


def ask(qtype, flags=0, authority=(), additional=(), question=None, answer=()):
    return message(flags, qtype, answer, authority, additional, question)


def xfrout():
    all_asked = [opt(option(9) + option(11))]

    for name, qtype, authority in (("soa", SOA, ()), ("axfr", AXFR, ()), ("ixfr", IXFR, [soa(7)])):
        for label, how in (("", SERVED), ("-udp", SERVED | OUT_UDP), ("-busy", SERVED | BUSY),
                           ("-expired", SERVED | EXPIRED), ("-unloaded", KNOWN | ZONE | MAY),
                           ("-denied", KNOWN | ZONE | LOADED), ("-unknown", KNOWN),
                           ("-stranger", ZONE | MAY | LOADED), ("-many", SERVED | MANY)):
            request(name + label, how, ask(qtype, RD, authority, all_asked))
        request(name + "-plain", SERVED, ask(qtype, 0, authority))
    request("ixfr-udp-busy", SERVED | OUT_UDP | BUSY, ask(IXFR, 0, [soa(7)]))
    request("ixfr-udp-many", SERVED | OUT_UDP | MANY, ask(IXFR, 0, [soa(7)], [opt(size=4096)]))
    request("ixfr-current", SERVED, ask(IXFR, 0, [soa(9)]))
    request("ixfr-incomparable", SERVED, ask(IXFR, 0, [soa(9 + 0x80000000)]))
    request("ixfr-incomparable-many", SERVED | MANY, ask(IXFR, 0, [soa(9 + 0x80000000)]))
    request("ixfr-no-soa", SERVED, ask(IXFR))
    request("ixfr-two-soas", SERVED, ask(IXFR, 0, [soa(7), soa(7)]))
    request("ixfr-other-soa", SERVED, ask(IXFR, 0, [rr(b"\x00", SOA, bytes(22))]))
    request("response", SERVED, ask(SOA, QR))
    request("opcode", SERVED, ask(SOA, 7 << 11))
    request("class", SERVED, ask(SOA, question=[ORG + b"\x00\x06\x00\x03"]))
    request("type", SERVED, ask(1, additional=[opt()]))
    request("no-question", SERVED, ask(SOA, question=[]))
    request("two-questions", SERVED, ask(SOA, question=[ORG + b"\x00\x06\x00\x01"] * 2))
    request("version", SERVED, ask(SOA, additional=[opt(ttl=1 << 16)]))
    request("two-opt", SERVED, ask(SOA, additional=[opt(), opt()]))
    request("tsig", SERVED, ask(AXFR, additional=[rr(b"\x01k\x00", 250, bytes(16), 0, 255)]))
    request("short", SERVED, b"\x12\x34\x00")
    request("header", SERVED, ask(SOA, question=[])[:12])


if __name__ == "__main__":
    xfrin()
    xfrout()
