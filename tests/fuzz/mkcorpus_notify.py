#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the corpus of fuzz_notify, below corpus/ beside this file.

Run it after changing it, and commit what it writes.
"""

import struct

from mkcorpus import AA, NOTIFY, ORG, Q, QR, RD, TC, message, opt, option, rr, write

TCP, AUTHENTICATED, KEYED, ANSWERED, LATER, CUT = 1, 2, 4, 8, 16, 32
AUTO, ADDRESS, KEY, OFF = 0, 64, 128, 192
STRANGER, PRIMARY, NEAR, OTHER = 0, 1, 2, 3
SOA, AXFR = 6, 252


def soa(serial, owner=Q):
    return rr(owner, SOA, b"\x02ns" + Q + b"\x01h" + Q + struct.pack("!IIIII", serial, 1, 1, 1, 1))


def notify(qtype=SOA, answer=(), flags=0, name=ORG, rclass=1, ident=1, additional=(), questions=1):
    question = [name + struct.pack("!HH", qtype, rclass)] * questions
    return message(NOTIFY | AA | flags, qtype, answer, (), additional, question, ident)


def case(name, *requests):
    write("notify", name, b"".join(
        struct.pack("!BBH", how, who, len(m)) + m for how, who, m in requests))


case("plain", (0, PRIMARY, notify()))
case("hint-newer", (0, PRIMARY, notify(answer=[soa(8)])))
case("hint-same", (0, PRIMARY, notify(answer=[soa(7)])))
case("hint-older", (0, NEAR, notify(answer=[soa(6)])))
case("hint-incomparable", (0, PRIMARY, notify(answer=[soa(7 + (1 << 31))])))
case("hint-elsewhere", (0, PRIMARY, notify(answer=[soa(8, b"\x03sub" + Q)])))
case("hint-second", (0, PRIMARY, notify(answer=[rr(Q, 1, b"\x01\x02\x03\x04"), soa(9)])))
case("hint-broken", (0, PRIMARY, notify(answer=[rr(Q, SOA, b"\xc0")])))
case("hint-loop", (0, PRIMARY, notify(answer=[rr(b"\xc0\x1d", SOA, b"\xc0\x1d")])))
case("axfr-off", (OFF, PRIMARY, notify(AXFR)))
case("axfr-on", (AUTO, PRIMARY, notify(AXFR)))
case("axfr-hint", (KEYED | AUTHENTICATED, PRIMARY, notify(AXFR, [soa(7)])))
case("axfr-policies", *[(p | k | a, PRIMARY, notify(AXFR, ident=p | k | a))
                        for p in (AUTO, ADDRESS, KEY, OFF) for k in (0, KEYED) for a in (0, AUTHENTICATED)])
case("axfr-repeats", (ANSWERED, PRIMARY, notify(AXFR)), (0, PRIMARY, notify(AXFR)),
     *[(LATER, PRIMARY, notify(AXFR))] * 8)
case("axfr-waits", *[(LATER, PRIMARY, notify(AXFR))] * 3)
case("axfr-flood", *[(0, PRIMARY, notify(AXFR, ident=i)) for i in range(60)])
case("qtype-a", (0, PRIMARY, notify(1)))
case("stranger", (0, STRANGER, notify()))
case("other-peer", (0, OTHER, notify()))
case("below", (0, PRIMARY, notify(name=b"\x03www" + ORG)))
case("below-cut", (CUT, PRIMARY, notify(name=b"\x03www" + ORG)))
case("upper-case", (0, PRIMARY, notify(name=b"\x07EXAMPLE\x03Org\x00")))
case("unknown-zone", (0, PRIMARY, notify(name=b"\x04test\x00")))
case("root", (0, PRIMARY, notify(name=b"\x00")))
case("class-ch", (0, PRIMARY, notify(rclass=3)))
case("two-questions", (0, PRIMARY, notify(questions=2)))
case("no-question", (0, PRIMARY, notify(questions=0)))
case("truncated", (0, PRIMARY, notify(flags=TC)))
case("sloppy-flags", (0, PRIMARY, notify(flags=RD | 0x70)))
case("response", (0, PRIMARY, notify(flags=QR)))
case("rcode", (0, PRIMARY, notify(flags=5)))
case("edns", (0, PRIMARY, notify(additional=[opt(option(10, bytes(8)))])))
case("edns-version", (0, PRIMARY, notify(additional=[opt(ttl=1 << 16)])))
case("edns-twice", (0, PRIMARY, notify(additional=[opt(), opt()])))
case("tsig", (0, PRIMARY, notify(additional=[rr(b"\x03key\x00", 250, bytes(30), 0, 255)])))
case("short", (0, PRIMARY, notify()[:11]))
case("cut-in-question", (0, PRIMARY, notify()[:20]))
case("repeat-waits", (0, PRIMARY, notify()), (0, PRIMARY, notify()))
case("repeat-answered", (ANSWERED, PRIMARY, notify()), (0, PRIMARY, notify()))
case("repeat-late", (ANSWERED, PRIMARY, notify()), (LATER, PRIMARY, notify()))
case("repeat-tcp", (TCP, PRIMARY, notify()), (TCP, PRIMARY, notify()))
case("flood-stranger", *[(0, STRANGER, notify(ident=i)) for i in range(8)])
case("flood-primary", *[(0, PRIMARY, notify(ident=i)) for i in range(60)])
case("flood-errors", *[(0, PRIMARY, notify(1, ident=i)) for i in range(60)])
