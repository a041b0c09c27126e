# SPDX-License-Identifier: BSD-2-Clause
"""The configuration: what is refused at the start, and what a reload changes and leaves alone."""

import glob
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import pytest

import fakedownstream
from fakedownstream import Connection, FakeDownstream
from fakeprimary import FakePrimary
from fakewire import IN, Record, write_frame
from lab import CTL, DAEMON, SLOW, free_port, read_message, serial_at, wait_for
from relay import Relay
from scene import PRIMARY, ZONE, Scene, check_db, large_zone, tell, zone_text

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(TESTS, "fixtures", "config")
SAMPLES = os.path.join(os.path.dirname(TESTS), "conf")


def daemon(*args, cwd=None):
    return subprocess.run([DAEMON, *args], capture_output=True, text=True, timeout=60 * SLOW, check=False, cwd=cwd)


# ---- at the start ----

GOOD = """primaries: {up: {address: 192.0.2.53}}
downstreams: {down: {address: 192.0.2.54}}
zones:
  example.org: {}
"""

# What stands behind the four lines of `server`; then what is said, by line and column.
BAD = {
    "unknown key": ("primaries: {up: {adress: 192.0.2.53}}\nzones: {example.org: {}}\n", [
        (5, 13, "the primary 'up' has no address"),
        (5, 18, "unknown key 'adress' of a primary: did you mean 'address'?")]),
    "unknown section": (GOOD + "zone: {}\n", [(9, 1, "unknown key 'zone' of the file: did you mean 'zones'?")]),
    "duplicate key": (GOOD + "log: {level: info, to: stderr, level: debug}\n", [
        (9, 32, "duplicate key 'level': first at {file}:9:7")]),
    "duplicate zone": (GOOD + "  Example.ORG.: {}\n", [(9, 3, "duplicate zone example.org: first at {file}:8:3")]),
    "address": (GOOD.replace("192.0.2.53", "192.0.2.256"), [
        (5, 27, "address: '192.0.2.256' is not an IP address (such as 192.0.2.1, 2001:db8::1 or 192.0.2.1@53)")]),
    "port": (GOOD.replace("192.0.2.54", "192.0.2.54@65536"), [
        (6, 31, "address: '192.0.2.54@65536' is not an IP address: the port must be between 1 and 65535")]),
    "unknown names": (GOOD.replace("{}\n", "{primaries: [upp], downstreams: [down, nobody], template: slow}\n"), [
        (8, 29, "unknown primary 'upp': did you mean 'up'?"),
        (8, 55, "unknown downstream 'nobody'"),
        (8, 74, "unknown template 'slow'")]),
    "range": (GOOD + "templates: {default: {refresh: 2h..1h, retry: 0s..1m}}\n", [
        (9, 32, "refresh: '2h..1h' begins above its end"),
        (9, 47, "retry: '0s' is not between 1s and 52w")]),
    "size and number": (GOOD + "templates:\n  default: {max-size: 2GB, max-records: 5e7}\n", [
        (10, 23, "max-size: '2GB' is not a size (such as 512MiB or 2GiB)"),
        (10, 41, "max-records: '5e7' is not a whole number")]),
    "choice": (GOOD + "log: {level: loud, format: xml}\n", [
        (9, 14, "level: 'loud' is not one of debug, info, warn or error"),
        (9, 28, "format: 'xml' is not one of text or json")]),
    "zone names": (GOOD + "  a..example: {}\n  \"b c.example\": {}\n", [
        (9, 3, "'a..example' is not a domain name: an empty label"),
        (10, 3, "'b c.example' is not a domain name: a blank or control character: write it as \\DDD")]),
    "no primary": ("zones:\n  example.org: {}\n", [
        (5, 1, "zones need a primary: there is none in 'primaries'")]),
    "itself": (GOOD.replace("192.0.2.53", "127.0.0.1@{port}"), [
        (5, 27, "127.0.0.1@{port} is where zonerelayd itself listens: it would transfer from itself")]),
    "zone lists": (GOOD + "zone-lists:\n  - {file: none.txt}\n  - {file: bad.txt}\n", [
        (10, 12, "cannot read {dir}/none.txt: No such file or directory"),
        ("bad.txt", 2, 5, "'x..y' is not a domain name: an empty label"),
        ("bad.txt", 4, 1, "duplicate zone example.org: first at {file}:8:3"),
        ("bad.txt", 5, 15, "one name per line: only a comment (#) may follow a name")]),
    "tab": (GOOD + "log:\n\tlevel: info\n", [
        (10, 1, "found character that cannot start any token (it is a tab: indent with blanks)")]),
    "open bracket": (GOOD + "log: {level: info\ntemplates: {}\n", None),
    "second document": (GOOD + "---\nzones: {}\n", [(9, 1, "a second document begins here: only one is read")]),
    "a list at the top": (None, [(1, 1, "the file must be a map (key: value), not a list")]),
    "all at once": ("server-id: 7\nlog: {level: loud}\nprimaries: {a: {}}\ndownstreams: {b: {notify: perhaps}}\n"
                    "templates: {default: {splay: 2h}}\nzones: {c: {downstreams: d}}\n", [
                        (5, 1, "unknown key 'server-id' of the file: did you mean 'server'?"),
                        (6, 14, "level: 'loud' is not one of debug, info, warn or error"),
                        (7, 13, "the primary 'a' has no address"),
                        (8, 15, "the downstream 'b' has no address: give one, or notify: no"),
                        (8, 27, "notify: 'perhaps' is neither yes nor no"),
                        (9, 30, "splay: '2h' is not between 0s and 1h"),
                        (10, 26, "unknown downstream 'd'")]),
}


class Busy:
    """Holds a port, so that whoever tries to listen there is seen to have tried."""

    def __init__(self):
        self.port = free_port()
        self.socks = [socket.socket(socket.AF_INET, k) for k in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
        for s in self.socks:
            s.bind(("127.0.0.1", self.port))
        self.socks[1].listen(1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for s in self.socks:
            s.close()


def nobody_at(host, port):
    """Neither TCP nor UDP: the kernel says so."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), 5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((host, port))
        sock.send(fakedownstream.query(ZONE, dns.rdatatype.SOA).to_wire())
        with pytest.raises(ConnectionRefusedError):
            sock.recv(512)
    return True


def server_lines(folder, port):
    return (f"server:\n  listen: [127.0.0.1@{port}]\n  database: {folder}/zr.db\n  control: {folder}/s\n")


def test_bad_at_start(lab):
    """Exit status 2; every fault with its place, all at once; nothing is made, nothing listens."""
    with open(os.path.join(lab.folder("c"), "bad.txt"), "w") as f:
        f.write("fine.example\n  x..y\n# comment\nexample.org\nother.example two.example\n")
    folder = lab.folder("c")
    path = os.path.join(folder, "z.yaml")
    with Busy() as busy:
        for what, (text, faults) in BAD.items():
            text = "- 1\n" if text is None else server_lines(folder, busy.port) + text.replace("{port}", str(busy.port))
            with open(path, "w") as f:
                f.write(text)
            for option in ((), ("-d",), ("-n",), ("-n", "-v")):
                p = daemon(*option, "-c", path)
                assert (p.returncode, p.stdout) == (2, ""), (what, option, p)
                lines = p.stderr.splitlines()
                assert sorted(os.listdir(folder)) == ["bad.txt", "z.yaml"], what
                count = len(lines) - 1
                assert lines.pop() == (f"zonerelayd: {count} error{'s' if count != 1 else ''} in the configuration,"
                                       " nothing started"), (what, p.stderr)
                if faults is None:
                    assert len(lines) == 1 and lines[0].startswith(f"{path}:10:") and "did not find" in lines[0], lines
                    continue
                assert lines == [place(folder, path, busy.port, f) for f in faults], what
        # That the port is taken would have been noticed: with a good file it is.
        with open(path, "w") as f:
            f.write(server_lines(folder, busy.port) + GOOD)
        p = daemon("-c", path)
        assert p.returncode == 1 and f"cannot listen on 127.0.0.1@{busy.port}" in p.stderr, p
    assert len(BAD) >= 12


def place(folder, path, port, fault):
    file = path if len(fault) == 3 else os.path.join(folder, fault[0])
    line, col, text = fault[-3:]
    text = text.replace("{file}", path).replace("{dir}", folder).replace("{port}", str(port))
    return f"{file}:{line}:{col}: {text}"


def test_bad_fixtures_at_start():
    """The same of every bad example there is."""
    here = os.path.join(FIXTURES, "bad")
    names = sorted(f for f in os.listdir(here) if f.endswith(".yaml"))
    assert len(names) >= 30
    for name in names:
        with open(os.path.join(here, name[:-5] + ".expect")) as f:
            want = f.read()
        p = daemon("-c", name, cwd=here)
        lines = p.stderr.splitlines(keepends=True)
        assert p.returncode == 2 and lines.pop().endswith(" in the configuration, nothing started\n"), (name, p)
        assert "".join(lines) == want, name
        assert daemon("-n", "-c", name, cwd=here).stderr == p.stderr, name


def test_command_line(lab):
    folder = lab.folder("c")
    path = os.path.join(folder, "none.yaml")
    for args, text in ((("-c", path), f"{path}: cannot be read: No such file or directory\n"),
                       (("-c", folder), f"{folder}: cannot be read: Is a directory\n"),
                       (("-c",), "usage: "), (("-x",), "usage: "), (("-n", "operand"), "usage: ")):
        p = daemon(*args)
        assert (p.returncode, p.stdout) == (2, "") and text in p.stderr, (args, p)
    p = daemon("-h")
    assert p.returncode == 0 and p.stdout.startswith("usage: ") and not p.stderr
    assert daemon("-V").stdout.startswith("zonerelay ")


def test_check_and_round_trip(lab):
    """-n says what there is; what -nv prints is a configuration that comes to the same."""
    folder = lab.folder("c")
    with Busy() as busy:    # -n listens to nothing and makes nothing
        path = os.path.join(folder, "z.yaml")
        with open(path, "w") as f:
            f.write(server_lines(folder, busy.port) + GOOD)
        p = daemon("-n", "-c", path)
        assert (p.returncode, p.stdout, p.stderr) == (0, "1 zones, 1 primaries, 1 downstreams, 0 warnings\n", "")
        assert os.listdir(folder) == ["z.yaml"]
    files = [path] + glob.glob(os.path.join(FIXTURES, "good", "*.yaml")) + glob.glob(os.path.join(SAMPLES, "*.yaml"))
    assert len(files) >= 15
    once = os.path.join(folder, "once.yaml")
    for path in files:
        with open(path) as f:
            if re.search(r"^\s*(tls:|[^#]*\btls: \{)", f.read(), re.M):
                continue    # -n opens the certificates, which are not here
        p = daemon("-nv", "-c", path)
        assert p.returncode == 0, (path, p)
        with open(once, "w") as f:
            f.write(p.stdout)
        q = daemon("-nv", "-c", once)
        assert (q.returncode, q.stdout) == (0, p.stdout), path
        assert daemon("-n", "-c", once).stdout.split(", ")[:3] == daemon("-n", "-c", path).stdout.split(", ")[:3], path


# ---- reload ----


class Gate:
    """Lets the messages of a slow transfer through one by one, or all of them."""

    def __init__(self, primary):
        self.primary = primary
        self.waiting = threading.Event()
        self.open = threading.Event()
        primary.pause = self.pause

    def pause(self, _):
        self.waiting.set()
        while not self.open.wait(0.02):
            if self.primary.stopping:
                return False
        return not self.primary.stopping


def reload(relay, how):
    """By signal or by order; returns when it has been done."""
    if how == "ctl":
        return relay.json("reload")
    n = len(relay.events("reloaded"))
    relay.process.proc.send_signal(signal.SIGHUP)
    e = relay.wait_event("reloaded", n + 1)[n]
    return {k: int(e[k]) for k in ("zones", "added", "removed", "changed")}


def rcode_of(at, zone, source=None, tcp=False):
    m = fakedownstream.soa(zone, at, tcp=tcp, source=source, timeout=2 * SLOW)
    return None if m is None else dns.rcode.to_text(m.rcode())


SLOW_ZONE, GONE, CHANGED, MOVED, THIRD, ADDED, BIG = (
    f"{x}.test" for x in ("slow", "gone", "changed", "moved", "third", "added", "big"))


@pytest.mark.parametrize("how", ["ctl", "SIGHUP"])
def test_reload(lab, how):
    """Zones, primaries, downstreams and listeners come, go and change; all else does not notice."""
    second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
    third = lab.add(FakePrimary("127.0.0.15", free_port()).start())
    old = lab.add(FakeDownstream("127.0.0.14", free_port()).start())
    late = lab.add(FakeDownstream("127.0.0.16", free_port()).start())
    for zone in (ADDED, MOVED):
        second.add_zone(zone, zone_text(serial=5, zone=zone))
    third.add_zone(THIRD, zone_text(zone=THIRD))
    port = free_port()
    mine = {"primaries": ["up"], "downstreams": ["down", "watch"]}
    with_old = {"primaries": ["up"], "downstreams": ["old", "watch"]}
    s = Scene(lab, {**{z: zone_text(zone=z) for z in (ZONE, SLOW_ZONE, GONE, CHANGED, MOVED)},
                    BIG: large_zone(records=400, size=20000, zone=BIG), THIRD: None},
              zone_conf={ZONE: mine, SLOW_ZONE: mine, BIG: mine, GONE: with_old, CHANGED: with_old, MOVED: with_old,
                         THIRD: {"primaries": ["third"], "downstreams": ["watch"]}},
              server={"listen": [f"127.0.0.1@{port}", f"127.0.0.2@{port}"]}, relay_port=port,
              more_primaries={"third": {"address": third.address}}, more_downstreams={"old": {"address": old.address}})
    s.relay.wait_serial(THIRD, 1)
    for zone in s.relay.zones:
        s.settle(zone)

    # A transfer in that is under way, with some messages through; one out; a connection.
    gate = Gate(s.primary)
    s.primary.replace(SLOW_ZONE, zone_text(serial=2, hosts=200, zone=SLOW_ZONE))
    s.primary.once("AXFR", message_delay=1, records_per_message=10)
    s.relay.ctl("retransfer", SLOW_ZONE)
    assert gate.waiting.wait(20 * SLOW)
    out = Connection(s.at, 30 * SLOW, source=s.down.host, window=4096)
    fetched = out.send(fakedownstream.query(BIG, dns.rdatatype.AXFR))
    out.read()
    idle = socket.create_connection(s.at, 30 * SLOW)
    before = s.relay.json("zone", ZONE)["zone"]
    s.primary.forget()
    second.forget()

    r = s.relay
    r.primaries["second"] = {"address": second.address}
    del r.primaries["third"], r.downstreams["old"]
    r.downstreams["late"] = {"address": late.address}
    del r.zones[GONE], r.zones[THIRD]
    r.zones[ADDED] = {"primaries": ["second"], "downstreams": ["watch"]}
    r.zones[MOVED] = {"primaries": ["second"], "downstreams": ["watch"]}
    r.zones[CHANGED] = {"primaries": ["up"], "downstreams": ["late", "watch"]}
    r.server["listen"] = [f"127.0.0.1@{port}", f"127.0.0.3@{port}"]
    r.write()
    count = reload(r, how)
    assert {k: count[k] for k in ("zones", "added", "removed", "changed")} == \
        {"zones": 6, "added": 1, "removed": 2, "changed": 2}

    # What came and what went.
    for zone in (GONE, THIRD):
        assert rcode_of(s.at, zone) == rcode_of(s.at, zone, tcp=True) == "NOTAUTH"
        assert fakedownstream.axfr(zone, s.at).rcode == "NOTAUTH"
        assert r.ctl("zone", zone, check=False).returncode == 4
    r.wait_serial(ADDED, 5)
    r.wait_serial(MOVED, 5)     # it was 1 at the old primary: a new primary is asked at once
    assert not [q for q in s.primary.queries if q.zone == MOVED + "."]
    assert serial_at(port, ZONE, "127.0.0.3") == 1
    assert nobody_at("127.0.0.2", port)
    assert tell(s.at, ZONE, source=third.host).rcode == "REFUSED"
    assert tell(s.at, ZONE, source=second.host).rcode == "REFUSED"
    assert tell(s.at, MOVED, source=PRIMARY).rcode == "REFUSED"
    assert tell(s.at, MOVED, source=second.host).rcode == "NOERROR"
    assert old.axfr(CHANGED, s.at).rcode == "REFUSED"
    assert late.axfr(CHANGED, s.at).ok and late.axfr(ZONE, s.at).rcode == "REFUSED"
    old.forget()
    s.update(["new A 192.0.2.9"], zone=CHANGED)
    late.wait_hint(CHANGED, 2)

    # What was there goes on.
    z = r.json("zone", SLOW_ZONE)
    assert z["zone"]["activity"] == "transferring" and z["zone"]["transfer"] == "AXFR", z["verdict"]
    gate.open.set()
    r.wait_serial(SLOW_ZONE, 2)
    assert s.axfr(SLOW_ZONE).keys() == s.content(SLOW_ZONE)
    assert not [q for q in s.primary.queries if q.zone == SLOW_ZONE + "."], "it was not begun again"
    assert [t["error"] for t in r.json("transfers", SLOW_ZONE) if t["direction"] == "in"] == [None, None]
    out.widen()
    out.finish()
    out.close()
    assert fetched.transfer.ok and fetched.transfer.keys() == s.content(BIG), fetched.transfer.broken
    idle_query(idle, ZONE)
    assert r.json("zone", ZONE)["zone"] == before
    time.sleep(0.5)     # nothing else happens
    assert not [q for q in s.primary.queries if q.zone in (ZONE + ".", BIG + ".", SLOW_ZONE + ".")]
    assert not old.notifies
    r.restart()
    assert r.serial(MOVED) == 5 and rcode_of(s.at, GONE) == "NOTAUTH"


def idle_query(sock, zone):
    """An SOA query on a connection that is there already."""
    q = fakedownstream.query(zone, dns.rdatatype.SOA)
    write_frame(sock, q.to_wire())
    m = dns.message.from_wire(read_message(sock))
    sock.close()
    assert m.id == q.id and m.rcode() == dns.rcode.NOERROR and m.answer


def test_transfer_of_what_is_taken_away(lab):
    """A transfer whose zone, or whose primary, leaves is broken off; nothing of it is committed."""
    second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
    s = Scene(lab, {ZONE: zone_text(), GONE: zone_text(zone=GONE)}, more_primaries={
        "second": {"address": second.address}}, zone_conf={ZONE: {"primaries": ["up"]}, GONE: {"primaries": ["up"]}})
    second.add_zone(ZONE, zone_text(serial=9))
    for zone in (ZONE, GONE):
        s.settle(zone)
    gate = Gate(s.primary)
    s.primary.forget()
    for zone in (ZONE, GONE):
        s.primary.replace(zone, zone_text(serial=2, hosts=100, zone=zone))
        s.primary.once("AXFR", message_delay=1, records_per_message=10)
        s.relay.ctl("retransfer", zone)
    s.primary.wait_count("AXFR", 2)
    del s.relay.zones[GONE]
    s.relay.zones[ZONE] = {"primaries": ["second"]}
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.wait_serial(ZONE, 9)
    gate.open.set()
    s.settle()
    assert rcode_of(s.at, GONE) == "NOTAUTH"
    assert sorted(r.key() for r in second.zone(ZONE).content) == s.axfr().keys()
    assert not s.relay.events("committed", serial=2)
    s.relay.stop()
    check_db(s.relay.db)


@pytest.mark.parametrize("how", ["ctl", "ctl without the file", "SIGHUP"])
def test_bad_reload(lab, how):
    """The old configuration stays in force, as a whole; why is said to whoever asked, and in the log."""
    s = Scene(lab, {ZONE: zone_text(), GONE: zone_text(zone=GONE)})
    s.settle(ZONE)
    s.settle(GONE)
    with open(s.relay.conf) as f:
        good = f.read()
    port = free_port()
    with open(s.relay.conf, "w") as f:
        f.write(f"server:\n  listen: [127.0.0.1@{port}]\n  database: {s.relay.db}\n  control: {s.relay.sock}\n"
                f"  workers: 0\nprimaries: {{up: {{address: {PRIMARY}@{s.primary.port}}}}}\nzones:\n"
                f"  {ZONE}: {{}}\n  new.test: {{primary: up}}\n"
                + "".join(f"  bad..{i}: {{}}\n" for i in range(8)))
    want = [f"{s.relay.conf}:5:12: workers: 0 is not between 1 and 64",
            f"{s.relay.conf}:9:14: unknown key 'primary' of a zone"]
    want += [f"{s.relay.conf}:{10 + i}:3: 'bad..{i}' is not a domain name: an empty label" for i in range(8)]
    if how == "SIGHUP":
        s.relay.process.proc.send_signal(signal.SIGHUP)
    else:
        # With the paths given, it is the daemon that finds the faults.
        where = ["-d", s.relay.db, "-s", s.relay.sock] if "without" in how else ["-c", s.relay.conf]
        p = subprocess.run([CTL, *where, "reload"], capture_output=True, text=True, timeout=60 * SLOW, check=False)
        assert (p.returncode, p.stdout) == (2, ""), p
        assert p.stderr.splitlines()[:-1] == ["zonerelayctl: " + w for w in want], p.stderr
    if how != "ctl":    # else the daemon was not even asked
        s.relay.wait_event("reload-failed")
        assert [e["text"] for e in s.relay.events("config-problem")] == want
    assert not s.relay.events("reloaded")
    for zone in (ZONE, GONE):
        assert s.relay.serial(zone) == 1
    assert nobody_at("127.0.0.1", port)
    s.update(["new A 192.0.2.9"], zone=GONE)
    s.down.wait_hint(GONE, 2)
    # Mended.
    with open(s.relay.conf, "w") as f:
        f.write(good)
    assert reload(s.relay, how.split()[0]) == {**({"kind": "order"} if how != "SIGHUP" else {}),
                                               "zones": 2, "added": 0, "removed": 0, "changed": 0}


def test_reload_of_what_cannot_be(lab):
    """What needs a restart stays, and is said as long as it differs; an address that is taken is said, and the rest
    is applied."""
    s = Scene(lab)
    s.settle()
    good = dict(s.relay.server)
    where = ["-s", s.relay.sock, "-d", s.relay.db]
    fixed = {"server.workers", "server.control", "server.database", "server.confine"}

    def keys():
        return [e["key"] for e in s.relay.events("reload-needs-restart")]

    with Busy() as busy:
        more = {"workers": 5, "control": s.relay.sock + "2", "database": s.relay.db + "2", "confine": False}
        s.relay.server.update(more, listen=[s.relay.address, f"127.0.0.1@{busy.port}"])
        s.relay.zones["new.test"] = {}
        s.relay.write()
        s.relay.process.proc.send_signal(signal.SIGHUP)
        s.relay.wait_event("reloaded", added=1)
        assert sorted(keys()) == sorted(fixed)
        [e] = s.relay.events("listen-failed")
        assert f"127.0.0.1@{busy.port}" in e["reason"] and e.level == "error"
        # Who asks for it is told, and again: nothing of it has changed.
        p = s.relay.ctl(*where, "reload")
        assert p.stdout == "2 zones: 0 added, 0 removed, 0 changed\n"
        told = p.stderr.splitlines()
        assert len(told) == 5 and f"127.0.0.1@{busy.port}" in told[-1], told
        assert {t.split()[1] for t in told[:-1]} == fixed and all("restart" in t for t in told[:-1]), told
        assert sorted(keys()) == sorted([*fixed, *fixed])
    assert s.relay.serial(ZONE) == 1 and not os.path.exists(s.relay.db + "2")
    p = s.relay.ctl(*where, "reload")     # the port is free now
    assert p.stdout == "2 zones: 0 added, 0 removed, 0 changed\n"
    assert serial_at(busy.port, ZONE) == 1
    # As it runs: there is nothing to be restarted for.
    s.relay.server.clear()
    s.relay.server.update(good)
    s.relay.write()
    before = keys()
    assert s.relay.ctl("reload").stderr == "" and keys() == before


# ---- a list of zones ----

COUNT = 2000


def many(n, serial=1):
    """name -> Records, made without a parser."""
    soa = dns.rdata.from_text(IN, "SOA", f"ns.example. host.example. {serial} 3600 600 604800 300")
    ns = dns.rdata.from_text(IN, "NS", "ns.example.")
    a = dns.rdata.from_text(IN, "A", "192.0.2.1")
    for i in range(n):
        apex = dns.name.from_text(f"zone{i}.customers.test.")
        yield f"zone{i}.customers.test", [Record(apex, 3600, soa), Record(apex, 3600, ns),
                                          Record(dns.name.Name((b"www",) + apex.labels), 300, a)]


def soa_answers(at, names, window=64):
    """name -> (rcode, serial) of an SOA query over UDP for each."""
    out, waiting = {}, {}
    todo = list(enumerate(names))[::-1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(at)
        end = time.monotonic() + 30 * SLOW
        while (todo or waiting) and time.monotonic() < end:
            while todo and len(waiting) < window:
                i, name = todo.pop()
                labels = b"".join(bytes([len(x)]) + x for x in name.encode().split(b"."))
                sock.send(struct.pack("!6H", i, 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 6, 1))
                waiting[i] = name
            if not select.select([sock], [], [], 1.0)[0]:
                todo += waiting.items()
                waiting.clear()
                continue
            m = dns.message.from_wire(sock.recv(4096))
            if m.id in waiting:
                out[waiting.pop(m.id)] = (dns.rcode.to_text(m.rcode()), m.answer[0][0].serial if m.answer else None)
    return out


def test_zone_list(lab):
    """2,000 zones of a list: loaded, there again after a restart, and served; some removed and put back."""
    primary = lab.add(FakePrimary(PRIMARY, free_port()).start())
    for name, records in many(COUNT + 5):
        primary.add_zone(name, records)
    names = [f"zone{i}.customers.test" for i in range(COUNT + 5)]
    r = Relay(lab, primaries={"up": {"address": primary.address, "soa-rate": 5000, "max-transfers": 16}},
              downstreams={"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}, server={"soa-rate": 5000})
    listed = os.path.join(r.dir, "zones.txt")
    at = (r.host, r.port)

    def write(which):
        with open(listed, "w") as f:
            f.write("# customers\n\n" + "".join(f"{n}\n" for n in which))
        r.write()
        with open(r.conf) as f:
            text = f.read()
        with open(r.conf, "w") as f:
            f.write(text.rstrip()[:-1] + ', "zone-lists": [{"file": "zones.txt"}]}\n')

    write(names[:COUNT])
    r.start()
    wait_for(lambda: r.json("status")["states"] == [{"state": "current", "zones": COUNT}], 60, "all zones", every=0.2)
    served = {n: ("NOERROR", 1) for n in names[:COUNT]}
    assert soa_answers(at, names[:COUNT]) == served
    assert primary.count("AXFR") == COUNT
    content = {n: sorted(x.key() for x in primary.zone(n).content) for n in names[::100]}
    assert all(fakedownstream.axfr(n, at).keys() == c for n, c in content.items() if n in served)
    r.stop()
    assert len(check_db(r.db)) == COUNT

    # There again, whoever else is there or not, and nobody is bothered.
    primary.stop()
    r.start()
    assert soa_answers(at, names[:COUNT]) == served
    assert all(fakedownstream.axfr(n, at).keys() == c for n, c in content.items() if n in served)
    primary.start()
    primary.forget()

    # Ten leave, five come.
    write(names[10:])
    assert r.json("reload") == {"kind": "order", "zones": COUNT - 5, "added": 5, "removed": 10, "changed": 0}
    gone = {n: ("NOTAUTH", None) for n in names[:10]}
    assert soa_answers(at, names[:10]) == gone
    for n in names[10 + COUNT - 10:]:
        r.wait_serial(n, 1)
    now = {n: ("NOERROR", 1) for n in names[10:]}
    assert soa_answers(at, names) == {**gone, **now}
    assert {q.zone.rstrip(".") for q in primary.queries} == set(names[COUNT:]), "only the new ones were asked for"
    assert len(r.json("zones")) == COUNT - 5
    r.restart()
    assert soa_answers(at, names) == {**gone, **now}

    # Back again: from the store, nobody else has them.
    primary.stop()
    write(names)
    assert r.json("reload") == {"kind": "order", "zones": COUNT + 5, "added": 10, "removed": 0, "changed": 0}
    wait_for(lambda: soa_answers(at, names[:10]) == {n: ("NOERROR", 1) for n in names[:10]}, 10, "they are back")
    assert fakedownstream.axfr(names[0], at).keys() == content[names[0]]
    assert r.json("zone", names[0])["zone"]["version"] == 1
    r.stop()
    assert len(check_db(r.db)) == COUNT + 5


def test_back_again_is_checked(lab):
    """A zone that was put back may have missed NOTIFYs: it is asked about at once (A-19)."""
    s = Scene(lab)
    s.settle()
    conf = s.relay.zones.pop(ZONE)
    s.relay.write()
    s.relay.ctl("reload")
    assert rcode_of(s.at, ZONE) == "NOTAUTH" and tell(s.at, ZONE).rcode == "NOTAUTH"
    s.primary.update(ZONE, ["new A 192.0.2.9"])
    s.primary.forget()
    hold = threading.Event()
    s.primary.once("SOA", hold=hold)
    s.relay.zones[ZONE] = conf
    s.relay.write()
    s.relay.ctl("reload")
    s.primary.wait_count("SOA", 1)
    assert s.relay.serial(ZONE) == 1, "served while it is checked"
    hold.set()
    s.relay.wait_serial(ZONE, 2)
    assert s.primary.count("IXFR") == 1 and s.primary.count("AXFR") == 0
    s.down.wait_hint(ZONE, 2)
