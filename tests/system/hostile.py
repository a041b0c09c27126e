# SPDX-License-Identifier: BSD-2-Clause
"""A primary made of octets, for attacks that no DNS library can write down or hold in memory.

    with Hostile("example.test") as p:
        p.attack = lambda q: (message(q, [soa(2)]), b"...")     # for AXFR; an iterable, may never end
        p.serial = 2

Its zone is an SOA, an NS and one A record.  What an attack yields is sent message by message; octets of the
type Octets go into the connection as they are, a number is a pause, RESET resets the connection.
"""

import socket
import struct
import threading

from fakewire import Listener
from lab import free_port

A, NS, SOA, TXT, AXFR, IXFR = 1, 2, 6, 16, 252, 251
APEX = b"\xc0\x0c"      # the question's name
RESET = object()


class Octets(bytes):
    """Not a message: as it is, without a length in front."""


def wire_name(text):
    return b"".join(bytes([len(p)]) + p for p in text.encode().rstrip(b".").split(b".")) + b"\0"


def rr(owner, rdtype, rdata, ttl=300, rdclass=1):
    """Owner: octets, may end in a pointer."""
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(rdata)) + rdata


def soa(serial, owner=APEX, **how):
    return rr(owner, SOA, APEX + APEX + struct.pack("!IIIII", serial, 3600, 600, 604800, 300), **how)


def label(text):
    """A name of one label below the apex."""
    return bytes([len(text)]) + text + APEX


NS_RECORD = rr(APEX, NS, b"\x03ns1" + APEX)
HOST_RECORD = rr(b"\x03ns1" + APEX, A, b"\xc0\0\2\1")


class Question:
    """A query that came."""

    def __init__(self, wire):
        self.id = wire[:2]
        end = 12
        while wire[end]:
            end += 1 + wire[end]
        self.name = wire[12:end + 1]
        self.type, self.rdclass = struct.unpack_from("!HH", wire, end + 1)
        self.octets = wire[12:end + 5]


def message(q, records, flags=0x8400, counts=None, question=None, ident=None):
    """An answer to a Question."""
    question = q.octets if question is None else question
    counts = counts or (1 if question else 0, len(records), 0, 0)
    return (q.id if ident is None else ident) + struct.pack("!HHHHH", flags, *counts) + question + b"".join(records)


class Hostile(Listener):
    """See the head of this file."""

    def __init__(self, zone, host="127.0.0.11", serial=1):
        super().__init__(host, free_port())
        self.zone = wire_name(zone)
        self.serial = serial
        self.attack = None          # Question -> iterable; for transfers, of AXFR unless attack_type says IXFR
        self.attack_type = AXFR
        self.sent = 0               # octets of attacks
        self.asked = {SOA: 0, AXFR: 0, IXFR: 0}
        self.running = 0            # connections with an attack
        self.any_zone = False       # every name is a zone with this serial
        self.on_accept = None       # socket -> None
        self.sent_all = threading.Event()

    def good(self, q):
        yield message(q, [soa(self.serial), NS_RECORD, HOST_RECORD, soa(self.serial)])

    def handle(self, wire, reply, transport, source, conn):
        q = Question(wire)
        with self.lock:
            self.asked[q.type] = self.asked.get(q.type, 0) + 1
        if q.name != self.zone and not self.any_zone:
            reply(message(q, [], flags=0x8405))
        elif q.type == SOA:
            reply(message(q, [soa(self.serial)]))
        elif transport == "tcp" and q.type in (AXFR, IXFR):
            attack = self.attack if self.attack_type == q.type else None
            self.stream(conn, (attack or self.good)(q), attack is not None)

    def stream(self, conn, pieces, attack):
        sock = conn["socket"]
        with self.lock:
            self.running += attack
        try:
            for piece in pieces:
                if self.stopping:
                    break
                if piece is RESET:
                    reset(sock)
                    break
                if isinstance(piece, (int, float)):
                    self.pause(piece)
                    continue
                octets = piece if isinstance(piece, Octets) else struct.pack("!H", len(piece)) + piece
                sock.sendall(octets)
                self.sent += len(octets) if attack else 0
        finally:
            with self.lock:
                self.running -= attack
                self.changed.notify_all()


def reset(sock):
    """Ends a connection with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
