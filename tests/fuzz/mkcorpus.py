#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the corpora of the fuzz targets of agent/wire, below corpus/ beside this file.

Run it after changing it, and commit what it writes.  Other targets may keep files of their own in
corpus/TARGET, by hand or by a script like this one.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent / "corpus"
Q = b"\xc0\x0c"  # a pointer to the question
ORG = b"\x07example\x03org\x00"
QR, AA, TC, RD = 0x8000, 0x0400, 0x0200, 0x0100
NOTIFY = 4 << 11


def write(target, name, data):
    directory = HERE / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)


def rr(owner, rtype, rdata, ttl=3600, rclass=1):
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def opt(options=b"", ttl=0, size=1232, owner=b"\x00"):
    return rr(owner, 41, options, ttl, size)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def message(flags, qtype=6, answer=(), authority=(), additional=(), question=None, ident=0x1234):
    if question is None:
        question = [ORG + struct.pack("!HH", qtype, 1)]
    head = struct.pack("!HHHHHH", ident, flags, len(question), len(answer), len(authority),
                       len(additional))
    return head + b"".join(question) + b"".join(answer) + b"".join(authority) + b"".join(additional)


SOA = b"\x02ns" + Q + b"\x01h" + Q + struct.pack("!IIIII", 7, 3600, 600, 86400, 300)

# One RDATA for each type whose layout is known, compressed where that is allowed or seen.
LAYOUTS = {
    "ns": (2, b"\x02ns" + Q),
    "md": (3, Q),
    "cname": (5, b"\x01c" + Q),
    "soa": (6, SOA),
    "minfo": (14, Q + b"\x01m" + Q),
    "mx": (15, b"\x00\x0a" + b"\x02mx" + Q),
    "rp": (17, Q + Q),
    "afsdb": (18, b"\x00\x01" + Q),
    "sig": (24, bytes(18) + Q + b"signature"),
    "px": (26, b"\x00\x0a" + Q + Q),
    "nxt": (30, Q + b"\x40\x00"),
    "srv": (33, b"\x00\x01\x00\x02\x00\x35" + Q),
    "naptr": (35, b"\x00\x01\x00\x02\x01S\x07SIP+D2U\x00" + Q),
    "kx": (36, b"\x00\x01" + Q),
}

# RDATA as it stands in zones, for the text of records.
RDATA = {
    "a": (1, bytes([192, 0, 2, 1])),
    "a-short": (1, bytes([192, 0, 2])),
    "ns": (2, b"\x02ns" + ORG),
    "ns-pointer": (2, Q),
    "soa": (6, ORG + ORG + struct.pack("!IIIII", 7, 3600, 600, 86400, 300)),
    "hinfo": (13, b"\x03a b\x00"),
    "mx": (15, b"\x00\x0a" + ORG),
    "txt": (16, b"\x05a\"\\;\x00\x00\x02\xff\x20"),
    "rp": (17, ORG + b"\x00"),
    "aaaa": (28, bytes(15) + b"\x01"),
    "loc": (29, bytes.fromhex("00336416802be5fc80a1c2a8009a8f38")),
    "srv": (33, b"\x00\x01\x00\x02\x00\x35" + ORG),
    "naptr": (35, b"\x00\x01\x00\x02\x01S\x07SIP+D2U\x08!^.*$!x!" + ORG),
    "cert": (37, b"\x00\x01\x00\x01\x08abc"),
    "dname": (39, ORG),
    "apl": (42, b"\x00\x01\x15\x03\xc0\xa8\x20\x00\x01\x1c\x84\xc0\xa8\x26\x00"),
    "apl-empty": (42, b""),
    "ds": (43, b"\x00\x01\x08\x02" + bytes(range(32))),
    "sshfp": (44, b"\x01\x01" + bytes(20)),
    "ipseckey": (45, b"\x0a\x01\x02\xc0\x00\x02\x01key"),
    "rrsig": (46, b"\x00\x01\x08\x02\x00\x00\x0e\x10\x70\x00\x00\x00\x60\x00\x00\x00\x30\x39"
              + ORG + b"signature"),
    "nsec": (47, b"\x01b" + ORG + b"\x00\x06\x40\x01\x00\x00\x00\x03\xff\x01\x80"),
    "nsec-zeros": (47, ORG + b"\x00\x02\x40\x00"),
    "nsec-pointer": (47, Q + b"\x00\x01\x40"),
    "dnskey": (48, b"\x01\x01\x03\x08\x03\x01\x00\x01keykeykey"),
    "nsec3": (50, b"\x01\x01\x00\x05\x02\xaa\xbb\x14" + bytes(range(20)) + b"\x00\x01\x40"),
    "nsec3param": (51, b"\x01\x00\x00\x00\x00"),
    "tlsa": (52, b"\x03\x01\x01" + bytes(32)),
    "hip": (55, b"\x02\x01\x00\x03hikey" + ORG),
    "csync": (62, b"\x00\x00\x00\x07\x00\x03\x00\x01\x60"),
    "zonemd": (63, b"\x00\x00\x00\x01\x01\x01" + bytes(48)),
    "svcb": (64, b"\x00\x01" + ORG + b"\x00\x01\x00\x03\x02h2\x00\x03\x00\x02\x00\x35"),
    "svcb-alpn": (64, b"\x00\x01\x00\x00\x01\x00\x05\x04a\\,b"),
    "https-alias": (65, b"\x00\x00" + ORG),
    "eui48": (108, b"\x00\x00\x5e\x00\x53\x2a"),
    "uri": (256, b"\x00\x0a\x00\x01ftp://ftp.example/\"\\"),
    "caa": (257, b"\x00\x05issueca.example; a=b"),
    # Found by the fuzzer: what ldns does not read back.
    "ns-at-sign": (2, b"\x01@" + ORG),
    "cert-type-0": (37, b"\x00\x00\x00\x01\x08abc"),
    "nsec-empty": (47, ORG),
    "nsec3-odd-hash": (50, b"\x01\x00\x00\x05\x00\x09" + bytes(range(9)) + b"\x00\x01\x40"),
    "csync-empty": (62, b"\x00\x00\x00\x07\x00\x03"),
    "eui48-long": (108, bytes(44)),
    "unknown": (65280, b"\xc0\x0c\x00\xff"),
    "unknown-empty": (65280, b""),
}


def messages():
    def msg(name, data):
        write("msg", name, data)

    msg("query-soa", message(0, additional=[opt(option(9))]))
    msg("query-axfr", message(0, 252, additional=[opt(option(9) + option(11))]))
    msg("query-ixfr", message(0, 251, authority=[rr(Q, 6, SOA)], additional=[opt()]))
    msg("notify-soa", message(NOTIFY | AA, answer=[rr(Q, 6, SOA)]))
    msg("notify-axfr", message(NOTIFY | AA, 252))
    msg("notify-answer", message(NOTIFY | QR | AA))
    msg("answer-soa", message(QR | AA, answer=[rr(Q, 6, SOA)], additional=[opt(
        option(9, b"\x00\x01\x51\x80") + option(11, b"\x00\x64"))]))
    msg("answer-refused", message(QR | 5, additional=[opt(option(15, b"\x00\x12not you"))]))
    msg("answer-badvers", message(QR, additional=[opt(ttl=0x01000000)]))
    msg("axfr-small", message(QR | AA, 252, answer=[
        rr(Q, 6, SOA), rr(Q, 2, b"\x02ns" + Q), rr(b"\x02ns" + Q, 1, bytes(4)),
        rr(b"\xc0\x4d", 28, bytes(16)), rr(b"\x01*" + Q, 16, b"\x01a"), rr(Q, 6, SOA)]))
    msg("axfr-nsec3", message(QR | AA, 252, answer=[
        rr(b"\x04hash" + Q, 50, RDATA["nsec3"][1]), rr(b"\x04HASH" + Q, 46, b"\x00\x32"),
        rr(Q, 51, b"\x01\x00\x00\x00\x00")]))
    msg("ixfr-step", message(QR | AA, 251, answer=[
        rr(Q, 6, SOA), rr(Q, 6, SOA), rr(b"\x01a" + Q, 1, bytes(4)), rr(Q, 6, SOA),
        rr(b"\x01a" + Q, 1, bytes(4), 60), rr(Q, 6, SOA)]))
    msg("without-question", message(QR | AA, question=[], answer=[rr(b"\x00", 6, bytes(22))]))
    msg("two-questions", message(0, question=[ORG + b"\x00\x06\x00\x01", Q + b"\x00\x01\x00\x01"]))
    msg("header-only", message(0, question=[]))
    msg("header-short", b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00")
    msg("case-0x20", message(0, question=[b"\x07eXaMpLe\x03oRg\x00\x00\x06\x00\x01"]))
    msg("opcode-unknown", message(15 << 11))
    for name, (rtype, rdata) in LAYOUTS.items():
        msg("type-" + name, message(QR, answer=[rr(Q, rtype, rdata), rr(Q, rtype, rdata)]))
        msg("type-" + name + "-cut", message(QR, answer=[rr(Q, rtype, rdata[:-1])]))
        msg("type-" + name + "-more", message(QR, answer=[rr(Q, rtype, rdata + b"\x00")]))
    msg("rdata-empty", message(QR, answer=[rr(Q, 42, b""), rr(Q, 65280, b""), rr(Q, 1, b"", 0, 255)]))
    msg("rdata-opaque-pointer", message(QR, answer=[rr(Q, 39, Q), rr(Q, 65280, Q)]))
    msg("rdata-points-to-rdata", message(QR, answer=[rr(Q, 2, b"\x02ns" + Q),
                                                     rr(Q, 2, b"\x01x\xc0\x29")]))
    msg("rdata-expands", message(QR, answer=[rr(Q, 24, bytes(18) + Q + bytes(300))]))
    msg("ttl-top-bit", message(QR, answer=[rr(Q, 1, bytes(4), 0xffffffff)]))
    msg("pointer-self", message(QR, answer=[rr(b"\xc0\x1d", 1, bytes(4))]))
    msg("pointer-loop", message(QR, answer=[rr(b"\x01a\xc0\x1d", 1, bytes(4))]))
    msg("pointer-forward", message(QR, answer=[rr(b"\xc0\x30", 1, bytes(16))]))
    msg("pointer-header", message(QR, answer=[rr(b"\xc0\x04", 1, bytes(4))]))
    msg("pointer-cut", message(QR, answer=[rr(Q, 2, b"\xc0")]))
    chain = b"".join(struct.pack("!H", 0xc000 | (41 + 2 * i)) for i in range(200))
    msg("pointer-chain", message(QR, answer=[rr(Q, 65280, b"\x00\xc0\x29" + chain[:398]),
                                             rr(b"\xc1\x20", 1, bytes(4)),
                                             rr(b"\xc1\x80", 1, bytes(4))]))
    msg("label-reserved-40", message(QR, answer=[rr(b"\x41a\x00", 1, bytes(4))]))
    msg("label-reserved-80", message(QR, answer=[rr(b"\x81a\x00", 1, bytes(4))]))
    long_name = (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"y" * 61 + b"\x00"
    msg("name-255", message(QR, question=[long_name + b"\x00\x06\x00\x01"], answer=[rr(Q, 2, Q)]))
    msg("name-256", message(QR, question=[long_name[:-1] + b"\x01z\x00\x00\x06\x00\x01"]))
    msg("name-257-by-pointer", message(QR, question=[long_name + b"\x00\x06\x00\x01"],
                                       answer=[rr(b"\x01z" + Q, 1, bytes(4))]))
    msg("labels-127", message(QR, question=[b"\x01a" * 127 + b"\x00\x00\x06\x00\x01"]))
    msg("edns-two", message(0, additional=[opt(), opt()]))
    msg("edns-size-0", message(0, additional=[opt(size=0)]))
    msg("edns-version-1", message(0, additional=[opt(ttl=0x00010000)]))
    msg("edns-owner", message(0, additional=[opt(owner=Q)]))
    msg("edns-flags", message(0, additional=[opt(ttl=0xffff)]))
    msg("edns-option-cut", message(0, additional=[opt(b"\x00\x09\x00\x04ab")]))
    msg("edns-option-head", message(0, additional=[opt(b"\x00\x09\x00")]))
    msg("edns-expire-wrong", message(0, additional=[opt(option(9, b"abc"))]))
    msg("edns-keepalive-wrong", message(0, additional=[opt(option(11, b"a"))]))
    msg("edns-ede-wrong", message(QR, additional=[opt(option(15, b"a"))]))
    msg("edns-unknown", message(0, additional=[opt(option(65001, b"x" * 16) + option(10, b"c" * 8)
                                                   + option(12, bytes(20)))]))
    msg("edns-in-answer", message(QR, answer=[opt()]))
    tsig = rr(b"\x03key\x00", 250, b"opaque", 0, 255)
    msg("tsig-last", message(0, additional=[opt(), tsig]))
    msg("tsig-first", message(0, additional=[tsig, opt()]))
    msg("tsig-twice", message(0, additional=[tsig, tsig]))
    msg("trailing", message(0) + b"\x00")
    msg("count-too-high", message(QR, answer=[rr(Q, 1, bytes(4))])[:6] + b"\xff\xff"
        + message(QR, answer=[rr(Q, 1, bytes(4))])[8:])
    msg("rdlength-too-long", message(QR, answer=[rr(Q, 1, bytes(4))])[:-1])


def names():
    pairs = {
        "root": b"\x00\x00",
        "parent-child": ORG + b"\x01a" + ORG,
        "case": ORG + b"\x07eXAMPLE\x03oRG\x00",
        "same-prefix": b"\x01a" + ORG + b"\x02ab" + ORG,
        "escapes": b"\x01\x00" + ORG + b"\x02\x00\x00" + ORG,
        "escapes-01": b"\x01\x01" + ORG + b"\x02\x01\x00" + ORG,
        "octet-200": b"\x01\x80" + ORG + b"\x01*" + ORG,
        "label-boundary": b"\x0c" + b"x\x07example" + b"\x03or\x00" + ORG,
        "at-and-backquote": b"\x01@\x00\x01`\x00",
        "long": (b"\x3f" + bytes(63)) * 3 + b"\x3d" + bytes(61) + b"\x00" + b"\x01a" * 127 + b"\x00",
        "too-long": (b"\x3f" + b"x" * 63) * 4 + b"\x00",
        "no-root": b"\x03abc",
        "pointer": b"\x01a" + Q,
    }
    texts = {
        "text": b"www.Example.ORG.",
        "text-no-dot": b"www.example",
        "text-root": b".",
        "text-escapes": b"a\\.b\\000\\255\\(\\)\\;\\@\\$\\\"\\\\\\032.c",
        "text-bad-escape": b"a\\256.b",
        "text-cut-escape": b"a\\12",
        "text-empty-label": b"a..b",
        "text-label-64": b"x" * 64 + b".",
        "text-label-63": b"x" * 63 + b".y",
        "text-longest": b".".join([b"\\000" * 63] * 3 + [b"\\000" * 61]) + b".",
        "text-binary": b"a\xc3\xa4b.c",
        "text-space": b"a b.c",
    }
    for name, data in {**pairs, **texts}.items():
        write("name", name, data)


def frames():
    def frame(*bodies):
        return b"".join(struct.pack("!H", len(b)) + b for b in bodies)

    soa = message(0)
    for cut in (0, 1, 7, 250):
        write("frame", "messages-%d" % cut, bytes([cut]) + frame(soa, b"", b"x", soa, b"y" * 600))
    write("frame", "empty", b"\x00")
    write("frame", "half-length", b"\x01\x00")
    write("frame", "announced-only", b"\x02\xff\xff")
    write("frame", "cut-body", b"\x05" + frame(soa)[:-1])
    write("frame", "zeros", b"\x03" + bytes(33))
    write("frame", "large", b"\x06" + frame(bytes(range(256)) * 20, b"z"))


def texts():
    for name, (rtype, rdata) in RDATA.items():
        write("rrtext", name, struct.pack("!H", rtype) + rdata)
        if rdata:
            write("rrtext", name + "-cut", struct.pack("!H", rtype) + rdata[:-1])


messages()
names()
frames()
texts()
