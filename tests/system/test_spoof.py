# SPDX-License-Identifier: BSD-2-Clause
"""Forged answers to our SOA queries over UDP (RFC 5452, Q-21): what is not to our question is not an answer."""

import socket
import struct
import time

from hostile import Hostile, Question, message, soa, wire_name
from lab import SLOW
from relay import Relay
from scene import ZONE

WATCH = {"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}
FORGED = 4000000        # no serial of ours
OTHER = wire_name("other.test")


class Forged(Hostile):
    """Sends what `forge` makes of a question before its own answer, from its own port or from another."""

    forge = None        # (Question) -> octets of answers
    foreign = False     # from another port, as somebody else would
    silent = False      # over UDP
    queries = ()        # (port, ID, name, time) over UDP

    def handle(self, wire, reply, transport, source, conn):
        q = Question(wire)
        if transport == "udp":
            self.queries += ((source[1], struct.unpack("!H", q.id)[0], q.name, time.monotonic()),)
            if self.silent:
                return
            for octets in self.forge(q) if self.forge else ():
                self.send(octets, reply, source)
        super().handle(wire, reply, transport, source, conn)

    def send(self, octets, reply, source):
        if not self.foreign:
            reply(octets)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((self.host, 0))
            s.sendto(octets, source[:2])


def relayed(lab, server=None):
    up = lab.add(Forged(ZONE).start())
    relay = Relay(lab, primaries={"up": {"address": up.address}}, downstreams=WATCH, zones=[ZONE], server=server).start()
    relay.wait_serial(ZONE, 1)
    return up, relay


def question(q, name=None, rdtype=6, rdclass=1):
    return (name or q.name) + struct.pack("!HH", rdtype, rdclass)


def other_id(q):
    return struct.pack("!H", struct.unpack("!H", q.id)[0] ^ 0x0101)


FORGERIES = {
    "another ID": lambda q: message(q, [soa(FORGED)], ident=other_id(q)),
    "another name": lambda q: message(q, [soa(FORGED, q.name)], question=question(q, OTHER)),
    "another type": lambda q: message(q, [soa(FORGED)], question=question(q, rdtype=1)),
    "another class": lambda q: message(q, [soa(FORGED)], question=question(q, rdclass=3)),
    "no question": lambda q: message(q, [soa(FORGED, q.name)], question=b"", counts=(0, 1, 0, 0)),
    "a query": lambda q: message(q, [soa(FORGED)], flags=0),
    "a refusal with another ID": lambda q: message(q, [], flags=0x8405, ident=other_id(q)),
    "less than a header": lambda q: q.id + b"\x84",
}


def check_once(up, relay, serial):
    """A refresh finds this serial, and only this one."""
    up.serial = serial
    relay.ctl("refresh", ZONE, "--wait")
    assert relay.serial(ZONE) == serial
    [e] = relay.events("soa-checked")[-1:]
    assert int(e["serial"]) == serial, e
    assert not relay.events("soa-checked", serial=str(FORGED)) and not relay.events("soa-failed")


def test_forged_answers(lab):
    """F-01, Q-21: wrong ID, name, type, class: each is passed over, and the genuine answer counts."""
    up, relay = relayed(lab)
    for serial, (what, make) in enumerate(sorted(FORGERIES.items()), 2):
        up.forge = lambda q, make=make: [make(q)] * 3
        try:
            check_once(up, relay, serial)
        except AssertionError as e:
            raise AssertionError(what) from e
    assert up.asked[6] == len(up.queries), "asked over TCP"


def test_from_elsewhere(lab):
    """Q-21: everything is right but the port it comes from."""
    up, relay = relayed(lab)
    up.foreign = True
    up.forge = lambda q: [message(q, [soa(FORGED)])] * 5
    check_once(up, relay, 2)
    check_once(up, relay, 3)


def test_guessing(lab):
    """RFC 5452 section 9.3: who guesses IDs makes us ask over TCP, and gains nothing by it."""
    up, relay = relayed(lab)
    up.forge = lambda q: [message(q, [soa(FORGED)], ident=struct.pack("!H", i)) for i in range(200)
                          if struct.pack("!H", i) != q.id]
    up.serial = 2
    relay.ctl("refresh", ZONE, "--wait")
    assert relay.serial(ZONE) == 2
    relay.wait_event("soa-spoofed", 1, 5 * SLOW)
    assert up.asked[6] > len(up.queries), "not asked over TCP"


def test_one_question_at_a_time(lab):
    """Q-21: two equal questions under way would halve the work of a forger; a repeat has an ID and a port of its own."""
    up, relay = relayed(lab, server={"soa-timeout": "500ms", "soa-tries": 5})
    up.queries, up.silent = (), True
    start = time.monotonic()
    for _ in range(20):
        relay.ctl("refresh", ZONE)
    up.wait(lambda: len(up.queries) >= 4, 5, "repeats")
    assert time.monotonic() - start > 1.4
    assert all(b[3] - a[3] > 0.4 for a, b in zip(up.queries, up.queries[1:])), up.queries
    assert len({q[0] for q in up.queries}) == len({q[1] for q in up.queries}) == len(up.queries)
    up.silent, up.serial = False, 2
    relay.wait_serial(ZONE, 2)


def test_numbers(lab):
    """Q-21: IDs and ports leave nothing to guess."""
    up, relay = relayed(lab)
    for serial in range(2, 122):
        up.serial = serial
        relay.ctl("refresh", ZONE, "--wait")
    ports, idents, _, _ = zip(*up.queries)
    assert len(up.queries) >= 120
    # Of 120 drawn from 65,536, three of a kind come once in 15,000 runs; of 28,000 ports, once in 2,800.
    assert len(set(idents)) > 115 and len(set(ports)) > 110
    for drawn in (idents, ports):
        steps = [b - a for a, b in zip(drawn, drawn[1:])]
        assert len(set(steps)) > 110, "a pattern"
        assert 40 < sum(s > 0 for s in steps) < 80, "they rise or fall"
    assert sum(i >> 15 for i in idents) in range(30, 91)
    assert wire_name(ZONE) == up.queries[0][2]
