# SPDX-License-Identifier: BSD-2-Clause
"""What those may do to us who connect to us: by the thousand, in crumbs, or without reading what they asked for.

Nothing of it keeps a NOTIFY of a primary from its answer, or a zone from being transferred.
"""

import contextlib
import os
import select
import socket
import struct
import time

import pytest

from fakedownstream import Connection, query
from fakewire import AXFR
from lab import SLOW, wait_for
from scene import DOWNSTREAM, STRANGER, ZONE, Scene, large_zone, look

MIB = 1 << 20
BIG = {"records": 2000, "size": 1200}       # 2.4 MB


def open_fds(relay):
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


def with_descriptors(scene, count):
    """The daemon gets no more descriptors than this."""
    p = scene.relay.process
    p.argv = ["sh", "-c", f'ulimit -n {count} && exec "$@"', "sh", *p.argv]
    return scene


@contextlib.contextmanager
def crowd(at, count, source, octets=b"", kind=socket.SOCK_STREAM):
    """So many connections from an address, or from a list of them, each of which sends these octets."""
    sources = [source] if isinstance(source, str) else source
    socks = []
    try:
        for i in range(count):
            s = socket.socket(socket.AF_INET, kind)
            socks.append(s)
            s.bind((sources[i % len(sources)], 0))
            s.settimeout(5 * SLOW)
            s.connect(at)
            if octets:
                with contextlib.suppress(OSError):
                    s.sendall(octets)
        yield socks
    finally:
        for s in socks:
            s.close()


def closed(socks, wait=0.0):
    """How many of them the other side has closed."""
    time.sleep(wait)
    n = 0
    for s in socks:
        s.setblocking(False)
        try:
            n += s.recv(65536) == b""
        except BlockingIOError:
            pass
        except OSError:
            n += 1
    return n


def answered(s, **how):
    """Seconds until a genuine NOTIFY has its NOERROR."""
    start = time.monotonic()
    a = s.notify(**how)
    assert a is not None and a.rcode == "NOERROR", a
    return time.monotonic() - start


# ---- descriptors ----


@pytest.mark.parametrize("who", ["strangers", "downstreams", "both"])
def test_more_connections_than_descriptors(lab, who):
    """TB-12: NOTIFY, SOA query and transfer go on when others hold every descriptor they can get."""
    s = with_descriptors(Scene(lab, server={"tcp-clients": 100000, "tcp-per-client": 100000, "tcp-idle": "1h"},
                               primary={"soa-tcp": True, "ixfr": False}, start=False), 200)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    sources = {"strangers": STRANGER, "downstreams": DOWNSTREAM, "both": [STRANGER, DOWNSTREAM]}[who]
    before = open_fds(s.relay)
    with crowd(s.at, 1000, sources) as socks:
        wait_for(lambda: closed(socks) > 500, 10, "most to be turned away")
        held = open_fds(s.relay)
        assert 100 < held < 160, held
        for _ in range(3):
            s.update([f"n{time.monotonic_ns()} 300 A 192.0.2.9"])   # new connections to the primary, each time
            s.primary.drop_connections()
        if who == "strangers":      # room is kept for those we know
            assert s.down.axfr(ZONE, s.at).keys() == s.content()
        assert answered(s) < 1 * SLOW
    wait_for(lambda: open_fds(s.relay) <= before + 4, 10, "descriptors to be free again")
    assert s.axfr().keys() == s.content()


def test_descriptor_limit_is_raised(lab):
    """As many as the system grants, whatever the shell said."""
    s = Scene(lab, start=False)
    p = s.relay.process
    p.argv = ["sh", "-c", 'ulimit -Sn 128 && exec "$@"', "sh", *p.argv]
    s.relay.start()
    with open(f"/proc/{s.relay.process.pid}/limits") as f:
        soft, hard = next(line.split()[3:5] for line in f if line.startswith("Max open files"))
    assert soft == hard and (soft == "unlimited" or int(soft) > 128)


# ---- slow and half-open ----


HALF = {
    "nothing": b"",
    "half a length": b"\x01",
    "a length": b"\xff\xff",
    "half a message": b"\x00\x40" + bytes(30),
    "a message without sense": b"\x00\x0c" + b"\xff" * 12,
    "NOTIFY that does not end": b"\x00\x40\x12\x34\x24\x00\x00\x01" + bytes(20),
}


def test_half_open(lab):
    """TB-05, TB-07, TC-08: whoever begins and does not go on is gone after the idle time, however many."""
    s = Scene(lab, server={"tcp-idle": "2s", "tcp-clients": 10000, "tcp-per-client": 10000})
    base = s.relay.rss_peak()
    with contextlib.ExitStack() as stack:
        start = time.monotonic()
        socks = [x for octets in HALF.values()
                 for x in stack.enter_context(crowd(s.at, 250, [STRANGER, DOWNSTREAM], octets))]
        assert answered(s) < 0.5 * SLOW
        assert s.axfr().ok
        wait_for(lambda: s.relay.json("status")["daemon"]["tcp_in"] == 0, 15, "nobody left")
        assert time.monotonic() - start < 2 + 8 * SLOW
        assert closed(socks) >= len(socks) - 250       # answers are read first
    if SLOW == 1:
        assert s.relay.rss_peak() - base < 48 * MIB, (s.relay.rss_peak() - base) >> 20


def test_crumbs_by_the_hundred(lab):
    """TC-08: an octet now and then does not make a message; the time for a whole one runs on."""
    s = Scene(lab, server={"tcp-idle": "2s", "tcp-clients": 1000, "tcp-per-client": 1000})
    with crowd(s.at, 300, STRANGER, b"\x40\x00") as socks:
        end = time.monotonic() + 4 * SLOW
        while time.monotonic() < end:
            for x in socks:
                with contextlib.suppress(OSError):
                    x.send(b"\0")
            time.sleep(0.3)
        assert closed(socks) == 300
        assert answered(s) < 0.5 * SLOW


def test_resets_by_the_hundred(lab):
    """X-41: reset in every phase, also in the middle of a stream; nothing is left of them."""
    s = Scene(lab, {ZONE: large_zone(**BIG)})
    wire = query(ZONE, AXFR).to_wire()
    ask = struct.pack("!H", len(wire)) + wire
    before = open_fds(s.relay)
    for octets, wait in ((b"", 0), (ask[:10], 0), (ask, 0), (ask, 0.01), (ask * 3, 0.02)):
        for _ in range(40):
            with crowd(s.at, 1, DOWNSTREAM, octets) as [x]:
                time.sleep(wait)
                x.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(lambda: s.relay.json("status")["daemon"]["transfers_out"] == 0, 10, "no stream left")
    wait_for(lambda: open_fds(s.relay) <= before + 2, 10, "no descriptor left")
    assert s.axfr().keys() == s.content()


# ---- readers that do not read ----


END = {
    "time": ({"min-rate": 0}, {"max-transfer-time-out": "5s"}, "not finished after 5 s"),
    "rate": ({"min-rate": "10MiB", "min-rate-time": "5s"}, {}, "takes less than 10485760 octets in 5 s"),
    "stall": ({"min-rate": 0, "tcp-stall": "5s"}, {}, "takes nothing of what is sent"),
}


@pytest.mark.parametrize("what", sorted(END))
def test_two_hundred_that_do_not_read(lab, what):
    """An octet now and then from 200 streams while the zone changes: memory, WAL and time are bounded, and what
    old versions took is given back."""
    server, template, word = END[what]
    s = Scene(lab, {ZONE: large_zone(**BIG)}, server=dict(server, **{"tcp-clients": 300}), template=template,
              primary={"ixfr": False})
    base = s.relay.rss_peak()
    wire = query(ZONE, AXFR).to_wire()
    with contextlib.ExitStack() as stack:
        readers = []
        for _ in range(200):
            c = stack.enter_context(Connection(s.at, source=DOWNSTREAM, window=4096))
            c.sock.sendall(struct.pack("!H", len(wire)) + wire)
            readers.append(c)
        wait_for(lambda: s.relay.json("status")["daemon"]["transfers_out"] == 200, 10, "200 streams")
        wal = 0
        for serial in range(2, 7):
            s.primary.replace(ZONE, large_zone(serial, fill=chr(ord("a") + serial), **BIG), keep_history=False)
            assert answered(s) < 0.5 * SLOW
            s.relay.wait_serial(ZONE, serial)
            wal = max(wal, os.path.getsize(s.relay.db + "-wal"))
            for c in readers:
                with contextlib.suppress(OSError):
                    c.sock.recv(1, socket.MSG_DONTWAIT)
        assert wal < 64 * MIB, wal
        failed = s.relay.wait_event("serve-failed", 200, 30)
        assert len([e for e in failed if word in e["reason"]]) >= 195, failed[0]
        assert s.relay.json("status")["daemon"]["transfers_out"] == 0
    if SLOW == 1:
        assert s.relay.rss_peak() - base < 52 * MIB, (s.relay.rss_peak() - base) >> 20
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM segment WHERE died IS NOT NULL")[0][0] == 0, 20,
             "old versions to be swept")
    assert s.axfr().keys() == s.content()


def test_slow_but_fast_enough(lab):
    """Who keeps to the rate gets the whole zone."""
    s = Scene(lab, {ZONE: large_zone(**BIG)}, server={"min-rate": "64KiB", "min-rate-time": "1s", "tcp-stall": "1s"})
    with Connection(s.at, timeout=30 * SLOW, source=DOWNSTREAM, window=4096) as c:
        t = c.send(query(ZONE, AXFR))
        while not t.done:
            c.read()
            time.sleep(0.02)
        assert t.transfer.keys() == s.content() and t.transfer.seconds > 3


def test_answers_that_are_not_read(lab):
    """Questions without end from one who reads no answer: no more is taken from it, and it ends."""
    s = Scene(lab, server={"tcp-stall": "3s", "min-rate": 0})
    base = s.relay.rss_peak()
    wire = query(ZONE, "SOA").to_wire()
    piece = (struct.pack("!H", len(wire)) + wire) * 500
    with crowd(s.at, 20, DOWNSTREAM) as socks:
        for x in socks:
            x.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            x.setblocking(False)
        sent, end = 0, time.monotonic() + 3 * SLOW
        while time.monotonic() < end:
            _, ready, _ = select.select([], socks, [], 0.2)
            for x in ready:
                with contextlib.suppress(OSError):
                    sent += x.send(piece)
            assert s.relay.process.alive()
        assert answered(s) < 0.5 * SLOW
        wait_for(lambda: s.relay.json("status")["daemon"]["tcp_in"] == 0, 20, "nobody left")
    if SLOW == 1:
        assert s.relay.rss_peak() - base < 64 * MIB, ((s.relay.rss_peak() - base) >> 20, sent)
