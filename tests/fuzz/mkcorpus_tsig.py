#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes corpus/tsig beside this file, from the messages of tests/unit/wire/tsig_vectors.h."""

import pathlib
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "unit" / "wire" / "tsig_vectors.h"
TSIG = bytes.fromhex("00fa00ff00000000")


def vectors():
    text = VECTORS.read_text()
    found = re.findall(r"static const char (\w+)\[\] =\s*((?:\"[0-9a-f]*\"\s*)+);", text)
    return {name: bytes.fromhex("".join(re.findall(r'"([0-9a-f]*)"', value)))
            for name, value in found}


def write(name, *messages):
    directory = HERE / "corpus" / "tsig"
    directory.mkdir(parents=True, exist_ok=True)
    data = b"".join(struct.pack("!H", len(m)) + m for m in messages)
    (directory / name).write_bytes(data)


def swapped(message, old, new):
    assert message.count(old) == 1
    return message.replace(old, new)


def main():
    v = vectors()
    request = v["request_sha256"]
    write("plain", v["request_plain"], v["answer_plain"])
    write("exchange", request, v["answer_sha256"])
    write("other-algorithm", v["request_sha512"], v["answer_sha512"])
    write("case", v["request_case"])
    write("forwarded", v["request_forwarded"])
    write("edns", v["request_edns"])
    write("late", v["request_late"])
    write("badtime", request, v["answer_badtime"])
    write("badtrunc", request, v["answer_badtrunc"])
    write("notauth", request, v["answer_notauth"])
    write("stream", v["full_query"], v["full_0"], v["full_1"], v["full_2"])
    write("stream-gap", v["full_query"], v["full_0"], v["full_2"])
    write("stream-unsigned", v["full_query"], v["full_0"], v["answer_plain"], v["full_1"])
    write("no-algorithm", swapped(request, b"\x0bhmac-sha256", b"\x0bhmac-shaxxx"))
    write("class", swapped(request, TSIG, TSIG[:3] + b"\x01" + TSIG[4:]))
    write("ttl", swapped(request, TSIG, TSIG[:7] + b"\x01"))
    write("badkey", swapped(request, b"relay-key", b"relay-kex"))
    write("cut", request[:-7])
    write("half-mac", half(request))


def half(message):
    """The MAC of 32 octets cut to 16, as sent by who is short of room."""
    at = message.index(TSIG) + len(TSIG)
    size = at + 2 + 13 + 8
    assert message[size:size + 2] == b"\0\x20"
    length = struct.unpack_from("!H", message, at)[0] - 16
    return (message[:at] + struct.pack("!H", length) + message[at + 2:size] + b"\0\x10" +
            message[size + 2:size + 18] + message[size + 34:])


main()
