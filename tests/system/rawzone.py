# SPDX-License-Identifier: BSD-2-Clause
"""Records as octets: to make, send and compare what dnspython would not take, or not unchanged.

A Raw has an owner, type, TTL and RDATA in wire format without compression.  It can stand in the place of
a fakewire.Record in a zone of the fake primary.  axfr() reads a transfer with a decoder of its own, so that
nothing between the wire and the comparison folds case, sorts, or rewrites RDATA.
"""

import dataclasses
import socket
import struct
import time

import dns.name

from fakewire import read_frame, write_frame
from lab import SLOW

A, NS, CNAME, SOA, TXT, NSEC3 = 1, 2, 5, 6, 16, 50
IXFR, AXFR = 251, 252

# Parts of RDATA that a receiver decompresses (RFC 3597 section 4): "n" a name which senders may
# compress too, "d" one they may not, "s" a character-string, a number so many octets, "*" the rest.
LAYOUT = {2: "n", 3: "n", 4: "n", 5: "n", 6: ("n", "n", 20), 7: "n", 8: "n", 9: "n", 12: "n", 14: "nn",
          15: (2, "n"), 17: "dd", 18: (2, "d"), 21: (2, "d"), 24: (18, "d", "*"), 26: (2, "d", "d"),
          30: ("d", "*"), 33: (6, "d"), 35: (4, "s", "s", "s", "d"), 36: (2, "d")}


def wire_name(text, origin=None):
    """Octets of a name given as text with escapes; origin: a name as text or octets."""
    if isinstance(origin, bytes):
        origin = dns.name.from_wire(origin, 0)[0]
    elif isinstance(origin, str):
        origin = dns.name.from_text(origin)
    if text == "@":
        return origin.to_wire()
    return dns.name.from_text(text, origin or dns.name.root).to_wire()


def labels_name(*labels, origin=b"\0"):
    """Octets of a name made of these labels, any octets, in front of origin (octets)."""
    return b"".join(bytes([len(label)]) + label for label in labels) + origin


def name_end(data, at):
    """Offset behind the uncompressed name at `at`."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def lower(name):
    return bytes(name).lower()  # lengths of labels are below the letters


@dataclasses.dataclass(frozen=True, order=True)
class Raw:
    """One record."""

    owner: bytes
    rdtype: int
    ttl: int
    octets: bytes       # RDATA

    # What fakeprimary looks at.
    @property
    def rdata(self):
        return self

    @property
    def serial(self):
        return struct.unpack("!I", self.octets[-20:-16])[0]

    def replace(self, serial):
        octets = self.octets[:-20] + struct.pack("!I", serial) + self.octets[-16:]
        return dataclasses.replace(self, octets=octets)

    def _replace(self, rdata):
        return rdata

    def key(self, fold=False):
        return (lower(self.owner) if fold else self.owner, 1, self.rdtype, self.ttl, self.octets)

    def rrset(self):
        return self

    # What dns.renderer calls.
    def to_wire(self, out, compress, _origin=None, **_unused):
        put_name(out, compress, self.owner, True)
        out.write(struct.pack("!HHIH", self.rdtype, 1, self.ttl, 0))
        start = out.tell()
        put_rdata(out, compress, self.rdtype, self.octets)
        end = out.tell()
        out.seek(start - 2)
        out.write(struct.pack("!H", end - start))
        out.seek(end)
        return 1

    def __str__(self):
        owner = dns.name.from_wire(self.owner, 0)[0]
        return f"{owner} {self.ttl} TYPE{self.rdtype} {self.octets[:40].hex()}"


def _learn_question(out, compress):
    """Pointers may lead to the question as well; dnspython has noted it without its case."""
    if b"question" in compress:
        return
    compress[b"question"] = 0
    data = out.getvalue()
    at = 12
    while at < len(data) and data[at]:
        compress[data[at:name_end(data, 12)]] = at
        at += 1 + data[at]


def put_name(out, compress, name, may):
    """A name, compressed against the same octets only: what is sent keeps its case."""
    _learn_question(out, compress)
    at = 0
    while name[at]:
        rest = bytes(name[at:])
        if may and rest in compress:
            out.write(struct.pack("!H", 0xC000 | compress[rest]))
            return
        if out.tell() < 0x4000:
            compress.setdefault(rest, out.tell())
        out.write(name[at:at + 1 + name[at]])
        at += 1 + name[at]
    out.write(b"\0")


def put_rdata(out, compress, rdtype, octets):
    parts = LAYOUT.get(rdtype)
    if parts is None or not well_formed(rdtype, octets):
        out.write(octets)
        return
    at = 0
    for part in parts:
        if part in ("n", "d"):
            end = name_end(octets, at)
            put_name(out, compress, octets[at:end], part == "n")
        else:
            end = part_end(octets, at, part)
            out.write(octets[at:end])
        at = end


def part_end(octets, at, part):
    if part == "s":
        return at + 1 + octets[at]
    return len(octets) if part == "*" else at + part


def well_formed(rdtype, octets):
    at = 0
    try:
        for part in LAYOUT.get(rdtype, "*"):
            at = name_end(octets, at) if part in ("n", "d") else part_end(octets, at, part)
    except IndexError:
        return False
    return at == len(octets)


def soa(origin, serial=1, refresh=3600, retry=600, expire=604800, minimum=300, ttl=3600):
    """An SOA; origin: text or octets."""
    owner = origin if isinstance(origin, bytes) else wire_name(origin)
    octets = labels_name(b"ns1", origin=owner if len(owner) < 120 else b"\0") \
        + labels_name(b"Host", b"Master", origin=owner if len(owner) < 120 else b"\0")
    return Raw(owner, SOA, ttl, octets + struct.pack("!IIIII", serial, refresh, retry, expire, minimum))


# ---- reading ----


def read_name(wire, at):
    """(name, offset behind it); pointers only backward."""
    out, end, before = [], None, at
    while True:
        n = wire[at]
        if n == 0:
            name = b"".join(out) + b"\0"
            assert len(name) <= 255, "name too long"
            return name, at + 1 if end is None else end
        if n >= 0xC0:
            target = struct.unpack_from("!H", wire, at)[0] & 0x3FFF
            assert 12 <= target < before, "pointer that does not lead backward"
            end = at + 2 if end is None else end
            at = before = target
            continue
        assert n < 64, "reserved type of label"
        out.append(wire[at:at + 1 + n])
        at += 1 + n


def read_rdata(wire, at, end, rdtype):
    parts = LAYOUT.get(rdtype)
    if parts is None:
        return wire[at:end]
    out = []
    for part in parts:
        if part in ("n", "d"):
            name, at = read_name(wire, at)
            out.append(name)
        else:
            stop = end if part == "*" else part_end(wire, at, part)
            out.append(wire[at:stop])
            at = stop
    assert at == end, f"RDATA of type {rdtype} has {end - at} octets more"
    return b"".join(out)


def read_records(wire, at, count):
    """[Raw], and the offset behind them."""
    out = []
    for _ in range(count):
        owner, at = read_name(wire, at)
        rdtype, rdclass, ttl, length = struct.unpack_from("!HHIH", wire, at)
        assert rdclass == 1
        at += 10
        assert at + length <= len(wire), "record is cut off"
        out.append(Raw(owner, rdtype, ttl, read_rdata(wire, at, at + length, rdtype)))
        at += length
    return out, at


def answers(wire):
    """Records of the answer section; the header and the rest are checked."""
    _, flags, questions, count, authority, additional = struct.unpack_from("!HHHHHH", wire, 0)
    assert flags & 0xFA7F == 0x8000, f"flags {flags:04x}"   # QR, and RD, AA as they may be; no RCODE
    at = 12
    for _ in range(questions):
        _, at = read_name(wire, at)
        at += 4
    out, at = read_records(wire, at, count)
    assert authority == 0 and additional <= 1
    if additional:
        assert struct.unpack_from("!BH", wire, at) == (0, 41)
        at += 11 + struct.unpack_from("!H", wire, at + 9)[0]
    assert at == len(wire), "octets behind the last record"
    return out


def question(zone, qtype, edns=True):
    """Octets of a query; zone: octets."""
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if edns else b""
    return struct.pack("!HHHHHH", 0x5A5A, 0, 1, 0, 0, edns) + zone + struct.pack("!HH", qtype, 1) + opt


class Wire:
    """A whole zone as it came."""

    def __init__(self):
        self.records = []       # without the closing SOA, in the order they came
        self.messages = []      # octets


def axfr(zone, port, host="127.0.0.1", source=None, timeout=60, edns=True):
    """The whole zone; zone: octets or text."""
    zone = zone if isinstance(zone, bytes) else wire_name(zone)
    t, end = Wire(), time.monotonic() + timeout * SLOW
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(timeout * SLOW)
        if source:
            s.bind((source, 0))
        s.connect((host, port))
        write_frame(s, question(zone, AXFR, edns))
        while len(t.records) < 2 or t.records[-1].rdtype != SOA or t.records[-1].octets != t.records[0].octets:
            assert time.monotonic() < end, "the transfer does not end"
            wire = read_frame(s)
            assert wire[:2] == b"ZZ"
            rcode = wire[3] & 15
            assert rcode == 0, f"transfer answered with RCODE {rcode}"
            t.messages.append(wire)
            t.records += answers(wire)
    t.records.pop()
    return t


def same_soa(a, b):
    """The same but for the spelling of the owner, which the question may have lent."""
    return (a.rdtype, a.ttl, a.octets, lower(a.owner)) == (SOA, b.ttl, b.octets, lower(b.owner))


def ixfr(zone, serial, port, host="127.0.0.1", timeout=60):
    """All records of the answer to IXFR by TCP, SOAs included; zone: octets or text."""
    zone = zone if isinstance(zone, bytes) else wire_name(zone)
    out, end = [], time.monotonic() + timeout * SLOW
    query = question(zone, IXFR, False)
    query = query[:8] + struct.pack("!H", 1) + query[10:]
    octets = b"\0\0" + struct.pack("!IIIII", serial, 0, 0, 0, 0)
    query += b"\xc0\x0c" + struct.pack("!HHIH", SOA, 1, 0, len(octets)) + octets
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(timeout * SLOW)
        s.connect((host, port))
        write_frame(s, query)
        while True:
            assert time.monotonic() < end, "the transfer does not end"
            wire = read_frame(s)
            assert wire[:2] == b"ZZ" and wire[3] & 15 == 0, f"RCODE {wire[3] & 15}"
            out += answers(wire)
            if len(out) == 1 and out[0].serial == serial:
                return out
            # Steps end with the newest SOA and the closing one; a whole zone has the closing one alone.
            need = 3 if len(out) > 1 and out[1].rdtype == SOA else 2
            if len(out) > 1 and sum(same_soa(r, out[0]) for r in out) == need:
                return out


def identity(r):
    """What makes it another record (U-06)."""
    return lower(r.owner), r.rdtype, r.octets


def apply(records, stream):
    """The version to which the answer to IXFR leads from `records`; every deletion and addition must fit."""
    if len(stream) == 1:
        return list(records)
    if stream[1].rdtype != SOA:
        return stream[:-1]
    have = {identity(r): r for r in records}
    soas = [i for i, r in enumerate(stream) if r.rdtype == SOA]
    assert len(soas) % 2 == 0 and same_soa(stream[0], stream[-1])
    for start, middle, end in zip(soas[1::2], soas[2::2], soas[3::2]):
        for r in stream[start:middle]:
            gone = have.pop(identity(r), None)
            assert gone == r or (r.rdtype == SOA and same_soa(gone, r)), f"deletes {r}, there is {gone}"
        for r in stream[middle:end]:
            assert have.setdefault(identity(r), r) is r, f"adds {r}, which is there"
    return list(have.values())


def difference(a, b, limit=5):
    """What to say when two lists of records are not the same; None when they are."""
    a, b = sorted(a), sorted(b)
    if a == b:
        return None
    less, more = [], []
    i = j = 0
    while i < len(a) or j < len(b):
        if j >= len(b) or (i < len(a) and a[i] < b[j]):
            less.append(a[i])
            i += 1
        elif i >= len(a) or b[j] < a[i]:
            more.append(b[j])
            j += 1
        else:
            i, j = i + 1, j + 1
    return (f"{len(less)} missing: {[str(r) for r in less[:limit]]}; "
            f"{len(more)} too many: {[str(r) for r in more[:limit]]}")


# ---- as text ----


PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/")


def name_text(name):
    """The name as every server reads it: whatever could mean something is written as a number."""
    out, at = "", 0
    while name[at]:
        out += "".join(chr(c) if c in PLAIN else f"\\{c:03}" for c in name[at + 1:at + 1 + name[at]]) + "."
        at += 1 + name[at]
    return out or "."


def master_line(r):
    """One line of a zone file, RDATA in the form of RFC 3597; the SOA as one knows it."""
    owner = name_text(r.owner)
    if r.rdtype == SOA:
        mname, at = read_name(r.octets, 0)
        rname, at = read_name(r.octets, at)
        numbers = " ".join(map(str, struct.unpack("!IIIII", r.octets[at:])))
        return f"{owner} {r.ttl} IN SOA {name_text(mname)} {name_text(rname)} {numbers}"
    return f"{owner} {r.ttl} IN TYPE{r.rdtype} \\# {len(r.octets)} {r.octets.hex()}".rstrip()


def master(records):
    """A zone file, the SOA first."""
    lines = [master_line(r) for r in sorted(records, key=lambda r: r.rdtype != SOA)]
    return "\n".join(lines) + "\n"
