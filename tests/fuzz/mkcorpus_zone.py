#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the corpora of fuzz_segment and fuzz_patch, below corpus/ beside this file."""

import pathlib
import random
import struct

HERE = pathlib.Path(__file__).resolve().parent / "corpus"
APEX = b"\xc0\x0c"  # the question: example.org at 12, org at 20
BASE = 12 + 13 + 4  # where the data of a segment begins


def write(target, name, data):
    directory = HERE / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)


def rr(owner, rtype, rdata, ttl=3600):
    return owner + struct.pack("!HHIH", rtype, 1, ttl, len(rdata)) + rdata


def label(text):
    return bytes([len(text)]) + text


def pointer(offset):
    return struct.pack("!H", 0xC000 | offset)


def segments():
    soa = rr(APEX, 6, label(b"ns") + APEX + label(b"admin") + APEX + bytes(20))
    ns = rr(APEX, 2, label(b"ns") + APEX)
    yield "empty", b""
    yield "soa", soa
    yield "common", soa + ns + rr(label(b"www") + APEX, 1, bytes(4)) + rr(
        label(b"mail") + APEX, 15, b"\0\x0a" + label(b"www") + APEX)
    yield "own-names", soa + rr(pointer(BASE), 1, bytes(4))
    yield "case", rr(label(b"WWW") + APEX, 1, bytes(4)) + rr(label(b"www") + APEX, 1, b"\1\2\3\4")
    yield "nsec3", soa + rr(label(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom") + APEX, 50,
                            b"\1\0\0\1\0\x14" + bytes(21)) + rr(
        label(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom") + APEX, 46, struct.pack("!H", 50) + bytes(40))
    yield "big", soa + b"".join(
        rr(label(b"big") + APEX, 16, bytes([i]) + bytes(9000)) for i in range(5))
    yield "alike", soa + b"".join(
        rr(label(b"big") + APEX, 65280, bytes(3000) + bytes([i])) for i in range(15))
    yield "too-big", rr(label(b"big") + APEX, 16, bytes(65000))
    yield "many", soa + b"".join(
        rr(label(b"h%d" % i) + APEX, 1, struct.pack("!I", i)) for i in range(1500))
    yield "deep", rr(b"".join(label(b"%d" % (i % 10)) for i in range(100)) + APEX, 1, bytes(4))
    yield "srv", rr(label(b"_x") + APEX, 33, bytes(6) + label(b"www") + label(b"example") + b"\0")
    yield "binary", rr(b"\x03\0.\1" + APEX, 1, bytes(4)) + rr(b"\x01\0" + APEX, 1, bytes(4))
    yield "loop", pointer(BASE) + bytes(10)
    yield "forward", rr(pointer(BASE + 40), 1, bytes(4)) + rr(APEX, 1, bytes(4))
    yield "cut", soa[:-3]
    yield "rdata-short", rr(APEX, 15, b"\0")
    yield "outside", rr(b"\x04test\0", 1, bytes(4))


def op(kind, owner=0, rtype=0, ttl=60, rdlen=4, first=0, last=0):
    return struct.pack("!BBBBHBB", kind, owner, rtype, ttl, rdlen, first, last)


ADD, DEL, COMMIT, FORCE = 0, 1, 3, 0x80


def patches():
    zone = b"".join(op(ADD, i % 256, 1, 60, 200 + i, i % 7) for i in range(300)) + op(COMMIT, 3)
    yield "empty", b""
    yield "one", op(ADD) + op(COMMIT)
    yield "zone", zone
    yield "ttl", zone + op(DEL, 5, 1, 60, 205, 5) + op(ADD, 5, 1, 70, 205, 5)
    yield "case", zone + op(DEL, 5, 1, 60, 205, 5) + op(ADD, 5, 0x81, 60, 205, 5)
    yield "add-present", zone + op(ADD | FORCE, 5, 1, 60, 205, 5)
    yield "delete-absent", zone + op(DEL | FORCE, 5, 1, 60, 3, 5)
    yield "twice", op(ADD) + op(ADD | FORCE) + op(ADD, 1)
    yield "delete-all", zone + b"".join(
        op(DEL, i % 256, 1, 60, 200 + i, i % 7) for i in range(300))
    alike = b"".join(op(ADD, 9, 1, 60, 3000, 0, i) for i in range(40)) + op(COMMIT, 1)
    yield "alike", alike
    yield "alike-more", alike + b"".join(
        op(DEL, 9, 1, 60, 3000, 0, i) for i in (0, 7, 20)) + b"".join(
        op(ADD, 9, 1, 60, 2900, 0, i) for i in range(9)) + op(COMMIT) + op(
        DEL, 9, 1, 60, 3000, 0, 39)
    for seed in range(6):
        r = random.Random(seed)
        kinds = [ADD, ADD, DEL, DEL, COMMIT] if seed % 2 else [ADD, ADD, ADD, DEL]
        yield "random-%d" % seed, zone + b"".join(
            op(r.choice(kinds), r.randrange(8 << seed % 6), r.randrange(4), 60,
               r.choice((4, 40, 700, 3000, 15000)), 0, r.randrange(4)) for _ in range(200))


def main():
    for name, data in segments():
        write("segment", name, b"\0" + data)
    write("segment", "root-apex", b"\1" + rr(b"\x03org\0", 2, b"\x02ns\x03org\0"))
    for name, data in patches():
        write("patch", name, data)


if __name__ == "__main__":
    main()
