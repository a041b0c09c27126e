# SPDX-License-Identifier: BSD-2-Clause
"""Zones of every odd kind are carried in and out unchanged, record by record (X-11, X-17, X-33..X-38, U-01..U-08)."""

import collections
import functools
import os
import random
import re
import subprocess

import dns.name
import dns.rdata
import dns.rdatatype
import pytest

import oddzones
import rawzone
from fakeprimary import FakePrimary
from lab import ask, wait_for, which
from oddzones import DNAME
from rawzone import CNAME, SOA, Raw, difference, master, wire_name
from relay import Relay
from servers import ALL

WATCH = {"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}


@functools.lru_cache(maxsize=None)
def zones():
    """All of them; binary labels once more in a zone whose own name any configuration file can hold."""
    return dict(oddzones.make_all(), **{"binary.test": oddzones.binary("binary.test")})


def relay_of(lab, primary, names, **how):
    return Relay(lab, primaries={"up": dict({"address": primary.address}, **how)}, downstreams=WATCH,
                 zones=list(names))


def serial_of(port, zone, host="127.0.0.1"):
    """By TCP: a long SOA does not fit into a datagram without EDNS."""
    r = ask(port, zone, "SOA", host, tcp=True)
    soas = [rr for rrset in r.answer for rr in rrset if rr.rdtype == SOA] if r else []
    return soas[0].serial if soas else None


def wait_serial(relay, zone, serial):
    wait_for(lambda: serial_of(relay.port, zone) == serial, 30, f"{zone} with serial {serial}")


def lower_query(zone):
    """As the relay asks: the name in lower case."""
    return rawzone.lower(wire_name(zone))


def check_all(relay, expected):
    for origin, records in expected.items():
        t = rawzone.axfr(lower_query(origin), relay.port)
        assert t.records[0].rdtype == SOA
        assert (why := difference(records, t.records)) is None, f"{origin}: {why}"
        assert max(map(len, t.messages)) <= 65535


# ---- from the fake primary: what no real server would hold ----


def shuffled(records):
    """Any order but the same each time."""
    records = list(records)
    random.Random(len(records)).shuffle(records)
    return records


def by_type(records):
    return sorted(records, key=lambda r: (r.rdtype, r.octets))


SHAPES = {
    "plain": {},
    "large-messages": {"message_size": 65535},
    "small-messages": {"message_size": 700},
    "backwards": {"order": lambda records: list(reversed(records))},
    "shuffled": {"order": shuffled, "message_size": 30000},
    "by-type": {"order": by_type, "empty_between": 1},
}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_from_fake(lab, shape):
    """Every zone, however its stream is cut and ordered; once more after a restart."""
    with FakePrimary() as primary:
        primary.behave("AXFR", **SHAPES[shape])
        for origin, records in zones().items():
            primary.add_zone(origin, records)
        relay = relay_of(lab, primary, zones()).start()
        for origin in zones():
            wait_serial(relay, origin, primary.zone(origin).serial)
        check_all(relay, zones())
        assert not relay.events("transfer-failed")
        if shape != "plain":
            return
        relay.restart()
        check_all(relay, zones())
        assert not relay.events("transfer-done")[len(zones()):]


def changed(records, seed):
    """Another version: a tenth of the records gone, others changed in one part, new ones added."""
    rng = random.Random(seed)
    out, have = [records[0].replace(records[0].serial + 1)], set()
    for r in records[1:]:
        luck = rng.random()
        if luck < 0.1 and not (r.rdtype == rawzone.NS and r.owner == records[0].owner):
            continue
        if luck > 0.95:
            r = Raw(r.owner, r.rdtype, (r.ttl + 1) % 2**31, r.octets)   # the TTL alone
        elif luck > 0.9:
            r = Raw(r.owner.swapcase(), r.rdtype, r.ttl, r.octets)      # the spelling alone
        out.append(r)
    for i in range(20):
        out.append(Raw(rawzone.labels_name(b"New%d" % i, origin=records[0].owner), 65280, i, rng.randbytes(i)))
    out.append(Raw(records[0].owner, 65281, 5, b""))
    for r in out:
        assert rawzone.identity(r) not in have, r
        have.add(rawzone.identity(r))
    return out


@pytest.mark.parametrize("way", ["ixfr", "axfr"])
def test_changes(lab, way):
    """Differences of odd zones: received, or computed; downstream applies them and has the new version."""
    old = {o: r for o, r in zones().items() if len(r[0].owner) < 200}   # names of new records must fit
    new = {o: changed(r, o) for o, r in old.items()}
    with FakePrimary() as primary:
        for origin, records in old.items():
            primary.add_zone(origin, records)
        relay = relay_of(lab, primary, old, ixfr=way == "ixfr").start()
        for origin in old:
            wait_serial(relay, origin, primary.zone(origin).serial)
            primary.replace(origin, new[origin])
        relay.ctl("refresh", "--all")
        for origin in old:
            wait_serial(relay, origin, new[origin][0].serial)
        check_all(relay, new)
        kinds = [e["kind"] for e in relay.events("transfer-done")][len(old):]
        assert set(kinds) == {way.upper()} and not relay.events("ixfr-failed")
        for origin, records in old.items():
            t = rawzone.ixfr(lower_query(origin), records[0].serial, relay.port)
            assert sum(r.rdtype == SOA for r in t) == 4, "one step"
            have = [r for r in rawzone.apply(records, t) if r.rdtype != SOA]
            assert (why := difference(new[origin][1:], have)) is None, f"{origin}: {why}"
        primary.behave("AXFR", message_size=40000)
        before = len(relay.events("committed", content="true"))
        for origin in ("many.test", "large.test", "samekey.test", "nsec3-odd.test", "CaSe.TEST"):
            relay.ctl("retransfer", "--wait", origin)
        check_all(relay, new)
        assert len(relay.events("committed", content="true")) == before, "the same content was stored again"


def test_other_spelling(lab):
    """A query in other spelling gets the same zone; names that end in the zone's may take the query's."""
    with FakePrimary() as primary:
        primary.add_zone("case.test", zones()["CaSe.TEST"])
        relay = relay_of(lab, primary, ["cAsE.TeSt"]).start()
        wait_serial(relay, "case.test", 1)

        def folded(records):
            return sorted(Raw(rawzone.lower(r.owner), r.rdtype, r.ttl, r.octets.lower()) for r in records)
        for text in ("case.test", "CASE.TEST", "CaSe.TEST"):
            t = rawzone.axfr(text, relay.port)
            assert t.messages[0][12:12 + 11] == wire_name(text), "the question is copied (X-25)"
            assert folded(t.records) == folded(zones()["CaSe.TEST"])


def test_too_large_a_record(lab):
    """A record that no message of ours could hold: the transfer fails, says so, and the old version stays."""
    with FakePrimary() as primary:
        z = oddzones.Zone("giant.test")
        primary.add_zone("giant.test", z.done())
        relay = relay_of(lab, primary, ["giant.test"]).start()
        wait_serial(relay, "giant.test", 1)
        # A name of one label: the fake's message holds it, one with our longest question and OPT would not.
        giant = Raw(wire_name("g.giant.test."), 65280, 5, bytes(65535 - 12 - 16 - 30 - 11))
        primary.replace("giant.test", [z.records[0].replace(2)] + z.done()[1:] + [giant])
        relay.ctl("refresh", "giant.test")
        e = relay.wait_event("transfer-failed")[0]
        assert e["code"] == "limit" and "too large" in e["reason"], e
        assert serial_of(relay.port, "giant.test") == 1


# ---- from real servers, and on to real servers ----


def checker(kind, origin, path):
    if kind == "nsd":
        return [which("nsd-checkzone"), origin, path]
    ignore = [a for letter in "kmMSnrWT" for a in ("-" + letter, "ignore")]
    return [which("named-checkzone"), "-i", "none", *ignore, origin, path]


def sane(records, below_dname):
    """Without what every server rejects, or rejects without saying where."""
    owners, sizes, ttls, out = collections.defaultdict(set), collections.Counter(), {}, []
    for r in records:
        if r.rdtype not in (46, 47):
            owners[rawzone.lower(r.owner)].add((r.rdtype, r.octets if r.rdtype == CNAME else b""))
    apex = rawzone.lower(records[0].owner)
    dnames = {o for o, there in owners.items() if (DNAME, b"") in there}
    for r in records:
        owner = rawzone.lower(r.owner)
        sizes[owner, r.rdtype] += len(r.octets) + 16
        if sizes[owner, r.rdtype] > 60000:
            continue    # larger than a message
        if r.rdtype == CNAME and len(owners[owner]) > 1:
            continue
        if r.rdtype == DNAME and r.owner == records[0].owner:
            continue
        if not below_dname and any(p in dnames for p in oddzones.parents(owner, apex)):
            continue
        ttl = ttls.setdefault((owner, r.rdtype, r.octets[:2] if r.rdtype == 46 else b""), r.ttl)
        out.append(Raw(r.owner, r.rdtype, ttl, r.octets))   # servers make the TTLs of an RRset equal
    return out


def accepted(kind, origin, records, folder):
    """The records without those that a server's zone reader rejects, each for a reason of its own."""
    path = os.path.join(folder, "try.zone")
    if kind == "ldns":  # its tokens have an end, which it does not always notice
        records = [r for r in records
                   if len(r.octets) < 15000 and len(rawzone.name_text(r.owner)) < 255]
    else:
        records = sane(records, kind == "named")
    if kind == "nsd":   # see NOT_BELOW
        records = [r for r in records if len(r.octets) < 16000]
    records.sort(key=lambda r: r.rdtype != SOA)
    for _ in range(40):
        with open(path, "w") as f:
            f.write(master(records))
        if kind == "ldns":
            p = subprocess.run([which("ldns-read-zone"), path], capture_output=True, text=True,
                               check=False)
            bad = {int(n) for n in re.findall(r"line (\d+)", p.stderr)}
        else:
            p = subprocess.run(checker("nsd" if kind == "nsd" else "named", origin, path),
                               capture_output=True, text=True, check=False)
            lines = [line for line in (p.stdout + p.stderr).splitlines() if "warning" not in line]
            bad = {int(n) for line in lines for n in re.findall(re.escape(path) + r":(\d+)", line)}
        if p.returncode == 0:
            return records
        assert bad, p.stdout + p.stderr
        records = [r for i, r in enumerate(records, 1) if i not in bad]
    raise AssertionError(f"{kind} does not come to like {origin}")


# Knot does not take by transfer an APL of no octets and CNAMEs below DNAMEs, and takes two long names of
# nothing but NUL for one.  NSD (4.6.1) sends empty messages for ever instead of a record above 16 KiB.  BIND
# wants a hash in the owner of NSEC3.
NOT_BELOW = {"named": ("nsec3-odd.test",), "nsd": ("large.test", "unknown.test"),
             "knotd": ("empty.test", "occluded.test", "deep.test")}


def loadable(kind, folder):
    """Those whose names need no escapes in the configuration."""
    out = {}
    for origin, records in zones().items():
        if "\\" in origin:
            continue
        out[origin] = accepted("named", origin, records, folder)
        if kind == "nsd":
            out[origin] = accepted(kind, origin, out[origin], folder)
        elif kind == "knotd":
            out[origin] = sane(out[origin], False)
    return out


def folded(records):
    """Without spelling, and without the TTLs of signatures that stand alone: some servers change them."""
    return sorted((rawzone.lower(r.owner), r.rdtype, r.rdtype != 46 and r.ttl, r.octets.lower()) for r in records)


@pytest.mark.parametrize("kind", sorted(ALL))
def test_from_server(lab, kind):
    """What a real primary sends is what we send, and what each real secondary then has."""
    if not all(c.installed() for c in ALL.values()):
        pytest.skip("named, nsd and knotd are needed")
    primary = ALL[kind](lab, "primary")
    wanted = loadable(kind, lab.folder("try"))
    for origin, records in wanted.items():
        primary.add_zone(origin, master(records))
    relay = relay_of(lab, primary, wanted)
    downs = [ALL[k](lab, "down-" + k, primary=(relay.host, relay.port),
                    zones=[z for z in wanted if z not in NOT_BELOW[k]]) for k in sorted(ALL)]
    relay.downstreams.update({d.name: {"address": d.address} for d in downs})
    relay.write()
    primary.start()
    relay.start()
    sent = {}
    for origin in wanted:
        wait_serial(relay, origin, serial_of(primary.port, origin))
        sent[origin] = rawzone.axfr(lower_query(origin), primary.port).records
    check_all(relay, sent)
    assert sum(map(len, sent.values())) > 25000 and len(sent) >= 20
    for d in downs:
        d.start()
    for d in downs:
        for origin in d.zones:
            records = sent[origin]
            wait_for(lambda d=d, o=origin: serial_of(d.port, o, d.host) is not None, 30, f"{origin} at {d}")
            have = rawzone.axfr(lower_query(origin), d.port, d.host).records
            assert folded(have) == folded(records), f"{origin} at {d}: {difference(have, records)}"


# ---- as text ----


def parse_line(line):
    """A line of an export, read without the readers that the relay uses."""
    owner, ttl, rdclass, rdtype, text = (line + "\t").split("\t", 5)[:5]
    assert rdclass == "IN"
    rdtype = dns.rdatatype.from_text(rdtype)
    if text.startswith("\\#"):
        octets = bytes.fromhex("".join(text.split()[2:]))
        assert int(text.split()[1]) == len(octets)
    else:
        # dnspython takes the strings of HINFO for UTF-8; those of TXT have the same form.
        octets = dns.rdata.from_text("IN", "TXT" if rdtype == 13 else rdtype, text).to_wire()
    return Raw(dns.name.from_text(owner).to_wire(), int(rdtype), int(ttl), octets)


def exported(relay, origin, path):
    relay.ctl("export", origin, path)
    with open(path, encoding="ascii") as f:
        lines = f.read().split("\n")
    assert lines[0].startswith(";") and lines[-1] == ""
    return lines[1:-1]


def exporting(lab, expected):
    """A relay that holds these zones, stopped: export needs the database only."""
    with FakePrimary() as primary:
        for origin, records in expected.items():
            primary.add_zone(origin, records)
        relay = relay_of(lab, primary, expected).start()
        for origin in expected:
            wait_serial(relay, origin, expected[origin][0].serial)
        relay.stop()
    return relay


def test_export_is_the_zone(lab):
    """Every exported file, read line by line, is the zone; it begins with the SOA."""
    relay = exporting(lab, zones())
    for origin, records in zones().items():
        read = [parse_line(line) for line in exported(relay, origin, os.path.join(lab.path, "x"))]
        assert read[0] == records[0], origin
        assert (why := difference(records, read)) is None, f"{origin}: {why}"
        assert relay.ctl("export", origin).stdout.split("\n")[1:-1] == \
            exported(relay, origin, os.path.join(lab.path, "y"))


def compiled(origin, path):
    """The zone as BIND reads it."""
    argv = checker("named", origin, path)
    argv[0] = which("named-compilezone")
    out = path + ".compiled"
    subprocess.run(argv[:-2] + ["-s", "full", "-o", out] + argv[-2:], capture_output=True, check=True)
    with open(out, "rb") as f:      # of several spellings of a name it keeps the first
        return sorted(f.read().lower().split(b"\n"))


def ldns(path):
    p = subprocess.run([which("ldns-read-zone"), path], capture_output=True, text=True, check=False)
    assert p.returncode == 0, f"ldns-read-zone {path}: {p.stderr}"
    return sorted(" ".join(line.split()) for line in p.stdout.split("\n"))


@pytest.mark.parametrize("reader", ["named", "ldns"])
def test_export_can_be_read(lab, reader):
    """What a reader can hold at all it takes from our export, and finds the same zone in it."""
    need = {"named": "named-compilezone", "ldns": "ldns-read-zone"}[reader]
    if not which(need):
        pytest.skip(need + " is needed")
    wanted = {o: accepted(reader, o, r, lab.path) for o, r in zones().items()}
    assert sum(map(len, wanted.values())) > 0.9 * sum(map(len, zones().values())), "most of it can be read"
    relay = exporting(lab, wanted)
    for origin, records in wanted.items():
        path, plain = os.path.join(lab.path, "exported"), os.path.join(lab.path, "plain")
        exported(relay, origin, path)
        with open(plain, "w") as f:
            f.write(master(records))
        if reader == "named":
            assert compiled(origin, path) == compiled(origin, plain), origin
        else:
            assert ldns(path) == ldns(plain), origin
