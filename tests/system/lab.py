# SPDX-License-Identifier: BSD-2-Clause
"""Processes, ports and waiting for the system tests.

Everything listens on loopback.  A Lab belongs to one test: it hands out ports, starts
processes in the test's folder, and ends the ones it started, by pid.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone

BUILD = os.environ.get("ZONERELAY_BUILD", os.path.abspath("."))
DAEMON = os.environ.get("ZONERELAYD", os.path.join(BUILD, "zonerelayd"))
CTL = os.environ.get("ZONERELAYCTL", os.path.join(BUILD, "zonerelayctl"))
# Sanitizers and valgrind make everything slower; all waiting is multiplied by this.
SLOW = float(os.environ.get("ZONERELAY_TEST_SLOW", "1"))


def which(name):
    """Path of a server, also where root's PATH looks; None when it is not installed."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    return None


def compiled(lab, source, made, *how):
    """A program or library of a C file beside this one, compiled once for a test; its path."""
    path = os.path.join(lab.path, made)
    if not os.path.exists(path):
        given = os.environ.get("CC", "").split()[-1:]
        cc = next(c for c in given + [which("cc"), which("gcc"), which("clang")] if c)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), source)
        subprocess.run([cc, "-D_GNU_SOURCE", "-O2", "-o", path, source, *how], check=True)
    return path


def wait_for(condition, timeout=10.0, what="condition", every=0.01):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout * SLOW:g} s: {what}")
        time.sleep(every)


_ports = itertools.count(os.getpid() * 131)


def free_port():
    """A port that is free for both UDP and TCP on loopback, v4 and v6.

    Below the range from which the kernel draws ports for clients, so that nobody is given it before the
    server that it is meant for has started; each process begins somewhere else.
    """
    for _ in range(1000):
        port = 10000 + next(_ports) % 22000
        try:
            for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(family, kind) as s:
                        if family == socket.AF_INET6:
                            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        s.bind((host, port))
            return port
        except OSError:
            continue
    raise AssertionError("no free port")


class Process:
    """One process with its output in a file."""

    def __init__(self, argv, log, cwd, env=None):
        self.argv = argv
        self.log = log
        self.cwd = cwd
        self.env = dict(os.environ, **(env or {}))
        self.proc = None

    def start(self):
        assert self.proc is None or self.proc.poll() is not None
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(self.argv, cwd=self.cwd, stdin=subprocess.DEVNULL,
                                         stdout=out, stderr=out, env=self.env)
        return self

    @property
    def pid(self):
        return self.proc.pid

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def kill(self, sig=signal.SIGKILL):
        if self.alive():
            self.proc.send_signal(sig)
        return self.proc.wait(60 * SLOW)

    def stop(self, timeout=20):
        """SIGTERM, and the exit status; SIGKILL when it does not end."""
        if not self.alive():
            return self.proc.returncode if self.proc else None
        self.proc.terminate()
        try:
            return self.proc.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait(10)
            raise AssertionError(f"{self.argv[0]} did not end after SIGTERM") from None

    def output(self):
        with open(self.log, "r", errors="replace") as f:
            return f.read()


class Lab:
    """What one test has running."""

    def __init__(self, path):
        self.path = str(path)
        self.things = []
        os.chmod(self.path, 0o755)

    def folder(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        return path

    def add(self, thing):
        self.things.append(thing)
        return thing

    def close(self):
        failures = []
        for thing in reversed(self.things):
            try:
                thing.stop()
            except Exception as e:  # pylint: disable=broad-except
                failures.append(f"{thing}: {e}")
        return failures

    def logs(self):
        for thing in self.things:
            proc = getattr(thing, "process", None)
            if proc is not None and os.path.exists(proc.log):
                yield proc.log, proc.output()[-6000:]


# ---- asking ----


def ask(port, name, rdtype, host="127.0.0.1", tcp=False, timeout=2.0):
    """One query without recursion; None when nothing answers."""
    q = dns.message.make_query(name, rdtype)
    q.flags &= ~dns.flags.RD
    send = dns.query.tcp if tcp else dns.query.udp
    try:
        return send(q, host, port=port, timeout=timeout * SLOW)
    except (dns.exception.DNSException, OSError, EOFError):
        return None


def serial_at(port, zone, host="127.0.0.1"):
    """Serial of the zone, or None."""
    r = ask(port, zone, "SOA", host, timeout=0.5)
    if r is None or r.rcode() != dns.rcode.NOERROR:
        return None
    for rrset in r.answer:
        if rrset.rdtype == dns.rdatatype.SOA:
            return rrset[0].serial
    return None


def wait_serial(port, zone, serial, timeout=20, host="127.0.0.1"):
    wait_for(lambda: serial_at(port, zone, host) == serial, timeout,
             f"{zone} with serial {serial} at port {port} (it has {serial_at(port, zone, host)})")


def records(port, zone, host="127.0.0.1", timeout=60):
    """All records by AXFR, as a sorted list of (owner lower case, ttl, type, wire of RDATA)."""
    out = []
    q = dns.message.make_query(zone, "AXFR")
    q.flags = 0
    for m in axfr_messages(q, host, port, timeout):
        for rrset in m.answer:
            for rd in rrset:
                out.append((str(rrset.name).lower(), rrset.ttl, rrset.rdtype, rd.to_wire()))
    soas = [r for r in out if r[2] == dns.rdatatype.SOA]
    assert len(soas) >= 2 and soas[0] == soas[-1], "transfer does not end with its SOA"
    out.remove(soas[0])
    return sorted(out)


def axfr_messages(query, host, port, timeout=60):
    """Messages of the answer to a transfer query, as dnspython parses them one by one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    end = time.monotonic() + timeout * SLOW
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(timeout * SLOW)
        s.connect((host, port))
        wire = query.to_wire()
        s.sendall(len(wire).to_bytes(2, "big") + wire)
        soa = None
        while time.monotonic() < end:
            m = dns.message.from_wire(read_message(s), one_rr_per_rrset=True)
            assert m.id == query.id
            if m.rcode() != dns.rcode.NOERROR:
                raise AssertionError(f"transfer refused: {dns.rcode.to_text(m.rcode())}")
            yield m
            for rrset in m.answer:
                if rrset.rdtype != dns.rdatatype.SOA:
                    continue
                if soa is None:
                    soa = rrset[0]
                elif rrset[0] == soa:
                    return
        raise AssertionError("transfer does not end")


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError("connection closed")
        data += piece
    return data


def read_message(s):
    """One message with its length in front from a TCP socket."""
    return read_exactly(s, int.from_bytes(read_exactly(s, 2), "big"))


if sys.version_info < (3, 9):
    raise SystemExit("Python 3.9 or later is needed")
