#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes tsig_vectors.h, what test_tsig.c knows of an independent implementation of TSIG.

Everything in it was signed by dnspython (2.3 was used), and only by it:

    python3 tests/unit/wire/mktsig.py | clang-format >tests/unit/wire/tsig_vectors.h

The times are fixed, so it always writes the same.
"""

import unittest.mock

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rrset
import dns.tsig

NOW = 1700000000
SECRET = bytes(range(1, 49))
ALGORITHMS = ("sha1", "sha224", "sha256", "sha384", "sha512")


def at(when):
    return unittest.mock.patch("dns.message.time.time", lambda: when)


def key(algorithm="sha256", name="relay-key.test.", secret=SECRET):
    return dns.tsig.Key(name, secret, "hmac-" + algorithm)


def notify(qtype="SOA"):
    m = dns.message.make_query("Zone.Example.", qtype, id=0x1234)
    m.flags = dns.flags.AA
    m.set_opcode(dns.opcode.NOTIFY)
    return m


def answer(query, rcode=0, **tsig):
    r = dns.message.make_response(query)
    r.flags |= dns.flags.AA
    r.set_rcode(rcode)
    r.request_mac = query.mac
    if tsig:
        r.use_tsig(**tsig)
    return r


def signed(m, k, when=NOW, **kw):
    m.use_tsig(k, **kw)
    with at(when):
        wire = m.to_wire()
    return wire


def received(wire, k, when=NOW):
    """As a server sees it: with the MAC of the request for its answer."""
    with at(when):
        return dns.message.from_wire(wire, keyring=k)


def emit(name, wire):
    print(f"static const char {name}[] =")
    text = wire.hex()
    lines = [text[i:i + 80] for i in range(0, len(text), 80)]
    print("\n".join(f'    "{line}"' for line in lines) + ";")


def array(name, items, what="char *const"):
    print(f"static const {what} {name}[] = {{{', '.join(items)}}};")


def exchanges():
    """Each algorithm: a NOTIFY(AXFR), and its answer 2 seconds later."""
    for algorithm in ALGORITHMS:
        k = key(algorithm)
        plain = notify("AXFR").to_wire()
        wire = signed(notify("AXFR"), k)
        request = received(wire, k)
        emit(f"request_{algorithm}", wire)
        bare = answer(request)
        bare.tsig = None
        emit(f"answer_{algorithm}", signed(answer(request), k, NOW + 2))
    emit("request_plain", plain)
    emit("answer_plain", bare.to_wire())
    array("requests", [f"request_{a}" for a in ALGORITHMS])
    array("answers", [f"answer_{a}" for a in ALGORITHMS])


def oddities():
    k = key()
    # Names as somebody might write them.
    emit("request_case", signed(notify(), key(name="ReLaY-kEy.TEST.")))
    # Sent on by somebody who changed the ID.
    m = notify()
    wire = bytearray(signed(m, k, original_id=0x1234))
    wire[0:2] = b"\xfe\xdc"
    emit("request_forwarded", bytes(wire))
    # With EDNS, a long secret, the root as the name of the key.
    m = notify()
    m.use_edns(0, payload=1232)
    long_secret = bytes(i * 7 & 255 for i in range(200))
    emit("request_edns", signed(m, key("sha512", ".", long_secret)))
    emit("secret_edns", long_secret)
    # After the year 2106: more than 32 bits of time; and another fudge.
    emit("request_late", signed(notify(), k, (1 << 32) + 5, fudge=7))


def errors():
    k = key()
    request = received(signed(notify("AXFR"), k), k)
    late = NOW + 4000
    bad_time = answer(request, dns.rcode.NOTAUTH)
    wire = signed(bad_time, k, NOW, tsig_error=dns.rcode.BADTIME,
                  other_data=late.to_bytes(6, "big"))
    emit("answer_badtime", wire)
    bad_trunc = answer(request, dns.rcode.NOTAUTH)
    emit("answer_badtrunc", signed(bad_trunc, k, NOW + 1, tsig_error=dns.rcode.BADTRUNC))
    bare = answer(request, dns.rcode.NOTAUTH)
    bare.tsig = None
    emit("answer_notauth", bare.to_wire())


def stream(name, steps, algorithm="sha256"):
    """steps: (signed, seconds) of the messages of an answer to an AXFR query."""
    k = key(algorithm)
    q = dns.message.make_query("zone.example.", "AXFR", id=0x4321)
    q.flags = 0
    wire = signed(q, k)
    query = received(wire, k)
    emit(f"{name}_query", wire)
    context = None
    names = []
    for i, (sign, seconds) in enumerate(steps):
        m = answer(query)
        m.answer.append(dns.rrset.from_text("zone.example.", 300, "IN", "TXT", f"message {i}"))
        if sign:
            m.use_tsig(k)
            with at(NOW + seconds):
                wire = m.to_wire(multi=True, tsig_ctx=context)
            context = m.tsig_ctx
        else:
            m.tsig = None
            wire = m.to_wire()
            context.update(wire)
        names.append(f"{name}_{i}")
        emit(names[-1], wire)
    array(name, names)
    array(f"{name}_seconds", [str(s) for _, s in steps], "int")


def main():
    print("/* SPDX-License-Identifier: BSD-2-Clause */")
    print("/* Written by mktsig.py: signed by dnspython.  In hexadecimal. */")
    print("#pragma once\n")
    print(f"#define VECTOR_NOW {NOW}")
    print('#define VECTOR_KEY "relay-key.test"')
    emit("vector_secret", SECRET)
    exchanges()
    oddities()
    errors()
    # All signed, a sparse one, and one which takes much longer than the fudge.
    stream("full", [(True, 0), (True, 1), (True, 1)])
    stream("sparse", [(True, 0), (False, 0), (False, 0), (True, 3), (True, 3), (False, 0),
                      (True, 4)], "sha1")
    stream("slow", [(True, 0), (True, 250), (False, 0), (True, 5000), (True, 86400)], "sha384")


main()
