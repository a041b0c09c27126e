#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the named files of corpus/resolve, edns, ctlserve and ctlclient: what resolvers, EDNS speakers, clients of
the control socket and its daemon say.  The others there (f-...) were found by the fuzzer and minimised."""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
QUESTION = b"\3ns1\4test\0"
A, CNAME, AAAA = 1, 5, 28


def rr(rdtype, rdata, ttl=300, owner=b"\xc0\x0c"):
    return owner + struct.pack("!HHIH", rdtype, 1, ttl, len(rdata)) + rdata


def answer(*records, flags=0x8180, rdtype=A):
    return struct.pack("!6H", 0, flags, 1, len(records), 0, 0) + QUESTION + struct.pack("!HH", rdtype, 1) + \
        b"".join(records)


def framed(how, *messages):
    return bytes([how]) + b"".join(struct.pack("!H", len(m)) + m for m in messages)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


HOST = rr(A, b"\xc0\0\2\1")
HOST6 = rr(AAAA, b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1")
MAPPED = rr(AAAA, b"\0" * 10 + b"\xff\xff\xc0\0\2\2")
NOTHING6 = answer(rdtype=AAAA)

FILES = {
    "resolve": {
        "both": framed(0, answer(HOST, rr(A, b"\x7f\0\0\1", 5)), answer(HOST6, MAPPED, rdtype=AAAA)),
        "question-put-right": framed(8, answer(HOST), answer(HOST6, rdtype=AAAA)),
        "no-such-name": framed(0, answer(flags=0x8183), answer(flags=0x8183, rdtype=AAAA)),
        "truncated": framed(0, answer(HOST, flags=0x8380), answer(flags=0x8182, rdtype=AAAA)),
        "wrong-id": framed(1, answer(HOST), answer(HOST6, rdtype=AAAA)),
        "twice": framed(2, answer(HOST), answer(HOST6, rdtype=AAAA)),
        "nobody-waits": framed(4, answer(HOST), answer(HOST6, rdtype=AAAA)),
        "alias": framed(0, answer(rr(CNAME, b"\1x\xc0\x0c"), HOST), answer(rr(CNAME, b"\xc0\x0c"), rdtype=AAAA)),
        "loop": framed(0, answer(rr(A, b"\xc0\0\2\1", owner=b"\xc0\x1b")), answer(b"\xc0\xff", rdtype=AAAA)),
        "many": framed(0, answer(*[rr(A, bytes([10, 0, 0, i])) for i in range(90)]), NOTHING6),
        "nothing": framed(0, b"", b"\0\0\x81\x80"),
        "unusable": framed(0, answer(rr(A, b"\0\0\0\0"), rr(A, b"\xe0\0\0\1"), rr(A, b"abc")), NOTHING6),
    },
    "edns": {
        "query": b"\0\x04\xd0\0\0\0\0" + option(9) + option(11) + option(3, b"nsid"),
        "response": b"\1\x04\xd0\0\0\x80\0" + option(9, b"\0\0\0\7") + option(11, b"\0\x64") + option(15, b"\0\x12text"),
        "version-1": b"\0\0\0\1\1\0\0" + option(9),
        "cut-off": b"\0\2\0\0\0\0\0\0\x0f\0\x09a",
        "wrong-lengths": b"\0\2\0\0\0\0\0" + option(9, b"abcd") + option(11, b"a") + option(15, b"a"),
        "two-errors": b"\1\2\0\0\0\0\0" + option(15, b"\0\1") + option(15, b"\0\2x"),
    },
    "ctlserve": {
        "all-ways": b"\0a b c\nf x\nw {\ns 2\nl\na\n",
        "cut-off": b"\1a \"b c\"\nzz\ns a\n\nl\nl\na 1 2 3",
        "closed-by-us": b"\x08s z\nl\n",
        "gone": b"\x02s z\nl\na\n",
        "octet-by-octet": b"\x04a b\nl\ns\n",
        "too-long": b"\0a " + b"x" * 4200 + b"\na\n",
    },
    "ctlclient": {
        "two-answers": b'{"a":1}\n{"b":2}\nok\nerror notfound no such zone\nok\n',
        "nonsense": b"error limit x\nok\nnonsense\n",
        "unknown-code": b"error whatever text\nerror\n",
        "cut-off": b'{"a":1}\n{"b"',
    },
}

for target, files in FILES.items():
    for name, octets in files.items():
        (CORPUS / target / name).write_bytes(octets)
