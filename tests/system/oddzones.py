# SPDX-License-Identifier: BSD-2-Clause
"""Zones of every odd kind, made from a seed: the same today and tomorrow.

make_all() gives {origin as text: [Raw, the SOA first]}.  Nothing in them was taken from a real zone.
"""

import base64
import hashlib
import random
import struct

import dns.rdata

from rawzone import A, CNAME, NS, NSEC3, TXT, Raw, labels_name, lower, soa, wire_name

SEED = 20240229
RRSIG, NSEC, DNSKEY, DS, DNAME, NSEC3PARAM, AAAA = 46, 47, 48, 43, 39, 51, 28
B32 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghijklmnopqrstuv")
# The largest RDATA that the relay promises to carry in a zone with a name as long as there is
# one: what is left of a message for its other parts.
LARGEST = 65535 - 12 - 259 - 512 - 300


class Zone:
    """A zone in the making."""

    def __init__(self, origin, seed=SEED, minimal=True, **how):
        self.text = origin
        self.origin = wire_name(origin)
        self.random = random.Random(f"{seed} {origin}")
        self.records = [soa(self.origin, **how)]
        if minimal:
            self.add("@", NS, self.name("ns1"))
            self.add("@", NS, wire_name("NS.Elsewhere.Example."))
            self.add("ns1", A, bytes([192, 0, 2, 1]))

    def name(self, text):
        return wire_name(text, self.origin) if isinstance(text, str) else text

    def add(self, owner, rdtype, octets, ttl=300):
        """owner: text below the origin, or octets of a whole name."""
        self.records.append(Raw(self.name(owner), rdtype, ttl, bytes(octets)))

    def text_rr(self, owner, rdtype, text, ttl=300):
        """As in a zone file; names must be absolute."""
        rd = dns.rdata.from_text("IN", rdtype, text)
        self.add(owner, int(rd.rdtype), rd.to_wire(), ttl)

    def octets(self, n):
        return self.random.randbytes(n)

    def strings(self, total):
        """Character-strings of so many octets in all, lengths counted."""
        out = b""
        while len(out) < total:
            n = min(255, total - len(out) - 1)
            out += bytes([n]) + self.octets(n)
        return out

    def done(self):
        """The records without duplicates, the SOA first."""
        seen, out = set(), []
        for r in self.records:
            key = (lower(r.owner), r.rdtype, r.octets)
            if key not in seen:
                seen.add(key)
                out.append(r)
        return out


# ---- types ----

# One line each: every type that dnspython knows as text, names in them in mixed case.
KNOWN = """
A 192.0.2.7
NS Server.Types.Test.
CNAME Target.Elsewhere.Example.
PTR Host.Types.Test.
HINFO "PDP-11/70" "UNIX \\"V7\\" \\\\ \\000\\127"
HINFO "" ""
MX 0 .
MX 65535 Mail.Types.Test.
TXT "a;b" "c d" "" "\\"" "\\\\" "(" "@" "\\127\\200"
TXT ""
RP Mbox.Types.Test. Txt.Types.Test.
AFSDB 1 Afs.Types.Test.
X25 "311061700956"
ISDN "150862028003217"
ISDN "150862028003217" "004"
RT 10 Relay.Types.Test.
NSAP 0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00
PX 10 Map822.Types.Test. Mapx400.Types.Test.
GPOS "-22.6882" "116.8652" "250.0"
AAAA 2001:db8::7
AAAA ::ffff:192.0.2.1
LOC 42 21 54.5 N 71 06 18.3 W -24.12m 30.25m 10000m 10m
SRV 0 65535 443 Server.Types.Test.
NAPTR 100 50 "s" "http+N2L+N2C+N2R" "" Www.Types.Test.
NAPTR 100 100 "" "" "/urn:cid:.+@([^\\\\.]+\\\\.)(.*)$/\\\\2/i" .
KX 10 Kx.Types.Test.
CERT 65534 65535 254 MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGgiWCn/GxHhai6V
DNAME Dname.Types.Test.
APL 1:192.168.32.0/21 !1:192.168.38.0/28 2:2001:db8::/32
DS 12345 8 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
IPSECKEY 10 3 2 Gateway.Types.Test. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==
RRSIG A 8 3 300 20380101000000 20180101000000 4711 Types.Test. AAECAwQFBgcICQoLDA0ODw==
NSEC Next.Types.Test. A NS TYPE65280 TYPE1234
DNSKEY 257 3 8 AwEAAaetidLzsKWUt4swWR8yu0wPHPiUi8LU
DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=
TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
SMIMEA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e1 Rvs.Types.Test. Rvs2.Types.Test.
NINFO "status" "ok"
CDS 12345 8 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
CDS 0 0 0 00
CDNSKEY 0 3 0 AA==
OPENPGPKEY AAECAwQFBgcICQoLDA0ODw==
CSYNC 66 3 A NS AAAA
SPF "v=spf1 -all"
NID 10 0014:4fff:ff20:ee64
L32 10 10.1.2.0
L64 10 2001:0DB8:1140:1000
LP 10 Pointer.Types.Test.
EUI48 00-00-5e-00-53-2a
EUI64 00-00-5e-ef-10-00-00-2a
URI 10 1 "ftp://ftp1.example.com/public"
CAA 0 issue "ca.example.net; policy=ev"
CAA 128 tbs "Unknown"
AVC "app-name:WOLFGANG|app-class:OAM"
AMTRELAY 10 0 3 Amt.Types.Test.
"""

# (type, RDATA): those it does not know, and forms it would not write.
OCTETS = [
    (3, "n"), (4, "n"), (7, "n"), (8, "n"), (9, "n"), (14, "nn"), (23, "n"), (58, "nn"), (24, None), (30, None),
    (10, b"\0\xff any octets"),
    (11, bytes([192, 0, 2, 1, 6]) + bytes(8) + b"\x80"),
    (13, b"\x03\xff\x80\x00\x02\"\\"),
    (25, bytes.fromhex("02000301") + b"key"),
    (31, b"\x12\x34\x56"),
    (32, b"\xc0\x0c\xc0\x0c"),
    (34, b"\x00E164"),
    (38, bytes([128]) + b"\x06Prefix\x05Types\x04Test\0"),
    (40, b"\x01\x00sink"),
    (57, bytes.fromhex("02000301") + b"rkey"),
    (99, b"\x03abc"),
    (100, b"uinfo"), (101, b"\0\0\x03\xe8"), (102, b"\0\0\x03\xe9"), (103, b"unspec"),
    (259, bytes(8) + b"\x02\x0atext/plaindoa"),
    (32768, bytes.fromhex("3039080200")), (32769, bytes.fromhex("3039080200")),
]


def types(origin="types.test"):
    """Every type there is."""
    z = Zone(origin)
    for i, line in enumerate(KNOWN.strip().splitlines()):
        rdtype, text = line.split(" ", 1)
        z.text_rr(f"t{i:02}-{rdtype}", rdtype, text, i)
    names = {"n": wire_name("Name.Types.Test."),
             "nn": wire_name("One.Types.Test.") + wire_name("Two.Types.Test."),
             24: struct.pack("!HBBIIIH", 1, 5, 2, 300, 2**31, 7, 4711) + wire_name("Signer.Types.Test.") + b"sig",
             30: wire_name("Next.Types.Test.") + b"\x40\x01"}
    for rdtype, octets in OCTETS:
        z.add(f"o-{rdtype}", rdtype, octets if isinstance(octets, bytes) else names[octets or rdtype])
    return z.done()


def unknown(origin="unknown.test"):
    """Types nobody knows; RDATA that looks like pointers, names, other records."""
    z = Zone(origin)
    numbers = [66, 127, 265, 1000, 1234, 4095, 32767, 32770, 61440, 65279, 65280, 65281, 65400, 65533, 65534, 65535]
    for rdtype in numbers + sorted(z.random.sample(range(300, 65000), 200)):
        for octets in (b"", b"\0", b"\xc0\x0c", b"\xc0\xff" * 20, b"\x03www\xc0\x0c", b"\x40" * 70,
                       z.octets(z.random.randint(1, 300))):
            z.add(f"T{rdtype}", rdtype, octets)
    for n in (0, 1, 255, 256, 16383, 16384, 20000):
        z.add("lengths", 65280, z.octets(n))
    return z.done()


def empty(origin="empty.test"):
    """RDATA of no octets, where that is allowed (U-08)."""
    z = Zone(origin)
    for i in range(50):
        z.add(f"e{i}", 65280 + i, b"")
        z.add("all", 65280 + i, b"")
    z.add("apl", 42, b"")
    z.add("null", 10, b"")
    z.add("@", 65300, b"")
    return z.done()


def binary(origin="\\000\\001\\.odd\\\\apex\\255.Test"):
    """Labels of any octets, also in the apex and in RDATA."""
    z = Zone(origin)
    for c in range(256):
        z.add(labels_name(bytes([c]), origin=z.origin), TXT, b"\x01" + bytes([c]))
        z.add(labels_name(bytes([c]) * 5, b"x", origin=z.origin), CNAME,
              labels_name(bytes([c]), b"y", origin=z.origin))
    for label in (b"@", b"*", b"a*", b"**", b"a.b", b".", b"..", b"\\", b'"', b"$ORIGIN", b";", b"(", b")", b" ",
                  b"\t", b"\n", b"\\046", b"\\#", b"TYPE1", b"IN", b"3600", b"xn--bcher-kva", "bücher".encode(),
                  b"\0" * 63, b"\xff" * 63, b"\x01" * 63):
        z.add(labels_name(label, origin=z.origin), A, z.octets(4))
        z.add(labels_name(label, b"ptr", origin=z.origin), 12, labels_name(label, origin=z.origin))
    for _ in range(400):
        labels = [z.octets(z.random.randint(1, 20)) for _ in range(z.random.randint(1, 6))]
        z.add(labels_name(*labels, origin=z.origin), TXT, z.strings(10))
    return z.done()


def deep(origin="deep.test"):
    """The longest names there are, and the deepest."""
    z = Zone(origin)
    room = 255 - len(z.origin)
    z.add(labels_name(*[b"a"] * (room // 2), origin=z.origin), A, z.octets(4))
    z.add(labels_name(*[b"\0"] * (room // 2), origin=z.origin), A, z.octets(4))
    for fill in (b"x", b"X", b"\0", b"\xff"):
        left, labels = room, []
        while left >= 2:
            n = min(63, left - 1)
            labels.append(fill * n)
            left -= n + 1
        name = labels_name(*labels, origin=z.origin)
        assert len(name) in (254, 255)
        z.add(name, NS, name)
        z.add(name, 15, b"\0\1" + name)
        z.add(name, TXT, b"\x01x")
    for depth in range(1, room // 2):
        z.add(labels_name(*[b"d"] * depth, origin=z.origin), TXT, bytes([1, depth]))
    for _ in range(200):    # names that share long tails with names before them
        base = z.random.choice(z.records).owner
        if len(base) + 5 < 255:
            z.add(labels_name(z.octets(4), origin=base), CNAME, base)
    return z.done()


def apex(origin=".".join(["a" * 63] * 3 + ["b" * 40])):
    """A zone whose name leaves little room below it."""
    z = Zone(origin, minimal=False)
    z.add("@", NS, wire_name("ns.elsewhere.example."))
    for i in range(300):
        z.add(labels_name(b"%d" % i, origin=z.origin), TXT, z.strings(100))
        z.add(labels_name(b"%d" % i, origin=z.origin), CNAME, labels_name(b"%d" % (i + 1), origin=z.origin))
    return z.done()


def large(origin="large.test"):
    """RRsets beyond 64 KiB, records close to 64 KiB, an owner with more than a megabyte."""
    z = Zone(origin)
    for i in range(400):
        z.add("rrset", TXT, z.strings(256))
    for i in range(3000):
        z.add("owner", 65280 + i % 7, z.octets(500))
    for n in (16300, 16350, 16384, 30000, 65000 - 1000, LARGEST - 1, LARGEST):
        z.add("giant", 65280, z.octets(n))
        z.add(f"g{n}", TXT, z.strings(n))
    for i in range(30):
        z.add(f"half{i:02}", 65281, z.octets(8000 + 40 * i))
    for i in range(2000):
        z.add("addresses", A, struct.pack("!I", 0x0A000000 + i))
    return z.done()


def samekey(origin="samekey.test"):
    """Long RDATA that differs at its end only, more of it than one message holds."""
    z = Zone(origin)
    head = z.octets(700)
    for i in range(120):
        z.add("same", 65280, head + struct.pack("!I", i) + z.octets(300))
        z.add("length", 65280, head[:650] + b"\0" * i)
        z.add("text", TXT, b"\xff" + bytes(255) + b"\xff" + bytes(255) + b"\xff" + bytes(253) + struct.pack("!H", i))
    for i in range(20):
        z.add("giants", 65282, head * 15 + struct.pack("!I", i))
    return z.done()


def occluded(origin="occluded.test"):
    """Wildcards, DNAMEs, cuts, and what lies below them although it cannot be seen (X-17)."""
    z = Zone(origin)
    ns = wire_name("ns.other.example.")
    for owner in ("*", "*.a", "*.*", "a.*", "a.*.b", "*.sub", "sub.*.sub"):
        z.add(owner, A, z.octets(4))
        z.add(owner, TXT, z.strings(20))
    z.add("*.ns", NS, ns)
    z.add("*.d", DNAME, ns)
    z.add("*.c", CNAME, z.name("a"))
    for i in range(20):
        z.add(f"cut{i}", NS, z.name(f"ns.cut{i}"))
        z.add(f"cut{i}", NS, ns)
        z.add(f"cut{i}", DS, struct.pack("!HBB", i, 8, 2) + z.octets(32))
        z.add(f"cut{i}", A, z.octets(4))
        z.add(f"ns.cut{i}", A, z.octets(4))
        z.add(f"ns.cut{i}", AAAA, z.octets(16))
        z.add(f"deep.below.cut{i}", 15, b"\0\1" + z.name(f"ns.cut{i}"))
        z.add(f"cut.below.cut{i}", NS, ns)
        z.add(f"dname{i}", DNAME, z.name(f"cut{i}"))
        z.add(f"dname{i}", TXT, z.strings(9))
        z.add(f"www.dname{i}", A, z.octets(4))
        z.add(f"a.b.dname{i}", CNAME, z.name("@"))
        z.add(f"both{i}", CNAME, z.name("a"))
        z.add(f"both{i}", A, z.octets(4))
        z.add(f"two{i}", CNAME, z.name("a"))
        z.add(f"two{i}", CNAME, z.name("b"))
    z.add("@", DNAME, ns)
    z.add("@", CNAME, ns)
    return z.done()


# ---- DNSSEC: structures as signers make them, with signatures that nobody could verify ----


def type_bitmap(types_there):
    out = b""
    for window in sorted({t >> 8 for t in types_there}):
        bits = bytearray(32)
        for t in types_there:
            if t >> 8 == window:
                bits[(t & 255) >> 3] |= 0x80 >> (t & 7)
        octets = bytes(bits).rstrip(b"\0")
        out += bytes([window, len(octets)]) + octets
    return out


def rrsig(z, owner, covered, ttl):
    fixed = struct.pack("!HBBIIIH", covered, 13, _labels(owner), ttl, 2145916800, 1514764800, 4711)
    return fixed + z.origin + z.octets(64)


def _labels(name):
    n = at = 0
    while name[at]:
        n += name[at:at + 2] != b"\x01*"
        at += 1 + name[at]
    return n


def _canonical(name):
    labels, at = [], 0
    while name[at]:
        labels.append(bytes(name[at + 1:at + 1 + name[at]]).lower())
        at += 1 + name[at]
    return labels[::-1]


def parents(name, origin):
    """Names between this one and the origin."""
    while len(name) > len(origin):
        name = name[1 + name[0]:]
        if len(name) > len(origin):
            yield name


def sign(z, nsec3=None):
    """Adds DNSKEY, RRSIG, and NSEC, or NSEC3 with (salt, iterations, opt-out)."""
    for flags in (256, 257):
        z.add("@", DNSKEY, struct.pack("!HBB", flags, 3, 13) + z.octets(64), 3600)
    if nsec3:
        salt, iterations, _ = nsec3
        z.add("@", NSEC3PARAM, struct.pack("!BBHB", 1, 0, iterations, len(salt)) + salt, 0)
    there, cuts = {}, {r.owner for r in z.records if r.rdtype == NS and r.owner != z.origin}
    for r in z.records:
        there.setdefault(r.owner, {}).setdefault(r.rdtype, r.ttl)
    below = {o for o in there if any(p in cuts for p in parents(o, z.origin))}
    for owner, kinds in there.items():
        if owner in below:
            continue
        for rdtype, ttl in kinds.items():
            if owner not in cuts or rdtype == DS:
                z.add(owner, RRSIG, rrsig(z, owner, rdtype, ttl), ttl)
    seen = {o: set(k) | ({RRSIG} if o not in cuts or DS in k else set())
            for o, k in there.items() if o not in below}
    if nsec3:
        _nsec3_chain(z, seen, cuts, *nsec3)
    else:
        _nsec_chain(z, seen)
    return z.done()


def _nsec_chain(z, seen):
    order = sorted(seen, key=_canonical)
    for owner, following in zip(order, order[1:] + order[:1]):
        z.add(owner, NSEC, following + type_bitmap(seen[owner] | {RRSIG, NSEC}))
        z.add(owner, RRSIG, rrsig(z, owner, NSEC, 300))


def _nsec3_chain(z, seen, cuts, salt, iterations, opt_out):
    for owner in list(seen):
        for p in parents(owner, z.origin):
            seen.setdefault(p, set())   # empty non-terminals
    hashes = {}
    for owner, kinds in seen.items():
        if opt_out and owner in cuts and DS not in kinds:
            continue
        digest = hashlib.sha1(lower(owner) + salt).digest()
        for _ in range(iterations):
            digest = hashlib.sha1(digest + salt).digest()
        hashes[digest] = kinds
    order = sorted(hashes)
    for h, following in zip(order, order[1:] + order[:1]):
        owner = labels_name(base32hex(h), origin=z.origin)
        octets = struct.pack("!BBHB", 1, int(opt_out), iterations, len(salt)) + salt + b"\x14" + following
        z.add(owner, NSEC3, octets + type_bitmap(hashes[h]))
        z.add(owner, RRSIG, rrsig(z, owner, NSEC3, 300))


def base32hex(digest):
    return base64.b32encode(digest).translate(B32)


def _to_sign(origin, names):
    z = Zone(origin)
    for i in range(names):
        owner = f"host{i:04}"
        z.add(owner, A, z.octets(4))
        if i % 3 == 0:
            z.add(f"a.b.{owner}", TXT, z.strings(40))
        if i % 5 == 0:
            z.add(f"Deleg{i:04}", NS, z.name(f"ns.deleg{i:04}"))
            z.add(f"ns.Deleg{i:04}", A, z.octets(4))
        if i % 10 == 0:
            z.add(f"Deleg{i:04}", DS, struct.pack("!HBB", i, 13, 2) + z.octets(32))
    z.add("*", TXT, z.strings(30))
    z.add("*.wild", A, z.octets(4))
    return z


def nsec(origin="nsec.test"):
    return sign(_to_sign(origin, 300))


def nsec3(origin="nsec3.test"):
    return sign(_to_sign(origin, 300), (bytes.fromhex("aabbccdd"), 5, False))


def optout(origin="optout.test"):
    return sign(_to_sign(origin, 300), (b"", 0, True))


def nsec3_odd(origin="nsec3-odd.test"):
    """NSEC3 and what covers it where nobody expects it."""
    z = _to_sign(origin, 40)
    sign(z, (b"\xff" * 255, 1, True))
    hashed = [r.owner for r in z.records if r.rdtype == NSEC3]
    for owner in hashed[:20]:
        z.add(owner, A, z.octets(4))                            # other data at a hashed name
        z.add(owner, RRSIG, rrsig(z, owner, A, 300))
        z.add(owner.upper(), TXT, z.strings(9))                 # and in other spelling
        z.add(labels_name(b"below", origin=owner), A, z.octets(4))
    some = struct.pack("!BBHB", 1, 0, 1, 0) + b"\x14" + z.octets(20) + type_bitmap({A})
    z.add("@", NSEC3, some)
    z.add("@", RRSIG, rrsig(z, z.origin, NSEC3, 300))
    z.add("host0001", NSEC3, some)
    z.add("only-a-signature", RRSIG, rrsig(z, z.name("only-a-signature"), NSEC3, 300))
    z.add("host0002", RRSIG, b"\0\x32")                         # cut off behind the type covered
    z.add("host0002", RRSIG, b"\0")
    z.add("host0002", RRSIG, b"")
    z.add("host0003", NSEC3, b"")
    z.add("two-keys", NSEC3PARAM, struct.pack("!BBHB", 1, 0, 1, 0))
    z.add("zzz", NSEC3, b"\xff" * 3000)
    return z.done()


# ---- whole zones ----


def root(origin="."):
    """Like the root: delegations, glue, DS, NSEC, a ZONEMD."""
    z = Zone(origin, minimal=False, minimum=86400)
    for c in b"abcdefghijklm":
        server = wire_name(f"{chr(c)}.root-servers.test.")
        z.add(origin, NS, server, 518400)
        z.add(server, A, z.octets(4), 518400)
        z.add(server, AAAA, z.octets(16), 518400)
    z.add(origin, 63, struct.pack("!IBB", 1, 1, 1) + z.octets(48), 86400)
    for i in range(300):
        text = f"{'xn--' if i % 7 == 0 else ''}tld{i:03}."
        tld = wire_name(text.upper() if i % 11 == 0 else text)
        for k in range(z.random.randint(1, 4)):
            server = labels_name(b"ns%d" % k, b"nic", origin=tld)
            z.add(tld, NS, server, 172800)
            z.add(server, A, z.octets(4), 172800)
            z.add(server, AAAA, z.octets(16), 172800)
        if i % 4:
            z.add(tld, DS, struct.pack("!HBB", i, 8, 2) + z.octets(32), 86400)
    return sign(z)


def case(origin="CaSe.TEST"):
    """Upper case everywhere, and the same name in several spellings."""
    z = Zone(origin)
    for i, owner in enumerate(("www", "WWW", "Www", "wWw", "wwW")):
        z.add(owner, A, bytes([192, 0, 2, i]))
        z.add(f"a.{owner}", TXT, bytes([1, 65 + i]))
        z.add(f"a.{owner.lower()}", 15, bytes([0, i]) + z.name(owner))
    for i in range(200):
        label = "".join(z.random.choice("aAbBcC") for _ in range(6))
        z.add(f"{label}.Mixed", A, struct.pack("!I", i))
        z.add(f"{label}.mixed", 33, bytes(6) + z.name(f"{label.swapcase()}.MIXED"))
        z.add(f"{label}.x", NS, wire_name("NS.case.test."))
        z.add(f"{label}.y", NS, wire_name("ns.CASE.test."))
    for text in ("case.test.", "CASE.TEST.", "CaSe.TEST.", "cASE.tEST."):
        z.add("@", 15, b"\0\1" + wire_name("Mail." + text))
        z.add(wire_name("spelt." + text), TXT, b"\x01" + text[:1].encode())
    return z.done()


def ttl(origin="ttl.test"):
    """TTLs from end to end, also within one RRset."""
    z = Zone(origin, ttl=0)
    for i, n in enumerate((0, 1, 2, 300, 2**31 - 2, 2**31 - 1)):
        z.add("rrset", A, bytes([192, 0, 2, i]), n)
        z.add(f"t{n}", TXT, b"\x01x", n)
        z.add("@", TXT, bytes([1, i]), n)
    return z.done()


def svcb(origin="svcb.test"):
    z = Zone(origin)
    for i, text in enumerate((
            '0 foo.example.com.', '1 .', '16 foo.example.com. port=53', '1 foo.example.com. key667=hello',
            '1 foo.example.com. key667="hello\\210qoo"', '1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"',
            '16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1',
            '1 . no-default-alpn alpn=h2', '1 . ech="AEn+DQBFKwAgACABWIHUGj4u"')):
        z.text_rr(f"s{i}", "SVCB", text)
        z.text_rr(f"h{i}", "HTTPS", text)
    name = wire_name("Target.Svcb.Test.")
    z.add("raw", 64, b"\0\1" + name + struct.pack("!HH", 1, 12) + b"\x08f\\oo,bar\x02h2")    # a comma in an id
    z.add("raw", 64, b"\0\2" + name + struct.pack("!HH", 5000, 3) + b"\0\"\xff")
    z.add("raw", 64, b"\0\3" + name + struct.pack("!HHHH", 65000, 0, 65001, 0))
    z.add("raw", 64, b"\0\4" + name + struct.pack("!HH", 65534, 9000) + z.octets(9000))
    return z.done()


def many(origin="many.test", names=12000):
    """Many names, in the order they were made: none."""
    z = Zone(origin)
    for i in range(names):
        labels = [b"%x" % z.random.getrandbits(z.random.choice((8, 16, 32)))
                  for _ in range(z.random.randint(1, 3))]
        owner = labels_name(*labels, origin=z.origin)
        z.add(owner, A, z.octets(4), z.random.randint(0, 86400))
        if i % 3 == 0:
            z.add(owner, TXT, z.strings(z.random.randint(1, 80)))
        if i % 7 == 0:
            z.add(owner, 15, b"\0\x0a" + labels_name(b"mx%d" % (i % 50), origin=z.origin))
    return z.done()


def reverse4(origin="64/1.0.168.192.in-addr.arpa"):
    z = Zone(origin)
    for i in range(64):
        z.add(str(i), 12, wire_name(f"Host{i}.Example."))
    z.add("128/25", NS, wire_name("ns.example."))
    return z.done()


def reverse6(origin="8.b.d.0.1.0.0.2.ip6.arpa"):
    z = Zone(origin)
    for _ in range(200):
        owner = ".".join(z.random.choice("0123456789abcdefABCDEF") for _ in range(24))
        z.add(owner, 12, wire_name("Host.Example."))
    return z.done()


def tiny(origin="tiny.test"):
    """The least there can be."""
    return [soa(origin, serial=0, refresh=0, retry=0, expire=2**32 - 1, minimum=2**32 - 1, ttl=2**31 - 1),
            Raw(wire_name(origin), NS, 0, b"\0")]


ALL = (types, unknown, empty, binary, deep, apex, large, samekey, occluded, nsec, nsec3, optout, nsec3_odd,
       root, case, ttl, svcb, many, reverse4, reverse6, tiny)


def make_all():
    """{origin: records}"""
    return {f.__defaults__[0]: f() for f in ALL}
