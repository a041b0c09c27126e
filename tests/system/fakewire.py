# SPDX-License-Identifier: BSD-2-Clause
"""What the fake primary and the fake downstream share: records, framing, NOTIFY, listening.

DNS messages are built and read with dnspython; nothing here knows zonerelay.
"""

import os
import socket
import struct
import threading
import time
from typing import NamedTuple, Optional

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

IN = dns.rdataclass.IN
SOA = dns.rdatatype.SOA
AXFR = dns.rdatatype.AXFR
IXFR = dns.rdatatype.IXFR
KEEPALIVE = 11
EDE = 15
# Sanitizers make everything slower; waiting is multiplied by this.
SLOW = float(os.environ.get("ZONERELAY_TEST_SLOW", "1"))


class Record(NamedTuple):
    """One resource record.  Compares names without regard to case, as dnspython does."""

    name: dns.name.Name
    ttl: int
    rdata: dns.rdata.Rdata

    @property
    def type(self):
        return dns.rdatatype.to_text(self.rdata.rdtype)

    def rrset(self):
        return dns.rrset.from_rdata(self.name, self.ttl, self.rdata)

    def key(self, fold=False):
        """Everything about it, octet by octet: for comparing and sorting.  fold: owner in lower case."""
        owner = self.name.canonicalize() if fold else self.name
        return (owner.to_wire(), self.rdata.rdclass, self.rdata.rdtype, self.ttl, self.rdata.to_wire())

    def __str__(self):
        return f"{self.name} {self.ttl} {self.type} {self.rdata}"


def record(text, origin):
    """"www 300 A 192.0.2.1" -> Record.  The TTL may be left out (3600)."""
    origin = name(origin)
    owner, rest = text.split(None, 1)
    ttl = 3600
    first, _, tail = rest.partition(" ")
    if first.isdigit():
        ttl, rest = int(first), tail
    if rest.startswith("IN "):
        rest = rest[3:]
    rdtype, _, rdata = rest.partition(" ")
    owner = origin if owner == "@" else dns.name.from_text(owner, origin)
    return Record(owner, ttl, dns.rdata.from_text(IN, rdtype, rdata, origin, relativize=False))


def records_of(text, origin):
    """A zone file in a string -> list of Records, the SOA first."""
    zone = dns.zone.from_text(text, name(origin), relativize=False, check_origin=False)
    out = [Record(owner, rdataset.ttl, rdata)
           for owner, rdataset in zone.iterate_rdatasets() for rdata in rdataset]
    return sorted(out, key=lambda r: r.rdata.rdtype != SOA)


def name(text):
    return text if isinstance(text, dns.name.Name) else dns.name.from_text(text)


def serial_gt(a, b):
    """RFC 1982."""
    return a != b and (a - b) % 2**32 < 2**31


def expire_option(seconds=None):
    return dns.edns.GenericOption(dns.edns.OptionType.EXPIRE,
                                  b"" if seconds is None else struct.pack("!I", seconds))


def keepalive_option(tenths=None):
    return dns.edns.GenericOption(KEEPALIVE, b"" if tenths is None else struct.pack("!H", tenths))


def option(message, code):
    """Octets of an EDNS option, or None."""
    for o in message.options:
        if o.otype == code:
            return o.to_wire()
    return None


def expire_of(message):
    """Seconds in the EXPIRE option, or None."""
    data = option(message, dns.edns.OptionType.EXPIRE)
    return struct.unpack("!I", data)[0] if data is not None and len(data) == 4 else None


def ede_of(message):
    """Code of the Extended DNS Error, or None."""
    data = option(message, EDE)
    return struct.unpack("!H", data[:2])[0] if data else None


# ---- sockets ----


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def read_exactly(sock, n):
    """n octets, or EOFError."""
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise EOFError("connection closed")
        data += piece
    return data


def read_frame(sock):
    return read_exactly(sock, struct.unpack("!H", read_exactly(sock, 2))[0])


def write_frame(sock, wire):
    sock.sendall(struct.pack("!H", len(wire)) + wire)


def exchange(wire, to, tcp=False, timeout=5.0, source=None):
    """Sends octets, returns the octets of the first answer with the same ID, or None."""
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(family_of(to[0]), kind) as sock:
        if source is not None:
            sock.bind((source, 0))
        sock.settimeout(timeout)
        end = time.monotonic() + timeout
        try:
            sock.connect(to)
            if tcp:
                write_frame(sock, wire)
            else:
                sock.send(wire)
            while time.monotonic() < end:
                answer = read_frame(sock) if tcp else sock.recv(65535)
                if answer[:2] == wire[:2]:
                    return answer
        except (OSError, EOFError):
            pass
    return None


class NotifyAnswer(NamedTuple):
    """What came back for a NOTIFY."""

    rcode: str
    aa: bool
    ede: Optional[int]
    seconds: float
    message: dns.message.Message


def notify_query(zone, qtype="SOA", hint=None):
    """A NOTIFY; `hint` is a Record put into the answer section."""
    q = dns.message.make_query(name(zone), qtype)
    q.flags = dns.flags.AA
    q.set_opcode(dns.opcode.NOTIFY)
    if hint is not None:
        q.answer.append(hint.rrset())
    return q


def send_notify(query, to, tcp=False, timeout=5.0, source=None):
    """Sends a NOTIFY (a dnspython message, or octets) once.  None: no answer."""
    wire = query if isinstance(query, bytes) else query.to_wire()
    start = time.monotonic()
    answer = exchange(wire, to, tcp, timeout, source)
    if answer is None:
        return None
    m = dns.message.from_wire(answer)
    return NotifyAnswer(dns.rcode.to_text(m.rcode()), bool(m.flags & dns.flags.AA), ede_of(m),
                        time.monotonic() - start, m)


class Listener:
    """UDP and TCP on one port, each request given to handle() in a thread of its own.

    handle(wire, reply, transport, source, conn) is the subclass's; reply(octets) answers.  conn is a
    dict that lives as long as the connection (empty and new for each datagram); conn["close"] = True ends it.
    """

    def __init__(self, host="127.0.0.1", port=0):
        self.host = host
        self.port = port
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.stopping = False
        self._sockets = set()
        self._threads = []
        self._udp = self._tcp = None

    @property
    def address(self):
        return f"{self.host}@{self.port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.stop()

    def handle(self, wire, reply, transport, source, conn):
        raise NotImplementedError

    def start(self):
        for _ in range(50):
            self._tcp = socket.socket(family_of(self.host), socket.SOCK_STREAM)
            self._udp = socket.socket(family_of(self.host), socket.SOCK_DGRAM)
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._tcp.bind((self.host, self.port))
                self._udp.bind(self._tcp.getsockname())
                break
            except OSError:
                self._tcp.close()
                self._udp.close()
                if self.port != 0:
                    raise
        else:
            raise OSError("no port that is free for UDP and TCP")
        self.stopping = False
        self.port = self._tcp.getsockname()[1]
        self._tcp.listen(100)
        self._thread(self._serve_udp)
        self._thread(self._serve_tcp)
        return self

    def stop(self):
        """Closes everything and waits for the threads."""
        with self.lock:
            self.stopping = True
            sockets = list(self._sockets) + [self._udp, self._tcp]
            self.changed.notify_all()
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(10)
        self._threads.clear()
        for sock in sockets:
            sock.close()
        self._sockets.clear()

    def drop_connections(self):
        """Resets every TCP connection there is; the port stays open."""
        with self.lock:
            for sock in self._sockets:
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def connections(self):
        with self.lock:
            return len(self._sockets)

    def pause(self, seconds):
        """Sleeps, but not beyond stop(): False then."""
        end = time.monotonic() + seconds
        with self.lock:
            while not self.stopping and time.monotonic() < end:
                self.changed.wait(end - time.monotonic())
            return not self.stopping

    def wait(self, condition, timeout=10.0, what="condition"):
        """Waits until condition() is true, and returns its value."""
        end = time.monotonic() + timeout * SLOW
        with self.lock:
            while True:
                value = condition()
                if value:
                    return value
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {timeout:g} s: {what}")
                self.changed.wait(min(left, 0.1))

    def _thread(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self.lock:
            self._threads = [t for t in self._threads if t.is_alive() or t.ident is None]
            self._threads.append(thread)
        thread.start()

    def _serve_udp(self):
        while not self.stopping:
            try:
                wire, source = self._udp.recvfrom(65535)
            except OSError:
                return
            if wire:
                self._thread(self._one_datagram, wire, source)

    def _one_datagram(self, wire, source):
        def reply(answer):
            try:
                self._udp.sendto(answer, source)
            except OSError:
                pass
        self.handle(wire, reply, "udp", source, {})

    def _serve_tcp(self):
        while not self.stopping:
            try:
                sock, source = self._tcp.accept()
            except OSError:
                return
            with self.lock:
                self._sockets.add(sock)
            self._thread(self._serve_connection, sock, source)

    def _serve_connection(self, sock, source):
        conn = {"close": False, "socket": sock}
        try:
            while not self.stopping and not conn["close"]:
                self.handle(read_frame(sock), lambda wire: write_frame(sock, wire), "tcp", source, conn)
        except (OSError, EOFError):
            pass
        with self.lock:
            self._sockets.discard(sock)
            self.changed.notify_all()
        sock.close()
