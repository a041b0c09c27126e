# SPDX-License-Identifier: BSD-2-Clause
"""Peers that sign: the fake ones, the real ones, and requests of the tests' own."""

import os
import re
import socket
import struct

import dns.message

import fakedownstream
from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from fakewire import exchange, notify_query, read_frame, write_frame
from lab import SLOW
from scene import PRIMARY, ZONE, Scene
from servers import Knot, Named, Nsd
from tsigwire import BADKEY, BADSIG, Chain, Key, append, split

UP = Key("up-relay.example")
DOWN = Key("relay-down.example")
WATCH = Key("watch.example")


class KeyedPrimary(FakePrimary):
    """Signs and demands signatures.  The attributes change what it does, from the next message on."""

    key = UP
    demand = True           # else unsigned queries are answered, unsigned
    skew = 0                # seconds that its clock is ahead
    cut = None              # octets of its MACs
    error = None            # it claims this TSIG error instead of an answer
    sign_answers = True
    break_at = None         # this message (from 0) has a wrong MAC
    forge_id = None

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        self.unsigned = lambda n: False     # whether message n of an answer goes unsigned
        self.tamper = None                  # a function on message octets after they were signed: (n, wire)
        self.macs = []                      # (transport, Tsig) of the queries that came

    def handle(self, wire, reply, transport, source, conn):
        chain = Chain(self.key)
        bare, t = split(wire)
        bare = wire[:2] + bare[2:]
        if t is None:
            if self.demand:
                reply(refuse(wire, 5))
            else:
                super().handle(wire, reply, transport, source, conn)
            return
        self.macs.append((transport, t))
        if self.error is None:
            try:
                chain.verify(wire)
            except AssertionError:
                known = t.name == self.key.wire() and t.alg == self.key.alg_wire()
                reply(append(refuse(bare, 9), Key(self.key.name, self.key.alg), t.time, b"",
                             BADSIG if known else BADKEY))
                return
        elif self.error in (BADKEY, BADSIG):
            reply(append(refuse(bare, 9), self.key, t.time, b"", self.error))
            return
        sent = [0]

        def signed(answer):
            n = sent[0]
            sent[0] += 1
            if not self.sign_answers or self.unsigned(n):
                out = chain.skip(answer)
            else:
                out = chain.sign(answer, skew=self.skew, cut=self.cut, break_mac=self.break_at == n)
            reply(out if self.tamper is None else self.tamper(n, out))
        super().handle(bare, signed, transport, source, conn)


def refuse(wire, rcode):
    """A response without a thing in it but the question."""
    end = 12
    while wire[end]:
        end += 1 + wire[end]
    opcode = struct.unpack("!H", wire[2:4])[0] & 0x7800
    return wire[:2] + struct.pack("!5H", 0x8000 | opcode | rcode, 1, 0, 0, 0) + wire[12:end + 5]


class KeyedDownstream(FakeDownstream):
    """Takes signed NOTIFYs only, and signs its answers."""

    key = DOWN
    skew = 0
    error = None            # BADKEY, BADSIG: instead of an answer
    other = b""
    sign_answers = True
    break_mac = False

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        self.signatures = []    # Tsig of each NOTIFY
        self.wrong = []

    def handle(self, wire, reply, transport, source, conn):
        chain = Chain(self.key)
        bare, t = split(wire)
        try:
            assert t is not None, "not signed"
            chain.verify(wire)
        except AssertionError as e:
            self.wrong.append(str(e))
            return
        self.signatures.append(t)
        if self.error in (BADKEY, BADSIG):
            reply(append(refuse(wire[:2] + bare[2:], 9), self.key, t.time, b"", self.error))
            return

        def signed(answer):
            if self.error is not None:
                answer = answer[:3] + bytes([answer[3] & 0xF0 | 9]) + answer[4:]
            reply(chain.sign(answer, skew=self.skew, error=self.error or 0, other=self.other,
                             break_mac=self.break_mac) if self.sign_answers else answer)
        super().handle(wire[:2] + bare[2:], signed, transport, source, conn)


class KeyedScene(Scene):
    """A Scene in which everybody has a key: primary UP, "down" DOWN, "watch" at 127.0.0.1 WATCH."""

    def __init__(self, lab, zones=None, keys=None, primary=None, downstream=None, watch_key=False, **how):
        every = {k.name: k.conf for k in (UP, DOWN, WATCH)}
        more = {"locked": {"notify": False, "transfer-from": ["127.0.0.14"], "key": WATCH.name}}
        if watch_key:
            more["watch"] = {"notify": False, "transfer-from": ["127.0.0.1"], "key": WATCH.name}
        more.update(how.pop("more_downstreams", {}))
        super().__init__(lab, zones, primary=dict({"key": UP.name}, **(primary or {})),
                         downstream=dict({"key": DOWN.name}, **(downstream or {})),
                         more_downstreams=more, up=KeyedPrimary, down=KeyedDownstream,
                         keys=dict(every, **(keys or {})), **how)

    def tell(self, key=UP, zone=ZONE, qtype="SOA", tcp=False, source=PRIMARY, hint=None, wire=None, **how):
        """A signed NOTIFY; (message, Tsig) of the answer.  key None: unsigned."""
        q = notify_query(zone, qtype, hint)
        q.use_edns(0, 0, 1232)
        return signed_exchange(self.at, q.to_wire() if wire is None else wire, key, tcp, source, **how)


def signed_exchange(at, wire, key, tcp=False, source=None, timeout=5.0, raw=False, **how):
    """A request and its answer, verified: (message, Tsig or None), or (None, None)."""
    chain = Chain(key) if key is not None else None
    if chain is not None:
        wire = chain.sign(wire, **how)
    answer = exchange(wire, at, tcp, timeout * SLOW, source)
    if answer is None:
        return None, None
    if chain is None:
        bare, t = split(answer)
    else:
        bare, t = chain.verify(answer)
    return (answer if raw else dns.message.from_wire(answer[:2] + bare[2:])), t


def repeat(at, wire, source=PRIMARY, timeout=5.0):
    """Octets that were sent before, sent again: the answer as octets, or None."""
    return exchange(wire, at, False, timeout * SLOW, source)


class KeyedTransfer:
    """A transfer from the relay with every message verified by the tests' own TSIG."""

    def __init__(self, at, zone, key, kind="AXFR", serial=None, source="127.0.0.14", timeout=20.0, **how):
        chain = Chain(key)
        q = fakedownstream.query(zone, kind, serial).to_wire()
        self.messages, self.signed, self.times, self.rcode, self.wires = 0, 0, [], None, []
        soas = 0
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind((source, 0))
            sock.settimeout(timeout * SLOW)
            sock.connect(at)
            write_frame(sock, chain.sign(q, **how))
            while soas < 2:
                wire = read_frame(sock)
                bare, t = chain.verify(wire)
                self.messages += 1
                self.signed += t is not None
                self.tsig = t
                if t is not None:
                    self.times.append(t.time)
                m = dns.message.from_wire(wire[:2] + bare[2:], one_rr_per_rrset=True)
                self.wires.append(wire)
                self.rcode = m.rcode()
                if self.rcode != 0:
                    return
                soas += sum(r.rdtype == 6 for r in m.answer)
                if kind == "IXFR" and self.messages == 1 and len(m.answer) == 1:
                    return


# ---- real servers ----

# The name of the algorithm is the same for all; key, then the text of the file.


def edit(path, *pairs):
    with open(path) as f:
        text = f.read()
    for pattern, new in pairs:
        text, n = re.subn(pattern, new, text)
        assert n, (path, pattern)
    with open(path, "w") as f:
        f.write(text)


class KeyedNamed(Named):
    """BIND with a key for everything."""

    key = UP

    def configure(self):
        super().configure()
        k = self.key
        pairs = [(r"^", f'key "{k.name}" {{ algorithm {k.alg}; secret "{k.text}"; }};\n'),
                 (r"allow-transfer { any; }", f'allow-transfer {{ key "{k.name}"; }}')]
        if self.notify:
            pairs.append((r"also-notify {[^}]*}", "also-notify { " + " ".join(
                f'{h} port {p} key "{k.name}";' for h, p in self.notify) + " }"))
        if self.primary is not None:
            pairs.append((r"(primaries port \d+ {) ([0-9.]+);", rf'\1 \2 key "{k.name}";'))
        edit(os.path.join(self.dir, "named.conf"), *pairs)


class KeyedNsd(Nsd):
    """NSD with a key for everything."""

    key = UP

    def configure(self):
        super().configure()
        k = self.key
        edit(os.path.join(self.dir, "nsd.conf"), (r"NOKEY", k.name),
              (r"(?m)^remote-control:", f'key:\n  name: "{k.name}"\n  algorithm: {k.alg}\n  secret: "{k.text}"\n'
                                        "remote-control:"))


class KeyedKnot(Knot):
    """Knot DNS with a key for everything."""

    key = UP

    def configure(self):
        super().configure()
        k = self.key
        pairs = [(r"(?m)^database:", f"key:\n  - id: {k.name}\n    algorithm: {k.alg}\n    secret: {k.text}\n"
                                     "database:"),
                 (r"(    address: 127.0.0.0/8\n)", rf"\1    key: {k.name}\n")]
        if self.notify or self.primary is not None:
            pairs.append((r"(?m)^(    address: [0-9.]+@\d+\n)", rf"\1    key: {k.name}\n"))
        edit(os.path.join(self.dir, "knot.conf"), *pairs)


KEYED = {"named": KeyedNamed, "nsd": KeyedNsd, "knotd": KeyedKnot}


def with_key(cls, key):
    """A server class with this key."""
    return type(cls.__name__, (cls,), {"key": key})
