# SPDX-License-Identifier: BSD-2-Clause
"""TSIG (RFC 8945): with real servers of each algorithm, and with fake ones that do what is wrong."""

import json
import os
import socket
import subprocess
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.version
import dns.zone
import pytest

import fakedownstream
import trustdoc
from fakewire import ede_of, notify_query
from keyed import (DOWN, KEYED, UP, WATCH, KeyedDownstream, KeyedPrimary, KeyedScene, KeyedTransfer, repeat,
                   signed_exchange, with_key)
from lab import DAEMON, SLOW, free_port, records, serial_at, wait_for
from relay import Relay
from scene import DOWNSTREAM, PRIMARY, STRANGER, ZONE, large_zone, zone_text
from tsigwire import BADKEY, BADSIG, BADTIME, BADTRUNC, Chain, Key

ALGORITHMS = ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"]


def rcode(m):
    return dns.rcode.to_text(m.rcode())


# ---- real servers ----


def run_primary(lab, cls, key):
    """A server as primary: transfer, NOTIFY, IXFR."""
    port = free_port()
    up = with_key(cls, key)(lab, "up", notify=[("127.0.0.1", port)])
    up.add_zone(ZONE, zone_text())
    up.start()
    relay = Relay(lab, primaries={"up": {"address": up.address, "key": key.name, "notify-key": key.name}},
                  downstreams={"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}, zones=[ZONE],
                  port=port, keys={key.name: key.conf}).start()
    relay.wait_serial(ZONE, 1)
    serial = up.update(ZONE, adds=[(f"new.{ZONE}.", 300, "A", "192.0.2.99")])
    relay.wait_serial(ZONE, serial)
    assert any(r[0].startswith("new.") for r in records(relay.port, ZONE))
    relay.wait_event("notify-received", why="ok")
    assert not relay.events("tsig-failed") and not relay.events("notify-refused")
    assert {e["kind"] for e in relay.events("transfer-done")} <= {"AXFR", "IXFR"}


def run_downstream(lab, cls, key):
    """A server as downstream: signed NOTIFY, SOA, AXFR and IXFR."""
    s = KeyedScene(lab, start=False)
    down = with_key(cls, key)(lab, "down2", primary=s.at, zones=[ZONE], refresh=600)
    s.relay.keys[key.name] = key.conf
    s.relay.downstreams["real"] = {"address": down.address, "key": key.name,
                                   "transfer-from": [down.host, "127.0.0.1"]}
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    down.start()
    wait_for(lambda: down.serial(ZONE) == 1, 30, f"{down} with the zone")
    s.relay.ctl("notify", ZONE, "real")     # the first one came before it was there
    s.relay.wait_event("notify-acked", downstream="real")
    serial = s.update(add=["new 300 A 192.0.2.99"])
    wait_for(lambda: down.serial(ZONE) == serial, 30, f"{down} with serial {serial}")
    s.relay.wait_event("notify-acked", 2, downstream="real")
    s.relay.wait_event("served", downstream="real")
    assert not s.relay.events("tsig-failed") and not s.relay.events("notify-untrusted")


class DnspythonPrimary(KeyedPrimary):
    """Signed and verified by dnspython; the stream is dns.query's way of signing."""

    def handle(self, wire, reply, transport, source, conn):
        try:
            q = dns.message.from_wire(wire, keyring=self.key.ring())
        except (dns.tsig.BadSignature, dns.message.UnknownTSIGKey):
            return
        mac = q.mac
        bare = dns.message.from_wire(wire, keyring=self.key.ring())
        bare.tsig = None
        bare.keyring = None
        ctx = [None]

        def signed(answer):
            m = dns.message.from_wire(answer, one_rr_per_rrset=True)
            m.use_tsig(self.key.ring(), algorithm=self.key.alg + ".")
            m.request_mac = mac
            out = m.to_wire(multi=True, tsig_ctx=ctx[0], max_size=65535)
            ctx[0] = m.tsig_ctx
            reply(out)
        super(KeyedPrimary, self).handle(bare.to_wire(), signed, transport, source, conn)


def run_dnspython_primary(lab, key):
    s = KeyedScene(lab, start=False)
    s.primary.stop()
    s.primary = lab.add(with_key(DnspythonPrimary, key)(PRIMARY, free_port()).start())
    s.primary.add_zone(ZONE, zone_text())
    s.primary.behaviour.records_per_message = 2
    s.relay.keys[key.name] = key.conf
    s.relay.primaries["up"].update({"address": s.primary.address, "key": key.name, "notify-key": key.name})
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    serial = s.primary.update(ZONE, ["new 300 A 192.0.2.99"])
    q = notify_query(ZONE)
    q.use_tsig(key.ring(), algorithm=key.alg + ".")
    a = dns.query.udp(q, s.at[0], port=s.at[1], source=PRIMARY, timeout=5 * SLOW)
    assert a.had_tsig and rcode(a) == "NOERROR"
    s.relay.wait_serial(ZONE, serial)
    assert not s.relay.events("tsig-failed")


def run_dnspython_downstream(lab, key):
    s = KeyedScene(lab, keys={key.name: key.conf}, zones={ZONE: large_zone(records=100)},
                   more_downstreams={"py": {"notify": False, "transfer-from": ["127.0.0.15"], "key": key.name}})
    ring = key.ring()
    for tcp in (False, True):
        q = dns.message.make_query(ZONE, "SOA")
        q.use_tsig(ring, algorithm=key.alg + ".")
        send = dns.query.tcp if tcp else dns.query.udp
        a = send(q, s.at[0], port=s.at[1], source="127.0.0.15", timeout=5 * SLOW)
        assert a.had_tsig and rcode(a) == "NOERROR" and a.answer
    zone = dns.zone.from_xfr(dns.query.xfr(s.at[0], ZONE, port=s.at[1], source="127.0.0.15", keyring=ring,
                                           keyalgorithm=key.alg + ".", timeout=20 * SLOW,
                                           relativize=False), relativize=False)
    assert len(zone.nodes) > 100


RESULTS = {}
ROWS = [(kind, peer) for peer in ("named", "nsd", "knotd", "dnspython") for kind in ("primary", "downstream")]


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("kind,peer", ROWS)
def test_matrix(lab, kind, peer, alg):
    """Each algorithm with each server, in both directions."""
    key = Key(f"k-{alg}.example", alg)
    RESULTS[(kind, peer, alg)] = "FAILED"
    if peer == "dnspython":
        (run_dnspython_primary if kind == "primary" else run_dnspython_downstream)(lab, key)
    else:
        if not KEYED[peer].installed():
            RESULTS[(kind, peer, alg)] = "-"
            pytest.skip(f"{peer} is not installed")
        (run_primary if kind == "primary" else run_downstream)(lab, KEYED[peer], key)
    RESULTS[(kind, peer, alg)] = "ok"


def test_matrix_printed(capsys):
    """It is what stands in contrib/interop-trust.md."""
    head = ["TSIG with", "as"] + [a[5:] for a in ALGORITHMS]
    rows = [[peer, kind] + [RESULTS.get((kind, peer, a), "") for a in ALGORITHMS] for kind, peer in ROWS]
    rows = [r for r in rows if "" not in r and "-" not in r]    # those that were run
    if not rows:
        pytest.skip("the matrix was not run")
    with capsys.disabled():
        print("\n" + trustdoc.table(head, rows))
    trustdoc.check("tsig", head, rows, lambda: f"named {trustdoc.version('named', '-v')}, "
                   f"nsd {trustdoc.version('nsd', '-v')}, knotd {trustdoc.version('knotd', '-V')}, "
                   f"dnspython {dns.version.version}")


# ---- queries to us ----


def test_demanded(lab):
    """A key is demanded where one is configured, also where the address is right (TS-32)."""
    s = KeyedScene(lab)
    other = Key(UP.name, secret=b"x" * 32)
    for kind in ("SOA", "AXFR", "IXFR"):
        q = fakedownstream.query(ZONE, kind, 0 if kind == "IXFR" else None).to_wire()
        tcp = kind != "SOA"
        m, t = signed_exchange(s.at, q, None, tcp, "127.0.0.14")
        assert (rcode(m), ede_of(m), t) == ("REFUSED", 18, None), kind
        # A key of somebody else's: verified, signed, refused.
        m, t = signed_exchange(s.at, q, UP, tcp, "127.0.0.14")
        assert rcode(m) == "REFUSED" and t.error == 0 and t.mac, kind
        m, t = signed_exchange(s.at, q, WATCH, tcp, "127.0.0.14")
        assert rcode(m) == "NOERROR" and t.mac and m.answer, kind
        # Wrong secret, unknown name, other algorithm: not signed (TS-05, TS-06, TS-14).
        for key, error in ((Key(WATCH.name, secret=b"y" * 32), BADSIG), (Key("nobody.example"), BADKEY),
                           (Key(WATCH.name, "hmac-sha512"), BADKEY), (other, BADSIG)):
            m, t = signed_exchange(s.at, q, key, tcp, "127.0.0.14")
            assert (rcode(m), t.error, t.mac, m.answer) == ("NOTAUTH", error, b"", []), (kind, error)
    # Strangers learn nothing, and their signature is not looked at.
    q = fakedownstream.query(ZONE, "SOA").to_wire()
    m, t = signed_exchange(s.at, q, WATCH, False, STRANGER)
    assert (rcode(m), t) == ("REFUSED", None)
    m, t = signed_exchange(s.at, q, Key("nobody.example"), False, STRANGER)
    assert (rcode(m), t) == ("REFUSED", None)
    assert len(s.relay.events("tsig-failed", reason="badkey")) >= 2
    assert s.relay.events("tsig-failed", reason="badsig")
    assert WATCH.text not in s.relay.process.output()


@pytest.mark.parametrize("tcp", [False, True])
def test_clock(lab, tcp):
    """TS-08: signed, with the asker's time and ours; the drift stands in the log."""
    s = KeyedScene(lab)
    q = fakedownstream.query(ZONE, "SOA").to_wire()
    for skew in (-290, 290):
        m, t = signed_exchange(s.at, q, WATCH, tcp, "127.0.0.14", skew=skew)
        assert (rcode(m), t.error) == ("NOERROR", 0)
    for skew in (-330, 330):
        now = time.time()
        m, t = signed_exchange(s.at, q, WATCH, tcp, "127.0.0.14", skew=skew)
        assert (rcode(m), t.error, len(t.other)) == ("NOTAUTH", BADTIME, 6)
        assert t.mac and abs(t.time - (now + skew)) < 5
        assert abs(int.from_bytes(t.other, "big") - now) < 5
    off = [int(e["clock_off_s"]) for e in s.relay.wait_event("tsig-failed", 2, reason="badtime")]
    assert -340 < off[0] < -325 and 325 < off[1] < 340


def test_truncated_mac(lab):
    """TS-07, TS-10: half a MAC is allowed by the RFC, by us when min-mac says so."""
    lax = Key("lax.example")
    s = KeyedScene(lab, keys={lax.name: dict(lax.conf, **{"min-mac": 16})},
                   more_downstreams={"lax": {"notify": False, "transfer-from": ["127.0.0.15"], "key": lax.name}})
    q = fakedownstream.query(ZONE, "SOA").to_wire()
    m, t = signed_exchange(s.at, q, WATCH, False, "127.0.0.14", cut=20)
    assert (rcode(m), t.error) == ("NOTAUTH", BADTRUNC) and t.mac
    m, t = signed_exchange(s.at, q, WATCH, False, "127.0.0.14", cut=15)
    assert (rcode(m), t) == ("FORMERR", None)
    m, t = signed_exchange(s.at, q, lax, False, "127.0.0.15", cut=16)
    assert (rcode(m), t.error) == ("NOERROR", 0)


def test_stream(lab):
    """TS-16, TS-18, TS-21: each message of a large zone is signed."""
    s = KeyedScene(lab, {ZONE: large_zone(records=1500)})
    t = KeyedTransfer(s.at, ZONE, WATCH)
    assert t.messages > 50 and t.signed == t.messages and t.times == sorted(t.times)
    serial = s.update(add=["new 300 A 192.0.2.99"])
    t = KeyedTransfer(s.at, ZONE, WATCH, "IXFR", serial - 1)
    assert t.messages == t.signed == 1
    t = KeyedTransfer(s.at, ZONE, WATCH, "IXFR", serial)
    assert t.messages == t.signed == 1
    q = fakedownstream.query(ZONE, "IXFR", serial - 1).to_wire()
    m, t = signed_exchange(s.at, q, WATCH, False, "127.0.0.14")
    assert rcode(m) == "NOERROR" and t.mac and len(m.answer) > 1


def test_largest_record(lab):
    """A record that fills a message leaves room for the signature."""
    s = KeyedScene(lab, {ZONE: large_zone(records=3, size=64400)})
    t = KeyedTransfer(s.at, ZONE, WATCH)
    assert t.messages == t.signed >= 3
    assert max(len(w) for w in t.wires) > 64700


def test_udp_truncated(lab):
    """TS-15: what does not fit with its signature is left out, with TC."""
    zone = ".".join(["a" * 60] * 2) + ".test"
    key = Key(".".join(["k" * 60] * 3) + ".example", "hmac-sha512")
    s = KeyedScene(lab, {zone: zone_text(zone=zone)}, keys={key.name: key.conf},
                   more_downstreams={"k": {"notify": False, "transfer-from": ["127.0.0.15"], "key": key.name}})
    q = fakedownstream.query(zone, "SOA", edns=False).to_wire()
    m, t = signed_exchange(s.at, q, key, False, "127.0.0.15")
    assert rcode(m) == "NOERROR" and m.flags & dns.flags.TC and not m.answer and t.mac
    m, t = signed_exchange(s.at, q, key, True, "127.0.0.15")
    assert rcode(m) == "NOERROR" and not m.flags & dns.flags.TC and m.answer and t.mac


def test_one_address(lab):
    """Downstreams at one address are told apart by their keys."""
    one, two = Key("one.example"), Key("two.example")
    s = KeyedScene(lab, keys={k.name: k.conf for k in (one, two)}, more_downstreams={
        k.name.split(".", maxsplit=1)[0]: {"notify": False, "transfer-from": ["127.0.0.15"], "key": k.name}
        for k in (one, two)})
    KeyedTransfer(s.at, ZONE, two, source="127.0.0.15")
    s.relay.wait_event("served", downstream="two")
    KeyedTransfer(s.at, ZONE, one, source="127.0.0.15")
    s.relay.wait_event("served", downstream="one")


# ---- NOTIFY to us ----


def test_notify_in(lab):
    """A-14, A-16: NOTIFY(AXFR) must be signed when there is a key, NOTIFY(SOA) when notify-key says so."""
    s = KeyedScene(lab, template={"forced-interval": "1s", "forced-burst": 100})
    for tcp in (False, True):
        m, t = s.tell(None, tcp=tcp)
        assert (rcode(m), t) == ("NOERROR", None)
        m, t = s.tell(None, qtype="AXFR", tcp=tcp)
        assert (rcode(m), ede_of(m), t) == ("REFUSED", 18, None)
        m, t = s.tell(WATCH, qtype="AXFR", tcp=tcp)     # known, but not the primary's
        assert (rcode(m), ede_of(m)) == ("REFUSED", 18) and t.mac
        m, t = s.tell(UP, qtype="AXFR", tcp=tcp)
        assert rcode(m) == "NOERROR" and m.flags & dns.flags.AA and t.mac and t.error == 0
        m, t = s.tell(UP, tcp=tcp)
        assert rcode(m) == "NOERROR" and t.mac
        m, t = s.tell(Key(UP.name, secret=b"z" * 32), tcp=tcp)
        assert (rcode(m), t.error, t.mac) == ("NOTAUTH", BADSIG, b"")
    s.relay.primaries["up"]["notify-key"] = UP.name
    s.relay.write()
    s.relay.ctl("reload")
    for qtype in ("SOA", "AXFR"):
        m, t = s.tell(None, qtype=qtype)
        assert (rcode(m), ede_of(m), t) == ("REFUSED", 18, None)
        m, t = s.tell(UP, qtype=qtype)
        assert rcode(m) == "NOERROR" and t.mac
    assert s.relay.events("notify-refused", why="unsigned")


def test_forced_key(lab):
    """forced: key with a notify-key of its own; the transfer key does not do."""
    other = Key("notify.example")
    s = KeyedScene(lab, keys={other.name: other.conf}, primary={"notify-key": other.name, "forced": "key"})
    m, t = s.tell(UP, qtype="AXFR")
    assert rcode(m) == "REFUSED" and t.mac
    m, t = s.tell(other, qtype="AXFR")
    assert rcode(m) == "NOERROR"
    s.relay.wait_event("forced-committed")


def test_replay(lab):
    """TS-09: sent again it is answered and does nothing; an old one that was not seen is BADTIME."""
    s = KeyedScene(lab, template={"forced-interval": "1s", "forced-burst": 100})
    q = notify_query(ZONE, "AXFR").to_wire()
    chain = Chain(UP)
    wire = chain.sign(q)
    for n in range(3):
        answer = repeat(s.at, wire)     # from another port each time
        check = Chain(UP)
        check.prior, check.count = chain.prior, 1
        bare, t = check.verify(answer)
        assert t.mac and bare[3] & 15 == 0, n
        if n == 0:
            s.relay.wait_event("forced-committed")
    s.settle()
    assert len(s.relay.events("forced-committed")) == 1
    # A little late is fine, for datagrams overtake each other; much is not.
    m, t = s.tell(UP, skew=-30)
    assert rcode(m) == "NOERROR"
    m, t = s.tell(UP, skew=-100)
    assert (rcode(m), t.error) == ("NOTAUTH", BADTIME) and t.mac
    m, t = s.tell(UP)
    assert rcode(m) == "NOERROR"


def test_lower_serial(lab):
    """A-08: an authenticated NOTIFY(AXFR) may take a zone back."""
    s = KeyedScene(lab, {ZONE: zone_text(10)}, primary={"forced": "address"},
                   template={"forced-interval": "1s", "forced-burst": 100})
    s.primary.update(ZONE, ["old 300 A 192.0.2.98"], serial=5)
    m, _ = s.tell(None, qtype="AXFR")
    assert rcode(m) == "NOERROR"
    wait_for(lambda: s.primary.count("AXFR") >= 2, 20, "the forced transfer")
    s.settle()
    assert s.relay.serial(ZONE) == 10
    m, _ = s.tell(UP, qtype="AXFR")
    assert rcode(m) == "NOERROR"
    s.relay.wait_serial(ZONE, 5)


def test_counted(lab):
    """TS-26: what was right and what was wrong is counted for each key, over a reload."""
    s = KeyedScene(lab)
    for key in (UP, Key(UP.name, secret=b"z" * 32), Key(UP.name, secret=b"z" * 32)):
        s.tell(key)
    s.settle()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(s.relay.sock)
        f = sock.makefile("rw")
        for words in ("reload", "live"):
            f.write(words + "\n")
            f.flush()
            lines = []
            while not lines or not lines[-1].startswith(("ok", "error")):
                lines.append(f.readline())
    keys = {o["name"]: o for o in map(json.loads, lines[:-1]) if o["kind"] == "key"}
    assert keys[UP.name]["failed"] == 2 and keys[UP.name]["verified"] >= 3, keys
    assert keys[DOWN.name]["verified"] >= 1 and keys[WATCH.name]["verified"] == 0
    assert not any("secret" in line for line in lines)


# ---- NOTIFY from us ----


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_notify_out(lab, transport):
    """Signed, and answers too; one that is not counts for nothing (TS-23, TS-24)."""
    s = KeyedScene(lab, downstream={"notify-transport": transport})
    s.update(add=["a 300 A 192.0.2.99"])
    s.relay.wait_event("notify-acked", downstream="down")
    assert not s.down.wrong and s.down.signatures
    s.settle()
    for how, text in (({"sign_answers": False}, "is not signed"), ({"break_mac": True}, "BADSIG"),
                      ({"error": BADKEY}, "does not know the key"), ({"error": BADSIG}, "its secret"),
                      ({"error": BADTIME, "other": (int(time.time()) + 1000).to_bytes(6, "big")}, "ahead of ours")):
        n = len(s.relay.events("notify-acked"))
        told = len(s.relay.events("notify-untrusted"))
        for k, v in how.items():
            setattr(s.down, k, v)
        s.update(add=[f"b{told} 300 A 192.0.2.99"])
        e = s.relay.wait_event("notify-untrusted", told + 1)[-1]
        assert text in e["reason"], e
        assert len(s.relay.events("notify-acked")) == n
        for k in how:
            setattr(s.down, k, getattr(KeyedDownstream, k))
        s.relay.ctl("notify", ZONE, "down")
        s.relay.wait_event("notify-acked", n + 1)
        s.settle()
    assert not s.down.wrong


def may_bind(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not may_bind("127.0.0.16", 53), reason="hosts of NS records are told at port 53: needs root")
def test_notify_out_others(lab):
    """Targets that are no downstream have the template's key; a downstream keeps its own (TS-23, PL-06)."""
    also = lab.add(KeyedDownstream("127.0.0.15", free_port()).start())
    host = lab.add(KeyedDownstream("127.0.0.16", 53).start())
    also.key = host.key = WATCH
    text = zone_text(more=[f"{ZONE}. 3600 IN NS out.{ZONE}.", f"out.{ZONE}. 3600 IN A 127.0.0.16",
                           f"{ZONE}. 3600 IN NS down.{ZONE}.", f"down.{ZONE}. 3600 IN A {DOWNSTREAM}"])
    s = KeyedScene(lab, {ZONE: text}, template={"notify-targets": "ns", "also-notify": [also.address],
                                                "notify-key": WATCH.name})
    s.update(add=["a 300 A 192.0.2.99"])
    for d in (also, host, s.down):
        d.wait_notifies(2, ZONE)
        s.relay.wait_event("notify-acked", 2, address=d.address)
        assert len(d.signatures) >= 2 and not d.wrong, (d.address, d.wrong)


@pytest.mark.parametrize("before", ["another key", "none"])
def test_reload_notify_key(lab, before):
    """NOTIFYs that are owed when notify-key changes are signed with the new one from then on."""
    s = KeyedScene(lab, downstream={"notify-key": "none"} if before == "none" else {}, start=False)
    s.down.key = WATCH
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    serial = s.update(add=["a 300 A 192.0.2.99"])
    wait_for(lambda: s.down.wrong, 20, "a NOTIFY as before the reload")
    assert not s.down.signatures and not s.relay.events("notify-acked")
    s.relay.downstreams["down"]["notify-key"] = WATCH.name
    s.relay.write()
    s.relay.ctl("reload")
    e = s.relay.wait_event("notify-acked", downstream="down")[-1]
    assert e["serial"] == str(serial)
    assert all(t.name == WATCH.wire() for t in s.down.signatures)


# ---- from the primary ----


def wait_failed(s, text, event="transfer-failed", n=1):
    found = s.relay.wait_event(event, n)[-1]
    assert text in found["reason"], found
    return found


WRONG = [
    ("unsigned", {"sign_answers": False}, "is not signed"),
    ("badsig", {"break_at": 0}, "BADSIG"),
    ("clock", {"skew": 400}, "s ahead of ours"),
    ("slow-clock", {"skew": -400}, "s behind ours"),
    ("cut", {"cut": 20}, "min-mac"),
    ("badkey", {"error": BADKEY}, "does not know the key"),
    ("claims-badsig", {"error": BADSIG}, "its secret of the key"),
]


@pytest.mark.parametrize("how,text", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_answers(lab, how, text):
    """Neither SOA nor transfer is taken; what an operator reads says what is wrong (TS-25)."""
    s = KeyedScene(lab, template={"retry": "1s..1s"})
    for k, v in how.items():
        setattr(s.primary, k, v)
    s.primary.update(ZONE, ["bad 300 A 192.0.2.66"])
    s.notify()
    wait_failed(s, text, "soa-failed")
    s.relay.ctl("retransfer", ZONE)
    wait_failed(s, text)
    assert s.relay.serial(ZONE) == 1
    for k in how:
        setattr(s.primary, k, getattr(KeyedPrimary, k))
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_serial(ZONE, 2)


@pytest.mark.parametrize("every,good", [(100, True), (101, False)])
def test_unsigned_between(lab, every, good):
    """TS-17, TS-20: 99 unsigned messages in a row are fine, 100 are not."""
    s = KeyedScene(lab, {ZONE: zone_text(hosts=0)})
    more = [f"h{i} 300 A 192.0.2.{i % 250 + 1}" for i in range(2 * every + 1 - 6)]
    s.primary.behaviour.records_per_message = 1
    s.primary.update(ZONE, more, keep_history=False)
    total = len(s.primary.zone(ZONE).content) + 1
    assert total == 2 * every + 1
    s.primary.unsigned = lambda n: n % every != 0
    s.relay.ctl("refresh", ZONE)
    if good:
        s.relay.wait_serial(ZONE, 2)
        assert s.axfr().keys() == s.content()
    else:
        wait_failed(s, "more than 99 messages in a row are not signed")
        assert s.relay.serial(ZONE) == 1


def test_last_unsigned(lab):
    """TS-17: nothing is taken when the last message is not signed, however good the rest."""
    s = KeyedScene(lab)
    s.primary.behaviour.records_per_message = 3
    s.primary.update(ZONE, ["bad 300 A 192.0.2.66"], keep_history=False)
    s.primary.unsigned = lambda n: n >= 3
    s.relay.ctl("refresh", ZONE)
    wait_failed(s, "the last message of the answer is not signed")
    assert s.relay.serial(ZONE) == 1
    s.primary.unsigned = lambda n: n in (1, 2)
    s.relay.ctl("retransfer", ZONE)
    s.relay.wait_serial(ZONE, 2)


def test_tampered(lab):
    """TS-19, TS-22: an unsigned message that was changed on the way spoils what comes after it."""
    s = KeyedScene(lab)
    s.primary.behaviour.records_per_message = 2
    s.primary.update(ZONE, ["good 300 A 192.0.2.65"], keep_history=False)
    s.primary.unsigned = lambda n: n in (1, 2)
    s.primary.tamper = lambda n, wire: wire[:-1] + bytes([wire[-1] ^ 1]) if n == 1 else wire
    s.primary.behaviour.edns = "ignore"     # the last octet is one of the RDATA
    s.relay.ctl("refresh", ZONE)
    wait_failed(s, "BADSIG")
    assert s.relay.serial(ZONE) == 1


def test_unsigned_forgery(lab):
    """An SOA answer over UDP that nobody signed is not taken; over TCP the real one is."""
    s = KeyedScene(lab)
    s.primary.update(ZONE, ["a 300 A 192.0.2.65"])
    s.primary.tamper = lambda n, wire: wire
    plain = s.primary.handle

    def forged(wire, reply, transport, source, conn):
        s.primary.sign_answers = transport != "udp"     # the next query may come before this returns
        plain(wire, reply, transport, source, conn)
    s.primary.handle = forged
    s.notify()
    s.relay.wait_serial(ZONE, 2)
    assert s.primary.count("SOA/tcp") >= 1


def test_reload(lab):
    """A new secret while a transfer runs: what runs ends well, what comes after has the new one."""
    s = KeyedScene(lab, {ZONE: large_zone(records=600)})
    s.primary.behaviour.message_delay = 0.05
    s.primary.update(ZONE, ["a 300 A 192.0.2.65"], keep_history=False)
    s.relay.ctl("retransfer", ZONE)
    s.primary.wait_count("AXFR", 2)
    new = Key(UP.name, secret=b"n" * 32)
    s.relay.keys[UP.name] = new.conf
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.wait_serial(ZONE, 2)
    assert not s.relay.events("transfer-failed")
    s.primary.key = new
    s.primary.behave()
    s.primary.update(ZONE, ["b 300 A 192.0.2.65"])
    m, _ = s.tell(UP)
    assert rcode(m) == "NOTAUTH"
    m, t = s.tell(new)
    assert rcode(m) == "NOERROR" and t.mac
    s.relay.wait_serial(ZONE, 3)
    assert not s.relay.events("soa-failed")


def test_mended(lab):
    """A wrong secret that a reload puts right is tried at once, not after RETRY."""
    s = KeyedScene(lab, start=False)
    s.relay.keys[UP.name] = Key(UP.name, secret=b"w" * 32).conf
    s.relay.write()
    s.relay.start()
    wait_failed(s, "its secret of the key", "soa-failed")
    s.relay.keys[UP.name] = UP.conf
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.wait_serial(ZONE, 1, timeout=10)


def test_chain(lab):
    """Three relays, each pair with a key of its own: a change and a forced transfer go through."""
    keys = [UP, Key("one-two.example"), Key("two-three.example")]
    hosts = ["127.0.0.31", "127.0.0.32", "127.0.0.33"]
    ports = [free_port() for _ in hosts]
    top = lab.add(KeyedPrimary(PRIMARY, free_port()).start())
    top.add_zone(ZONE, zone_text())
    relays = []
    for i, host in enumerate(hosts):
        above = top.address if i == 0 else f"{hosts[i - 1]}@{ports[i - 1]}"
        downs = {"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}
        if i < 2:
            downs["next"] = {"address": f"{hosts[i + 1]}@{ports[i + 1]}", "source": host, "key": keys[i + 1].name}
        mine = {k.name: k.conf for k in keys[i:i + 2]}
        relays.append(Relay(lab, f"r{i}", {"up": {"address": above, "source": host, "key": keys[i].name,
                                                  "notify-key": keys[i].name}},
                            downs, [ZONE], host=host, port=ports[i], keys=mine,
                            templates={"default": {"forced-interval": "1s", "forced-burst": 100}}).start())
        relays[-1].wait_serial(ZONE, 1)
    serial = top.update(ZONE, ["a 300 A 192.0.2.65"])
    m, t = signed_exchange((hosts[0], ports[0]), notify_query(ZONE).to_wire(), UP, False, PRIMARY)
    assert rcode(m) == "NOERROR" and t.mac
    relays[2].wait_serial(ZONE, serial)
    top.update(ZONE, ["b 300 A 192.0.2.66"], serial=serial)
    m, t = signed_exchange((hosts[0], ports[0]), notify_query(ZONE, "AXFR").to_wire(), UP, False, PRIMARY)
    assert rcode(m) == "NOERROR"
    want = sorted(r.key() for r in top.zone(ZONE).content)
    wait_for(lambda: fakedownstream.axfr(ZONE, (hosts[2], ports[2])).keys() == want, 30, "the forced content")
    for r in relays:
        assert not r.events("tsig-failed") and not r.events("notify-untrusted")
    assert serial_at(ports[2], ZONE, hosts[2]) == serial


def test_files(lab):
    """TS-30: secrets in files of their own, with the right mode; a reload reads them again."""
    s = KeyedScene(lab, start=False)
    path = os.path.join(s.relay.dir, "up.key")
    s.relay.keys[UP.name] = {"secret-file": "up.key"}
    s.relay.write()

    def put(text, mode):
        with open(path, "w") as f:
            f.write(text + "\n")
        os.chmod(path, mode)

    def check():
        p = subprocess.run([DAEMON, "-nv", "-c", s.relay.conf], capture_output=True, text=True, check=False)
        assert UP.text not in p.stdout + p.stderr and DOWN.text not in p.stdout + p.stderr
        return p.returncode, p.stdout, p.stderr

    put(UP.text, 0o644)
    status, _, err = check()
    assert status != 0 and "up.key" in err and "chmod o=" in err
    put(UP.text, 0o640)
    status, out, err = check()
    assert status == 0 and "secret-file: " + path in out and '"(hidden)"' in out
    os.chmod(s.relay.conf, 0o644)   # the other two keys stand in it
    status, _, err = check()
    assert status != 0 and "this file is open to everybody" in err
    os.chmod(s.relay.conf, 0o600)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    new = Key(UP.name, secret=b"n" * 32)
    put(new.text, 0o600)
    s.primary.key = new
    s.primary.update(ZONE, ["a 300 A 192.0.2.65"])
    s.relay.ctl("reload")
    m, _ = s.tell(new)
    assert rcode(m) == "NOERROR"
    s.relay.wait_serial(ZONE, 2)


def test_no_secret_shown(lab):
    """Nothing that the daemon prints or logs has a secret in it."""
    s = KeyedScene(lab)
    s.update(add=["a 300 A 192.0.2.65"])
    out = s.relay.process.output() + s.relay.ctl("zone", ZONE).stdout + s.relay.ctl("status").stdout
    for k in (UP, DOWN, WATCH):
        assert k.text not in out and k.text[:12] not in out
