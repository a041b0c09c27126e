# SPDX-License-Identifier: BSD-2-Clause
"""Every allocation, every call to SQLite, every call to the kernel fails once, wherever the program makes it.

A run without faults notes all places (strike.c: the function with the seven frames that lead to it).  Then, for
each of them, the same scenario with a failure there: start, AXFR, NOTIFY, IXFR, NOTIFY(AXFR), serving, the control
socket, a reload, the end.  Allowed: it does not start and says why; it ends at "out of memory" where nobody but
ourselves decides the size (base/mem.h); a step fails and the zone heals by itself.  Never: another end, a mixed
version, an answered NOTIFY that is forgotten, a SIGTERM that is not obeyed.

FAULTS_SECONDS: how long, then a part of the places was visited (default 45, "all": every place with every error).
FAULTS_SEED: which part.  FAULTS_PART=2/8: of eight that together are everything, the second.
FAULTS_ONLY: only places whose description has this text.
"""

import errno
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import fakedownstream
from crashing import History, digest
from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from forcing import FREE, FREE_PRIMARY, FREE_SERVER
from lab import BUILD, CTL, DAEMON, SLOW, free_port, wait_for
from relay import Relay
from scene import DOWNSTREAM, PRIMARY, check_db, large_zone, zone_text
from strike import CLASSES, FAIL, Clock, Strike

SECONDS = os.environ.get("FAULTS_SECONDS", "45")
SECONDS = float("inf") if SECONDS == "all" else float(SECONDS)
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().getrandbits(32)
ONLY = os.environ.get("FAULTS_ONLY", "")
PART, PARTS = (int(n) for n in os.environ.get("FAULTS_PART", "1/1").split("/"))
NEVER = {"refresh": 20 * 86400, "retry": 2, "expire": 300 * 86400}
SMALL, LARGE, COMES = "small.test", "large.test", "comes.test"
PATIENCE = 700      # seconds of the daemon's time

NOMEM, IOERR, FULL, BUSY = 7, 10, 13, 5     # of SQLite
ERRORS = {
    "open": "EMFILE EIO EACCES", "fopen": "EMFILE EIO", "pread": "EIO", "pwrite": "ENOSPC EIO", "fsync": "EIO",
    "fdatasync": "EIO ENOSPC", "ftruncate": "EIO", "unlink": "EIO", "stat": "EIO", "lstat": "EIO", "fstat": "EIO",
    "access": "EACCES", "flock": "EINTR ENOLCK", "fchmod": "EPERM", "chmod": "EPERM", "realpath": "ENOMEM EIO",
    "mmap": "ENOMEM", "fcntl": "EIO EAGAIN", "read": "ECONNRESET EAGAIN", "write": "EAGAIN EIO",
    "readv": "ECONNRESET EAGAIN", "writev": "ECONNRESET EAGAIN ENOBUFS", "send": "ECONNRESET EAGAIN ENOBUFS",
    "sendto": "ENOBUFS EAGAIN ECONNREFUSED", "sendmsg": "ENOBUFS EAGAIN", "sendmmsg": "ENOBUFS EAGAIN",
    "recv": "ECONNRESET EAGAIN", "recvfrom": "ECONNREFUSED EAGAIN", "recvmsg": "ECONNREFUSED EAGAIN",
    "recvmmsg": "ECONNREFUSED EAGAIN", "socket": "EMFILE ENOBUFS", "bind": "EADDRINUSE", "listen": "EADDRINUSE",
    "connect": "ECONNREFUSED ENETUNREACH EMFILE", "accept4": "EMFILE ECONNABORTED", "shutdown": "ENOTCONN",
    "setsockopt": "ENOBUFS", "getsockopt": "ENOBUFS", "getsockname": "ENOBUFS", "epoll_create1": "EMFILE",
    "epoll_ctl": "ENOMEM", "epoll_wait": "EINTR", "eventfd": "EMFILE", "pipe2": "EMFILE", "getrandom": "EINTR",
    "pthread_create": "EAGAIN",
    # The kernel has no reason to let these fail but a counter that is full, or empty: then somebody has been woken.
    "eventfd_read": "EAGAIN", "eventfd_write": ""}


def in_seccomp(result):
    """libseccomp does not look whether it has got memory; the daemon is at its start then, and nothing has begun."""
    frames = [line for line in result.splitlines() if line.startswith("/") and "strike.so" not in line and "libc.so" not in line]
    return "status -11" in result and bool(frames) and "libseccomp.so" in frames[0]


def errors_of(site):
    if site.kind == "memory":
        return [errno.ENOMEM]
    if site.kind == "sql":
        return [NOMEM, IOERR, FULL, BUSY] if site.name in ("step", "exec") else [NOMEM, IOERR]
    return [getattr(errno, e) for e in ERRORS[site.name].split()]


class Violation(AssertionError):
    pass


class Bench:
    """The world in which one daemon after the other lives, each with a fault of its own."""

    def __init__(self, lab):
        self.lab = lab
        self.history = History()
        self.clock = Clock(lab)
        self.strike = Strike(lab, "strike", self.clock)
        self.primary = lab.add(FakePrimary(PRIMARY, free_port()).start())
        self.down = lab.add(FakeDownstream(DOWNSTREAM, free_port()).start())
        self.port = free_port()
        self.at = ("127.0.0.1", self.port)
        self.relay = None
        self.count = 0

    # ---- small steps ----

    def fresh(self):
        """A daemon that knows nothing yet, and a primary with first versions."""
        folder = os.path.join(self.lab.path, "relay")
        shutil.rmtree(folder, ignore_errors=True)
        self.lab.things[:] = [t for t in self.lab.things if t is not self.relay]
        self.primary.zones.clear()
        for z, content in ((SMALL, zone_text(zone=SMALL, hosts=3, **NEVER)),
                           (COMES, zone_text(zone=COMES, hosts=1, **NEVER)),
                           (LARGE, large_zone(zone=LARGE, records=40, size=1000, **NEVER))):
            self.primary.add_zone(z, content)
            self.history.note(z, self.primary.zone(z).content)
        self.down.forget()
        self.relay = Relay(
            self.lab, primaries={"up": dict(FREE_PRIMARY, address=self.primary.address)},
            downstreams={"down": {"address": self.down.address},
                         "watch": {"notify": False, "transfer-from": ["127.0.0.1"]}},
            zones=[SMALL, LARGE], port=self.port, env=self.strike.env, server=FREE_SERVER,
            templates={"default": dict(FREE, **{"refresh": "1s..52w", "retry": "1s..2w", "forced-splay": "0s"})})
        self.promised = {}      # zone -> digests of what the primary has had since it was promised

    def alive(self):
        return self.relay.process.alive()

    def until(self, condition, what, may_end=True):
        """Waits, with time passing by leaps.  False: the daemon has ended."""
        start, since = self.clock.seconds, time.monotonic()
        while not condition():
            if not self.alive():
                if may_end:
                    return False
                raise Violation(f"ended: {self.tail()}")
            if self.clock.seconds - start > PATIENCE:
                raise Violation(f"never happens: {what}")
            if time.monotonic() - since > 0.03 * SLOW:
                self.clock.jump(1.6)
                since = time.monotonic()
            time.sleep(0.003)
        return True

    def tail(self):
        return self.relay.process.output()[-3000:]

    def read(self, zone):
        """Digest of what is served, or None; always a version the primary had."""
        try:
            t = fakedownstream.axfr(zone, self.at, timeout=2 * SLOW)
        except OSError:
            return None
        if t.kind != "full":
            return None
        if not self.history.check(zone, t.records, t.serial, "read"):
            raise Violation(self.history.faults.pop())
        return digest(t.records)

    def start(self):
        """True when it answers."""
        self.relay.start(wait=False)

        began = time.monotonic()

        def up():
            return (" ready " in self.relay.process.output() or not self.alive()
                    or (time.monotonic() - began > SLOW and self.relay.serial(SMALL) is not None))
        wait_for(up, 20, "ready, or the end", every=0.002)
        return self.alive()

    def has(self, zone):
        return self.read(zone) == digest(self.primary.zone(zone).content)

    def announce(self, zone, qtype="SOA", tcp=False):
        a = self.primary.notify(zone, self.at, qtype, tcp=tcp, hint=self.count % 2 == 0, timeout=0.3 * SLOW)
        if a is not None and a.rcode == "NOERROR":
            self.promised[zone] = {digest(self.primary.zone(zone).content)}
            return True
        return False

    def change(self, zone, same=False):
        self.count += 1
        z = self.primary.zone(zone)
        self.primary.update(zone, [f"new{self.count} 300 A 192.0.2.9"], serial=z.serial if same else None)
        self.promised.get(zone, set()).add(self.history.note(zone, z.content))

    # ---- the scenario ----

    def scenario(self):
        """Ends early when the daemon does."""
        if not self.start():
            return
        for z in (SMALL, LARGE):
            # Nothing but its own memory leads to the first transfer: it is never announced.
            if not self.until(lambda z=z: self.has(z), f"{z} is loaded"):
                return
        for zone, qtype in ((SMALL, "SOA"), (LARGE, "SOA"), (SMALL, "AXFR")):
            self.change(zone, same=qtype == "AXFR")
            if self.announce(zone, qtype, tcp=zone == LARGE):
                if not self.until(lambda zone=zone: self.has(zone), f"{zone} after NOTIFY({qtype})"):
                    return
        self.serve()
        self.reload()
        if self.alive():
            self.stop()

    def serve(self):
        for tcp in (False, True):
            fakedownstream.soa(SMALL, self.at, tcp=tcp, timeout=0.3 * SLOW)
        for since in (1, 2):
            try:
                fakedownstream.ixfr(LARGE, self.at, since, timeout=SLOW)
            except OSError:
                pass
        self.ctl("status")
        self.ctl("zone", LARGE)
        self.ctl("transfers")

    def ctl(self, *args):
        subprocess.run([CTL, "-c", self.relay.conf, *args], capture_output=True, check=False, timeout=20 * SLOW)

    def reload(self):
        self.relay.zones = dict.fromkeys((SMALL, LARGE, COMES), {})
        self.relay.write()
        self.ctl("reload")
        end = time.monotonic() + 0.5 * SLOW
        while self.alive() and not self.has(COMES) and time.monotonic() < end:
            self.clock.jump(0.5)
            time.sleep(0.005)

    def stop(self):
        """SIGTERM is obeyed, whatever has failed."""
        for _ in range(3):      # what was lost may be the signal
            self.relay.process.proc.send_signal(signal.SIGTERM)
            try:
                self.relay.process.proc.wait(4 * SLOW)
                return
            except subprocess.TimeoutExpired:
                pass
        self.relay.process.kill(signal.SIGABRT)
        raise Violation(f"SIGTERM is not obeyed: {self.tail()}")

    # ---- what came of it ----

    def judge(self, kind):
        """Of a daemon that has ended: was it allowed to, in that way?"""
        status, said = self.relay.process.proc.returncode, self.relay.process.output()
        self.relay.may_end = True
        if status == 0:
            return "fine"
        if status == -signal.SIGABRT and kind == "memory" and said.rstrip().endswith("zonerelay: out of memory"):
            return "out of memory"
        if status in (1, 2) and " ready " not in said and said.strip():
            return "did not start"
        raise Violation(f"ended with status {status}: {said[-3000:]}")

    def heal(self):
        """Without faults, on what is left: what was promised comes by itself, all else when it is announced."""
        self.strike.disarm()
        if os.path.exists(self.relay.process.log):
            os.unlink(self.relay.process.log)
        if not self.start():
            raise Violation(f"does not start any more: {self.tail()}")
        for zone, d in self.promised.items():
            self.until(lambda zone=zone, d=d: self.read(zone) in d, f"{zone}, which was promised", False)
        self.settled()
        self.relay.may_end = True
        self.stop()
        if self.relay.process.proc.returncode != 0:
            raise Violation(f"ended with status {self.relay.process.proc.returncode}: {self.tail()}")
        check_db(self.relay.db)

    def settled(self):
        for zone in (SMALL, LARGE):
            self.until(lambda zone=zone: self.announce(zone, "AXFR"), f"NOTIFY of {zone} is answered", False)
            self.until(lambda zone=zone: self.has(zone), f"{zone} is served", False)
        self.until(lambda: self.owes() == (0, 0, 0), "nothing is owed", False)

    def owes(self):
        db = sqlite3.connect(f"file:{self.relay.db}?mode=ro", uri=True, timeout=30)
        try:
            return db.execute("SELECT (SELECT count(*) FROM mark), (SELECT count(*) FROM outbox),"
                              " (SELECT count(*) FROM staging)").fetchone()
        finally:
            db.close()

    def run(self, kind):
        """One daemon, armed; what became of it."""
        try:
            self.scenario()
            result = self.judge(kind)
            hits = self.strike["hits"]
            self.heal()
            return result if hits else "not met"
        except AssertionError as e:
            self.strike.disarm()
            if self.alive():
                self.relay.process.kill()
            self.relay.may_end = True
            return f"VIOLATION {e}"


def places(bench):
    """Where the program calls something, in the order of their numbers."""
    sites = {}
    for _ in range(3):
        bench.fresh()
        bench.strike.watch(CLASSES)
        bench.scenario()
        bench.strike.disarm()
        assert bench.judge("none") == "fine"
        for s in bench.strike.sites():
            sites.setdefault(s.number, s)
    return [sites[n] for n in sorted(sites)]


def where(sites):
    """{address: function file:line} of the program's own frames."""
    pcs = sorted({p for s in sites for p in s.pcs if p})
    binary = os.path.join(BUILD, ".libs", "zonerelayd") if os.path.exists(os.path.join(BUILD, ".libs")) else DAEMON
    try:
        p = subprocess.run(["addr2line", "-f", "-s", "-e", binary, *(hex(p - 1) for p in pcs)], capture_output=True,
                           text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    lines = p.stdout.split("\n")
    return {pc: f"{lines[2 * i]} {lines[2 * i + 1]}" for i, pc in enumerate(pcs)}


@pytest.mark.skipif(SLOW > 1, reason="sanitizers have their own memory")
def test_every_call_fails(lab):
    bench = Bench(lab)
    rng = random.Random(SEED)
    sites = places(bench)
    names = where(sites)
    # libseccomp does not survive a lack of memory; nothing has begun then.
    sites = [s for s in sites if s.kind != "memory" or not any("seccomp_enter" in names.get(p, "") for p in s.pcs)]
    # The first call from there, or a later one.
    todo = [(s, e, rng.choice((0, rng.randrange(s.calls)))) for s in sites for e in errors_of(s)][PART - 1::PARTS]
    if ONLY:
        todo = [t for t in todo if ONLY in t[0].name or any(ONLY in names.get(p, "") for p in t[0].pcs)]
    total, results, violations = len(todo), {}, []
    rng.shuffle(todo)
    start = time.monotonic()
    for n, (site, error, left) in enumerate(todo):
        if time.monotonic() - start > SECONDS:
            todo = todo[:n]
            break
        bench.fresh()
        bench.strike.arm(FAIL, (site.kind,), left, site, error)
        result = bench.run(site.kind)
        results[site.kind, result.split()[0]] = results.get((site.kind, result.split()[0]), 0) + 1
        if result.startswith("VIOLATION"):
            violations.append(f"{site.name} error {error} call {left}\n  from "
                              + "\n       ".join(names.get(p, hex(p)) for p in site.pcs if p) + f"\n  {result}")
            print(violations[-1], flush=True)
    print(f"FAULTS_SEED={SEED}: {len(sites)} places, {len(todo)} of {total} failures in"
          f" {time.monotonic() - start:.0f} s: {results}")
    assert not violations, f"{len(violations)} violations"
    assert todo


@pytest.mark.skipif(SLOW > 1, reason="sanitizers have their own memory")
def test_bad_times(lab):
    """Not one call fails but many in a row, anywhere."""
    bench = Bench(lab)
    rng = random.Random(SEED)
    bench.fresh()
    bench.strike.watch(CLASSES)
    bench.scenario()
    calls = {c: bench.strike[c] for c in CLASSES}
    bench.strike.disarm()
    start, n, violations = time.monotonic(), 0, []
    while time.monotonic() - start < min(SECONDS / 3, 600):
        n += 1
        kind = rng.choice(("memory", "sql", "disk"))
        error = {"memory": errno.ENOMEM, "sql": rng.choice((NOMEM, IOERR, FULL, BUSY)),
                 "disk": rng.choice((errno.EIO, errno.ENOSPC, errno.EMFILE))}[kind]
        # An attempt of the store is three failed calls, and the next one comes later and later.
        left, times = rng.randrange(calls[kind]), rng.randint(2, 30 if kind == "sql" else 100)
        bench.fresh()
        bench.strike.arm(FAIL, (kind,), left, None, error, times)
        result = bench.run(kind)
        if result.startswith("VIOLATION") and not in_seccomp(result):
            violations.append(f"{times} calls of {kind} from {left} on, error {error}: {result}")
            print(violations[-1], flush=True)
    print(f"FAULTS_SEED={SEED}: {n} bad times")
    assert not violations, f"{len(violations)} violations"
