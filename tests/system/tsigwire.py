# SPDX-License-Identifier: BSD-2-Clause
"""TSIG (RFC 8945) once more, on octets and with nothing but hmac: what no library lets one do wrong.

A Chain is one exchange: sign() the request and verify() the answers, or the other way round.
"""

import base64
import hashlib
import hmac
import struct
import time
from typing import NamedTuple

import dns.name
import dns.tsig

HASHES = {"hmac-sha1": "sha1", "hmac-sha224": "sha224", "hmac-sha256": "sha256", "hmac-sha384": "sha384",
          "hmac-sha512": "sha512", "hmac-md5": "md5"}
BADSIG, BADKEY, BADTIME, BADTRUNC = 16, 17, 18, 22


class Key:
    """name, algorithm, secret (octets)."""

    def __init__(self, name, alg="hmac-sha256", secret=None):
        self.name, self.alg = name, alg
        self.secret = secret if secret is not None else hashlib.sha512(name.encode() + alg.encode()).digest()

    @property
    def text(self):
        return base64.b64encode(self.secret).decode()

    @property
    def conf(self):
        """As a value of `keys` in the configuration."""
        return {"algorithm": self.alg, "secret": self.text}

    def ring(self):
        """For dnspython."""
        owner = dns.name.from_text(self.name)
        return {owner: dns.tsig.Key(owner, self.secret, self.alg + ".")}

    def wire(self):
        return dns.name.from_text(self.name).canonicalize().to_wire()

    def alg_wire(self):
        name = "hmac-md5.sig-alg.reg.int" if self.alg == "hmac-md5" else self.alg
        return dns.name.from_text(name).to_wire()


class Tsig(NamedTuple):
    """A record as it stands in a message."""

    name: bytes
    alg: bytes
    time: int
    fudge: int
    mac: bytes
    original_id: int
    error: int
    other: bytes


def _skip_name(wire, at):
    while wire[at]:
        if wire[at] >= 0xC0:
            return at + 2
        at += 1 + wire[at]
    return at + 1


def _name_at(wire, at):
    name, _ = dns.name.from_wire(wire, at)
    return name.canonicalize().to_wire()


def split(wire):
    """(the message without TSIG and with the ID it was signed with, Tsig), or (wire, None)."""
    counts = struct.unpack("!4H", wire[4:12])
    at = 12
    for _ in range(counts[0]):
        at = _skip_name(wire, at) + 4
    last = rdtype = None
    for _ in range(sum(counts[1:])):
        last = at
        at = _skip_name(wire, at)
        rdtype, _, _, rdlen = struct.unpack("!HHIH", wire[at:at + 10])
        rdata = at + 10
        at = rdata + rdlen
    if last is None or rdtype != 250 or counts[3] == 0:
        return wire, None
    p = _skip_name(wire, rdata)
    high, low, fudge, size = struct.unpack("!HIHH", wire[p:p + 10])
    mac = wire[p + 10:p + 10 + size]
    p += 10 + size
    ident, error, olen = struct.unpack("!HHH", wire[p:p + 6])
    t = Tsig(_name_at(wire, last), _name_at(wire, rdata), high << 32 | low, fudge, mac, ident, error,
             wire[p + 6:p + 6 + olen])
    bare = struct.pack("!H", ident) + wire[2:10] + struct.pack("!H", counts[3] - 1) + wire[12:last]
    return bare, t


class Chain:
    """The digests of one exchange, in order."""

    def __init__(self, key):
        self.key = key
        self.prior = None       # MAC before this one
        self.waiting = b""      # messages since then
        self.count = 0          # signed so far, the request among them

    def _mac(self, bare, when, fudge, error, other):
        clock = struct.pack("!HIH", when >> 32, when & 0xFFFFFFFF, fudge)
        data = b"" if self.prior is None else struct.pack("!H", len(self.prior)) + self.prior
        data += self.waiting + bare
        if self.count < 2:      # the request and the first answer
            data += self.key.wire() + struct.pack("!HI", 255, 0) + self.key.alg_wire() + clock
            data += struct.pack("!HH", error, len(other)) + other
        else:
            data += clock
        return hmac.new(self.key.secret, data, HASHES[self.key.alg]).digest()

    def _advance(self, mac):
        self.prior, self.waiting = mac, b""
        self.count += 1

    def sign(self, wire, skew=0, cut=None, error=0, other=b"", when=None, break_mac=False, fudge=300):
        """The message with its TSIG; cut: octets of the MAC that are sent."""
        when = int(time.time()) + skew if when is None else when
        mac = self._mac(wire, when, fudge, error, other)[:cut]
        if break_mac:
            mac = bytes([mac[0] ^ 1]) + mac[1:]
        self._advance(mac)
        return append(wire, self.key, when, mac, error, other, fudge)

    def skip(self, wire):
        """A message that goes without TSIG."""
        self.waiting += wire
        return wire

    def verify(self, wire):
        """(bare message, Tsig), or (wire, None) when it has none; AssertionError when it is wrong."""
        bare, t = split(wire)
        if t is None:
            self.waiting += wire
            return wire, None
        assert t.name == self.key.wire() and t.alg == self.key.alg_wire(), t
        if not t.mac:
            return bare, t
        mac = self._mac(bare, t.time, t.fudge, t.error, t.other)
        assert hmac.compare_digest(mac[:len(t.mac)], t.mac), "wrong MAC"
        self._advance(t.mac)
        return bare, t


def append(wire, key, when, mac, error=0, other=b"", fudge=300):
    """The message with such a record behind it."""
    rdata = key.alg_wire() + struct.pack("!HIHH", when >> 32, when & 0xFFFFFFFF, fudge, len(mac)) + mac
    rdata += wire[:2] + struct.pack("!HH", error, len(other)) + other
    count = struct.unpack("!H", wire[10:12])[0] + 1
    return (wire[:10] + struct.pack("!H", count) + wire[12:] + key.wire()
            + struct.pack("!HHIH", 250, 255, 0, len(rdata)) + rdata)
