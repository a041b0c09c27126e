# SPDX-License-Identifier: BSD-2-Clause
"""zonerelayctl send-notify: what goes out, what comes back from made-up and real servers, and what it is taken for."""

import json
import os
import re
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import pytest

from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from fakewire import Listener, records_of
from lab import CTL, SLOW, free_port, wait_for
from scene import ZONE, zone_text
from servers import Knot, Named, Nsd

OK, FAILED, USAGE = range(3)
KEYS = "name address type transport result rcode text ede ede_text tries took_us".split()
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvbmx5ISEhISEhISE="
OTHER = "YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlciwgc29ycnk="
# Nothing in the environment, no configuration anywhere: it needs neither.
NOTHING = {"PATH": "/nonexistent"}


def run(*args, **env):
    env = dict(NOTHING, **env)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    return subprocess.run([CTL, "send-notify", *args], capture_output=True, text=True, timeout=60 * SLOW, check=False,
                          env=env, cwd="/")


def send(*args, code=OK):
    """Its JSON; the same must be said as text by the exit status."""
    p = run("--json", *args)
    assert p.returncode == code, (args, p)
    out = json.loads(p.stdout)
    assert all(list(r) == KEYS for r in out), out
    return out


def one(*args, code=OK):
    [r] = send(*args, code=code)
    return r


def fake(lab, host="127.0.0.1"):
    return lab.add(FakeDownstream(host, free_port()).start())


class Answering(Listener):
    """Answers with whatever make(message) gives: a message, octets, or None."""

    def __init__(self, make, keyring=None):
        super().__init__("127.0.0.1", free_port())
        self.make = make
        self.keyring = keyring
        self.seen = []

    def handle(self, wire, reply, transport, source, conn):
        try:
            m = dns.message.from_wire(wire, keyring=self.keyring)
        except dns.exception.DNSException as e:
            m = e
        self.seen.append((wire, m))
        r = self.make(m)
        if r is not None:
            reply(r if isinstance(r, bytes) else r.to_wire())


def response(m, rcode="NOERROR", opcode="NOTIFY"):
    r = dns.message.make_response(m)
    r.flags = dns.flags.QR | dns.flags.AA
    r.set_opcode(dns.opcode.from_text(opcode))
    r.set_rcode(dns.rcode.from_text(rcode))
    return r


# ---- what goes out ----


def test_message(lab):
    """AN-01, AN-02, N-03, N-07: header and sections; an ID and a port of its own for each."""
    d, e = fake(lab), fake(lab)
    assert [r["result"] for r in send(ZONE, d.address, e.address)] == ["acknowledged"] * 2
    assert one("--type", "axfr", ZONE.upper() + ".", d.address)["name"] == ZONE
    assert one("--type=soa", "--serial", "4294967295", ZONE, d.address)["tries"] == 1
    [first, forced, hinted], [other] = d.wait_notifies(3), e.wait_notifies(1)
    for n in (first, forced, hinted, other):
        assert n.zone == ZONE + "." and n.flags & ~0x7800 == dns.flags.AA, hex(n.flags)
        assert not n.message.authority and n.message.edns == 0 and n.message.payload == 1232
    assert (first.qtype, forced.qtype, hinted.qtype) == ("SOA", "AXFR", "SOA")
    assert not first.message.answer and not forced.message.answer
    assert hinted.hint == 4294967295
    assert len({n.id for n in (first, forced, hinted, other)}) > 1
    assert len({n.source for n in (first, forced, hinted, other)}) > 1
    assert not d.unexpected and not e.unexpected
    for args in (("--type", "axfr", "--serial", "3"), ("--type", "ixfr")):
        assert run(*args, ZONE, d.address).returncode == USAGE
    assert len(d.notifies) == 3


def test_source_and_family(lab):
    """PL-16: the address it comes from is chosen; IPv6 works like IPv4."""
    d, e = fake(lab), fake(lab, "::1")
    out = send("--source", "127.0.0.77", ZONE, d.address)
    assert out[0]["result"] == "acknowledged" and d.wait_notifies(1)[0].source[0] == "127.0.0.77"
    assert [r["address"] for r in send(ZONE, e.address, d.address)] == [e.address, d.address]
    assert e.wait_notifies(1)[0].transport == "udp"
    r = one("--source", "::1", ZONE, d.address, code=FAILED)
    assert r["result"] == "unreachable" and "--source" in r["text"]
    r = one("--source", "192.0.2.1", ZONE, d.address, code=FAILED)
    assert r["result"] == "unreachable" and "Cannot assign" in r["text"]
    assert one("--tcp", "--source", "127.0.0.77", ZONE, d.address)["transport"] == "tcp"
    assert d.notifies[-1].transport == "tcp" and d.notifies[-1].source[0] == "127.0.0.77"


def test_tries(lab):
    """The same message again, after twice the time each; an answer to any of them counts."""
    d = fake(lab)
    d.answer.silence = True
    start = time.monotonic()
    r = one("--timeout", "200ms", ZONE, d.address, code=FAILED)
    took = time.monotonic() - start
    assert (r["result"], r["rcode"], r["tries"]) == ("no-answer", None, 3) and r["took_us"] >= 1400000
    assert 1.4 <= took < 1.4 + 5 * SLOW
    assert len({(n.id, n.source) for n in d.notifies}) == 1 and len(d.notifies) == 3
    gaps = [b.time - a.time for a, b in zip(d.notifies, d.notifies[1:])]
    assert gaps[0] > 0.15 and gaps[1] > 0.35, gaps
    d.forget()
    d.answer.silence = False
    d.once(times=2, silence=True)
    r = one("--timeout", "200ms", ZONE, d.address)
    assert (r["result"], r["tries"]) == ("acknowledged", 3)
    d.forget()
    d.once(delay=0.4)       # it comes after the second one has left
    r = one("--timeout=300ms", "--tries", "2", ZONE, d.address)
    assert r["result"] == "acknowledged" and r["tries"] == 2
    d.once(silence=True)
    assert one("--timeout", "100ms", "--tries=1", ZONE, d.address, code=FAILED)["tries"] == 1


def test_all_at_once(lab):
    """Nobody waits for anybody; one failure is the failure of all; text and order of the arguments."""
    silent = fake(lab)
    silent.answer.silence = True
    good = [fake(lab) for _ in range(5)]
    targets = [silent.address, *(d.address for d in good), silent.address, silent.address]
    start = time.monotonic()
    out = send("--timeout", "300ms", "--tries", "1", ZONE, *targets, code=FAILED)
    assert time.monotonic() - start < 0.6 + 2 * SLOW
    assert [r["address"] for r in out] == targets
    assert [r["result"] for r in out] == ["no-answer"] + ["acknowledged"] * 5 + ["no-answer"] * 2
    p = run("--timeout=300ms", "--tries=1", ZONE, *targets)
    lines = p.stdout.splitlines()
    assert p.returncode == FAILED and len(lines) == 9 and lines[-1] == "5 of 8 acknowledged", p.stdout
    assert all("  NOERROR      acknowledged; " in line for line in lines[:5]), lines
    assert all("  no answer    " in line for line in lines[5:8]), lines
    assert run(ZONE, good[0].address).stdout.count("\n") == 1


# ---- what comes back ----

RCODES = [("NOERROR", "acknowledged", OK), ("FORMERR", "unsupported", FAILED), ("NOTIMP", "unsupported", FAILED),
          ("REFUSED", "refused", FAILED), ("NOTAUTH", "refused", FAILED), ("NXDOMAIN", "refused", FAILED),
          ("SERVFAIL", "failed", FAILED)]


@pytest.mark.parametrize("kind", ["soa", "axfr"])
def test_rcodes(lab, kind):
    d = fake(lab)
    for rcode, result, code in RCODES:
        d.answer.rcode = rcode
        for more in ((), ("--tcp",)):
            r = one("--type", kind, *more, ZONE, d.address, code=code)
            assert (r["rcode"], r["result"], r["type"]) == (rcode, result, kind.upper()), r
    d.answer.rcode = "NOERROR"
    r = one("--type", kind, ZONE, d.address)
    assert ("does not prove that it transfers" in r["text"]) == (kind == "axfr")
    d.answer.rcode = "FORMERR"
    r = one("--type", kind, ZONE, d.address, code=FAILED)
    assert ("rndc retransfer " + ZONE in r["text"]) == (kind == "axfr")
    d.answer.rcode, d.answer.no_question = "REFUSED", True      # as NSD refuses
    assert one("--type", kind, ZONE, d.address, code=FAILED)["result"] == "refused"


def test_extended_error(lab):
    def make(m):
        r = response(m, "REFUSED")
        r.use_edns(0, 0, 1232, options=[dns.edns.GenericOption(15, b"\0\x12not \x1b[31myou")])
        return r
    s = lab.add(Answering(make).start())
    r = one(ZONE, s.address, code=FAILED)
    assert (r["ede"], r["ede_text"]) == (18, "not ?[31myou")
    p = run(ZONE, s.address)
    assert "it says EDE 18: not ?[31myou" in p.stdout and "\x1b" not in p.stdout


def test_server_that_only_answers_queries(lab):
    """PL-13: it does not look at the opcode, and NOERROR from it is no success."""
    def make(m):
        r = response(m, opcode="QUERY")
        r.answer += [rec.rrset() for rec in records_of(zone_text(), ZONE)[:1]]
        return r
    s = lab.add(Answering(make).start())
    for args in ((), ("--tcp",), ("--serial", "7")):
        r = one(*args, ZONE, s.address, code=FAILED)
        assert r["result"] == "not-an-answer" and r["rcode"] is None and "ordinary query" in r["text"], r
    assert run(ZONE, s.address).stdout.split("  ")[1] == "no NOTIFY"
    # Asked for AXFR it looks like one that sends the zone, and is no success either.
    assert one("--type=axfr", ZONE, s.address, code=FAILED)["result"] == "zone-data"


def test_what_is_no_answer(lab):
    def spoil(change):
        def make(m):
            wire = bytearray(response(m).to_wire())
            change(wire)
            return bytes(wire)
        return make

    def opcode5(w):
        w[2] = 0xac

    def request(w):
        w[2] &= 0x7f

    def name(w):
        w[13] ^= 1

    def more(w):
        w.append(0)

    for change in (opcode5, request, name, more):
        s = lab.add(Answering(spoil(change)).start())
        for args in ((), ("--tcp",)):
            assert one(*args, ZONE, s.address, code=FAILED)["result"] == "not-an-answer", change
    # Another ID, or octets that are no message: it waits on, and takes the one that comes then.
    def wrong_id(w):
        w[0] ^= 1

    for make in (spoil(wrong_id), lambda m: b"\0\1", lambda m: b""):
        s = lab.add(Answering(make).start())
        assert one("--timeout=100ms", "--tries=2", ZONE, s.address, code=FAILED)["result"] == "no-answer"
    d = fake(lab)
    d.once(wrong_id=True)
    r = one("--timeout=200ms", ZONE, d.address)
    assert (r["result"], r["tries"]) == ("acknowledged", 2)


def test_zone_data_over_tcp(lab):
    """NT-06, I-PDNS-TCP: one message is read, then the connection is closed; and the risk is said before."""
    for opcode in ("NOTIFY", "QUERY"):
        d = fake(lab)
        d.answer.zone_data, d.answer.opcode = records_of(zone_text(hosts=50), ZONE), opcode
        r = one("--type", "axfr", "--tcp", ZONE, d.address, code=FAILED)
        assert r["result"] == "zone-data" and "took it for a query" in r["text"], r
        wait_for(lambda d=d: d.connections() == 0, 10, "the connection closed")
        p = run("--type", "axfr", "--tcp", ZONE, d.address)
        assert p.stderr.startswith("zonerelayctl: NOTIFY(AXFR) over TCP: ") and p.returncode == FAILED
    assert not run("--tcp", ZONE, d.address).stderr


def test_unreachable(lab):
    port = free_port()
    start = time.monotonic()
    for args in ((), ("--tcp",)):
        r = one(*args, ZONE, f"127.0.0.1@{port}", code=FAILED)
        assert r["result"] == "unreachable" and "nothing listens there" in r["text"], r
    assert time.monotonic() - start < 2 * SLOW, "ICMP ends it (N-13)"
    d = fake(lab)
    d.answer.close = True
    r = one("--tcp", ZONE, d.address, code=FAILED)
    assert r["result"] == "not-an-answer" and "closed the connection" in r["text"]
    d.answer.close, d.answer.silence = False, True
    start = time.monotonic()
    r = one("--tcp", "--timeout=100ms", ZONE, d.address, code=FAILED)
    assert (r["result"], r["tries"]) == ("no-answer", 1) and time.monotonic() - start >= 0.7, "as long as all tries"


def test_without_edns(lab):
    """FORMERR to the OPT is not taken for FORMERR to the NOTIFY(AXFR)."""
    def formerr(m, opt=False):
        r = response(m, "FORMERR")
        if not opt:
            r.use_edns(-1)
        return r

    s = lab.add(Answering(lambda m: response(m) if m.edns < 0 else formerr(m)).start())
    for args in ((), ("--tcp",), ("--type", "axfr")):
        r = one(*args, ZONE, s.address)
        assert (r["rcode"], r["result"]) == ("NOERROR", "acknowledged")
    assert [m.edns for _, m in s.seen] == [0, -1] * 3
    for opt, asked in ((False, 2), (True, 1)):
        s = lab.add(Answering(lambda m, opt=opt: formerr(m, opt)).start())
        assert one("--type", "axfr", ZONE, s.address, code=FAILED)["result"] == "unsupported"
        assert len(s.seen) == asked


# ---- signed ----


def test_signed(lab, tmp_path):
    keyring = dns.tsigkeyring.from_text({"relay.key.": ("hmac-sha256", SECRET)})
    s = lab.add(Answering(lambda m: response(m) if m.had_tsig else None, keyring).start())
    path = tmp_path / "key"
    path.write_text(f"hmac-sha256:relay.key:{SECRET}\n")
    for args in (("--key", f"relay.key:{SECRET}"), ("--key", f"hmac-sha256:Relay.KEY.:{SECRET}"),
                 ("--key-file", str(path)), ("--key-file", str(path), "--tcp"),
                 ("--key-file", str(path), "--type", "axfr")):
        assert one(*args, ZONE, s.address)["result"] == "acknowledged", args
    assert len(s.seen) == 5 and all(m.keyname.to_text() == "relay.key." for _, m in s.seen)
    # An answer without a signature, or with another one, is not believed.
    for server in (lambda m: dns.message.from_wire(strip(response(m))), lambda m: resign(m, OTHER)):
        s = lab.add(Answering(server, keyring).start())
        r = one("--key-file", str(path), "--timeout=100ms", "--tries=2", ZONE, s.address, code=FAILED)
        assert r["result"] == "bad-signature" and r["tries"] == 2, r
    # What is wrong with a key is said, and no part of the secret.
    path.write_text("hmac-sha256:relay.key:???\n")
    empty = tmp_path / "empty"
    empty.write_text("")
    for args in (("--key", "relay.key"), ("--key", f"hmac-foo:relay.key:{SECRET}"), ("--key", f"a..b:{SECRET}"),
                 ("--key-file", str(path)), ("--key-file", str(empty)), ("--key-file", str(tmp_path / "none")),
                 ("--key", f"x:{SECRET}", "--key-file", str(path))):
        p = run(*args, ZONE, s.address)
        assert (p.returncode, p.stdout) == (USAGE, "") and p.stderr.startswith("zonerelayctl: "), (args, p)
        assert SECRET not in p.stderr and "???" not in p.stderr, p.stderr


def strip(m):
    m.tsig = None
    m.keyring = None
    return m.to_wire()


def resign(m, secret):
    r = response(m)
    r.use_tsig(dns.tsigkeyring.from_text({"relay.key.": ("hmac-sha256", secret)}), m.keyname)
    r.request_mac = m.mac
    return r


class KeyedNsd(Nsd):
    """Takes NOTIFYs signed with the key only."""

    def configure(self):
        super().configure()
        path = os.path.join(self.dir, "nsd.conf")
        with open(path) as f:
            text = f.read().replace("allow-notify: 127.0.0.0/8 NOKEY", "allow-notify: 127.0.0.0/8 relay.key")
        with open(path, "w") as f:
            f.write(text + f"key:\n  name: relay.key\n  algorithm: hmac-sha256\n  secret: {SECRET}\n")


class KeyedNamed(Named):
    def configure(self):
        super().configure()
        path = os.path.join(self.dir, "named.conf")
        with open(path) as f:
            text = f.read().replace("recursion no;", 'recursion no; allow-notify { key "relay.key"; };')
        with open(path, "w") as f:
            f.write(f'key "relay.key" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n' + text)


# ---- real servers ----


def real(lab, kind):
    """A secondary that has loaded the zone from a made-up primary at 127.0.0.1."""
    primary = lab.add(FakePrimary("127.0.0.1", free_port()).start())
    primary.add_zone(ZONE, zone_text())
    server = kind(lab, kind.__name__.lower(), primary=(primary.host, primary.port), zones=[ZONE]).start()
    wait_for(lambda: server.serial(ZONE) == 1, 30, f"{server} serves {ZONE}")
    primary.forget()
    return primary, server


@pytest.mark.parametrize("kind", [Named, Nsd, Knot])
def test_real_server_soa(lab, kind):
    """A primary that cannot send NOTIFY: the server asks it at once, and has the new version."""
    primary, server = real(lab, kind)
    serial = primary.update(ZONE, ["new A 192.0.2.9"])
    r = one("--serial", str(serial), ZONE, server.address)
    assert (r["rcode"], r["result"]) == ("NOERROR", "acknowledged")
    wait_for(lambda: server.serial(ZONE) == serial, 30, f"{server} has the new version")
    # A zone it does not have: said in the one or the other way.
    r = one("nowhere.test", server.address, code=FAILED)
    assert r["result"] == "refused" and r["rcode"] in ("NXDOMAIN", "NOTAUTH"), r
    if kind is Named:
        r = one("--source", "127.0.0.9", ZONE, server.address, code=FAILED)
        assert (r["rcode"], r["result"]) == ("REFUSED", "refused")


@pytest.mark.parametrize("kind,rcode,result,code", [(Named, "FORMERR", "unsupported", FAILED),
                                                    (Nsd, "NOERROR", "acknowledged", OK),
                                                    (Knot, "FORMERR", "unsupported", FAILED)])
def test_real_server_axfr(lab, kind, rcode, result, code):
    _, server = real(lab, kind)
    for more in ((), ("--tcp",)):
        r = one("--type", "axfr", *more, ZONE, server.address, code=code)
        assert (r["rcode"], r["result"]) == (rcode, result), r


@pytest.mark.parametrize("kind", [KeyedNsd, KeyedNamed])
def test_real_server_signed(lab, kind):
    primary, server = real(lab, kind)
    serial = primary.update(ZONE, ["new A 192.0.2.9"])
    source = ("--source", "127.0.0.9")      # not the primary: only the key counts
    assert one(*source, ZONE, server.address, code=FAILED)["result"] == "refused"
    r = one(*source, "--key", f"relay.key:{OTHER}", "--timeout=500ms", ZONE, server.address, code=FAILED)
    assert r["result"] == "bad-signature" and "BADSIG" in r["text"], r
    r = one(*source, "--key", f"unknown.key:{SECRET}", "--timeout=500ms", ZONE, server.address, code=FAILED)
    assert r["result"] == "bad-signature" and "BADKEY" in r["text"], r
    assert server.serial(ZONE) == 1
    r = one(*source, "--key", f"relay.key:{SECRET}", ZONE, server.address)
    assert (r["rcode"], r["result"]) == ("NOERROR", "acknowledged")
    if kind is KeyedNsd:    # BIND only asks primaries that it knows by address
        wait_for(lambda: server.serial(ZONE) == serial, 30, f"{server} has the new version")


# ---- the command line ----


def test_usage():
    at = "127.0.0.1@9"
    for args in ((), (ZONE,), ("a..b", at), (ZONE, "host.example"), (ZONE, "127.0.0.1:53"), (ZONE, "127.0.0.1@0"),
                 (ZONE, "127.0.0.1@99999"), ("--type", "txt", ZONE, at), ("--serial", "x", ZONE, at),
                 ("--serial", "4294967296", ZONE, at), ("--tries", "11", ZONE, at), ("--timeout", "soon", ZONE, at),
                 ("--timeout", "1h", ZONE, at), ("--source", "127.0.0.1@5", ZONE, at), ("--wait", ZONE, at),
                 ("--axfr", ZONE, at), (ZONE, *[at] * 257)):
        p = run(*args)
        assert (p.returncode, p.stdout) == (USAGE, "") and p.stderr.startswith("zonerelayctl: "), (args, p)
    out = send("--tries=1", "--timeout=100ms", ZONE, *[f"127.0.0.1@{free_port()}"] * 256, code=FAILED)
    assert len(out) == 256
    assert re.search(r"^  send-notify \[--type soa\|axfr\]", run("--help").stdout, re.M)
