# SPDX-License-Identifier: BSD-2-Clause
"""A downstream that does as it is told: takes NOTIFYs, fetches when asked to, and keeps what it saw.

    with FakeDownstream() as d:
        d.answer.silence = True                     # from now on
        d.once(rcode="REFUSED")                     # the next NOTIFY only
        d.wait_notifies(3)                          # d.notifies: time, zone, type, hint, transport ...
        t = d.axfr("example.org", ("127.0.0.1", relay.port))
        assert t.ok and t.serial == 7 and t.messages == 1 and t.opt_in_every_message

Fetching is done by functions of this module too (axfr(), ixfr(), soa(), Connection): they need no listener.
"""

import collections
import dataclasses
import socket
import struct
import time
from typing import List, NamedTuple, Optional, Tuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from fakewire import (AXFR, EDE, IXFR, KEEPALIVE, SOA, Listener, Record, ede_of, exchange, expire_of,
                      expire_option, family_of, keepalive_option, name, option, read_frame, serial_gt,
                      write_frame)


@dataclasses.dataclass
class NotifyBehaviour:
    """How a NOTIFY is answered.  The default is NOERROR with AA."""

    rcode: str = "NOERROR"
    silence: bool = False       # no answer
    close: bool = False         # TCP: the connection is closed without an answer
    delay: float = 0.0          # seconds before the answer
    aa: bool = True
    wrong_id: bool = False
    wrong_question: bool = False
    no_question: bool = False
    ede: Optional[int] = None
    duplicate: int = 1          # the answer is sent so often
    zone_data: List[Record] = dataclasses.field(default_factory=list)   # the answer to an AXFR query instead
    opcode: str = "NOTIFY"      # of the answer


class Notify(NamedTuple):
    """A NOTIFY that came."""

    time: float             # monotonic
    zone: str               # lower case, with the final dot
    qtype: str              # "SOA", "AXFR"
    hint: Optional[int]     # serial of the SOA in the answer section
    transport: str          # "udp", "tcp"
    source: tuple
    id: int
    flags: int
    behaviour: NotifyBehaviour
    message: dns.message.Message


@dataclasses.dataclass
class Transfer:
    """The answer to AXFR or IXFR.  records: without the closing SOA; for a difference see steps."""

    kind: str = ""                      # "full", "diff", "single" (one SOA), "error", "broken"
    rcode: Optional[str] = None         # of the last message
    ede: Optional[int] = None
    serial: Optional[int] = None
    records: List[Record] = dataclasses.field(default_factory=list)
    # of a difference: (old serial, deletions, new serial, additions)
    steps: List[Tuple[int, list, int, list]] = dataclasses.field(default_factory=list)
    messages: int = 0
    octets: int = 0
    sizes: List[int] = dataclasses.field(default_factory=list)      # of the messages
    flags: List[int] = dataclasses.field(default_factory=list)
    opts: int = 0                       # messages with OPT
    expire: Optional[int] = None        # EXPIRE of the last message that had it
    keepalive: Optional[int] = None     # the same, units of 100 ms
    seconds: float = 0.0
    broken: Optional[str] = None        # why it ended before its end

    @property
    def ok(self):
        return self.kind in ("full", "diff", "single")

    @property
    def opt_in_every_message(self):
        return self.opts == self.messages

    def keys(self, fold=False):
        """What was transferred, for comparing: sorted, octet by octet; see Record.key()."""
        return sorted(r.key(fold) for r in self.records)

    def text(self):
        return sorted(str(r) for r in self.records)


def apply_steps(content, transfer):
    """Content (Records) with a difference applied.  ValueError when it does not fit."""
    have = {r.key(): r for r in content if r.rdata.rdtype != SOA}
    at = next(r.rdata.serial for r in content if r.rdata.rdtype == SOA)
    for old, deleted, new, added in transfer.steps:
        if old != at:
            raise ValueError(f"step from {old}, but the content is {at}")
        for r in deleted:
            if have.pop(r.key(), None) is None:
                raise ValueError(f"deletes what is not there: {r}")
        for r in added:
            if r.key() in have:
                raise ValueError(f"adds what is there: {r}")
            have[r.key()] = r
        at = new
    if at != transfer.serial:
        raise ValueError(f"leads to {at}, not to {transfer.serial}")
    return [transfer.records[0]] + list(have.values())


# ---- asking ----


def query(zone, rdtype, serial=None, edns=True, expire=True, keepalive=True):
    """A query for SOA, AXFR or IXFR as a secondary sends it."""
    options = ([expire_option()] if expire else []) + ([keepalive_option()] if keepalive else [])
    q = dns.message.make_query(name(zone), rdtype)
    q.flags = 0
    if edns:
        q.use_edns(0, 0, 1232, options=options)
    if serial is not None:
        soa = dns.rdata.from_text("IN", "SOA", f". . {serial} 0 0 0 0")
        q.authority.append(Record(name(zone), 0, soa).rrset())
    return q


class Collector:
    """Takes the messages of one answer; done is set when it is complete."""

    def __init__(self, request):
        self.request = request
        self.rdtype = request.question[0].rdtype
        self.ours = next((rr.serial for s in request.authority for rr in s), None)
        self.transfer = Transfer()
        self.started = time.monotonic()
        self.done = False
        self._stream = []
        self._soas = 0

    def take(self, wire):
        t = self.transfer
        m = dns.message.from_wire(wire, one_rr_per_rrset=True)
        t.messages += 1
        t.octets += len(wire)
        t.sizes.append(len(wire))
        t.flags.append(m.flags)
        t.rcode = dns.rcode.to_text(m.rcode())
        t.opts += m.edns >= 0
        t.ede = ede_of(m) if option(m, EDE) else t.ede
        t.expire = expire_of(m) if expire_of(m) is not None else t.expire
        if option(m, KEEPALIVE):
            t.keepalive = struct.unpack("!H", option(m, KEEPALIVE))[0]
        if m.rcode() != dns.rcode.NOERROR:
            return self.end("error")
        for rrset in m.answer:
            for rdata in rrset:
                if self.done:
                    t.broken = "records behind the end"
                self._record(Record(rrset.name, rrset.ttl, rdata))
        if not self.done and self._single():
            self.end("single")
        return None

    def _record(self, r):
        self._stream.append(r)
        if r.rdata.rdtype != SOA:
            return
        self._soas += 1
        if self._soas == 1:
            self.transfer.serial = r.rdata.serial
            return
        if not self._is_diff():
            self.end("full")
        elif self._soas % 2 == 0 and self._soas > 2 and r.rdata.serial == self.transfer.serial \
                and self._last_new() == self.transfer.serial:
            self.end("diff")

    def _is_diff(self):
        return (self.rdtype == IXFR and len(self._stream) > 1 and self._stream[1].rdata.rdtype == SOA
                and self._stream[1].rdata.serial == self.ours)

    def _last_new(self):
        return [r for r in self._stream if r.rdata.rdtype == SOA][-2].rdata.serial

    def _single(self):
        """A lone SOA that is not newer than ours: nothing more will come."""
        return (self.rdtype == IXFR and len(self._stream) == 1
                and not serial_gt(self.transfer.serial, self.ours))

    def end(self, kind):
        t = self.transfer
        self.done = True
        t.kind = kind
        t.seconds = time.monotonic() - self.started
        t.records = self._stream[:1] if kind in ("diff", "single") else self._stream[:-1]
        if kind == "error":
            t.records = list(self._stream)
        if kind == "diff":
            self._split()

    def _split(self):
        part, at = None, 0
        for r in self._stream[1:-1]:
            if r.rdata.rdtype == SOA and at % 2 == 0:
                part = []
                self.transfer.steps.append((r.rdata.serial, part, None, []))
                at += 1
            elif r.rdata.rdtype == SOA:
                old, deleted, _, _ = self.transfer.steps[-1]
                part = []
                self.transfer.steps[-1] = (old, deleted, r.rdata.serial, part)
                at += 1
            else:
                part.append(r)

    def fail(self, why):
        self.transfer.broken = why
        self.transfer.kind = "broken"
        self.transfer.records = list(self._stream)
        self.transfer.seconds = time.monotonic() - self.started
        self.done = True


class Connection:
    """A TCP connection on which several queries may be under way at once (matched by ID)."""

    def __init__(self, to, timeout=30.0, source=None, window=None):
        """window: octets the kernel takes for us; a small one makes a slow reader visible."""
        self.sock = socket.socket(family_of(to[0]), socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        if window is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source is not None:
            self.sock.bind((source, 0))
        self.sock.connect(to)
        self.open = {}      # ID -> Collector

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send(self, request):
        """Sends a query; the Collector of its answer."""
        self.open[request.id] = Collector(request)
        write_frame(self.sock, request.to_wire())
        return self.open[request.id]

    def read(self):
        """One message, given to whom it belongs.  The Collector, or None for an ID nobody has."""
        wire = read_frame(self.sock)
        collector = self.open.get(struct.unpack("!H", wire[:2])[0])
        if collector is not None:
            collector.take(wire)
        return collector

    def finish(self):
        """Reads until every query sent has its answer, or the connection breaks."""
        try:
            while any(not c.done for c in self.open.values()):
                self.read()
        except (OSError, EOFError, dns.exception.DNSException) as e:
            for c in self.open.values():
                if not c.done:
                    c.fail(str(e) or type(e).__name__)
        return [c.transfer for c in self.open.values()]

    def widen(self):
        """The end of a small window."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def shut_writing(self):
        """FIN after the queries (TC-15)."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()


def axfr(zone, to, timeout=30.0, source=None, **how):
    """AXFR by TCP -> Transfer.  how: as of query()."""
    with Connection(to, timeout, source) as c:
        c.send(query(zone, AXFR, **how))
        return c.finish()[0]


def ixfr(zone, to, serial, udp=False, timeout=30.0, source=None, **how):
    """IXFR -> Transfer."""
    q = query(zone, IXFR, serial, **how)
    if not udp:
        with Connection(to, timeout, source) as c:
            c.send(q)
            return c.finish()[0]
    c = Collector(q)
    wire = exchange(q.to_wire(), to, False, timeout, source)
    if wire is None:
        c.fail("no answer")
        return c.transfer
    c.take(wire)
    if not c.done and c.transfer.serial is not None:
        c.end("single")     # a lone newer SOA: "ask by TCP"
    return c.transfer


def soa(zone, to, tcp=False, timeout=5.0, source=None, **how):
    """The answer to an SOA query as a dnspython message, or None."""
    wire = exchange(query(zone, SOA, **how).to_wire(), to, tcp, timeout, source)
    return None if wire is None else dns.message.from_wire(wire)


def serial(zone, to, tcp=False, timeout=5.0, source=None):
    """The serial served, or None."""
    m = soa(zone, to, tcp, timeout, source)
    if m is None or m.rcode() != dns.rcode.NOERROR:
        return None
    return next((rr.serial for rrset in m.answer for rr in rrset if rr.rdtype == SOA), None)


# ---- listening ----


class FakeDownstream(Listener):
    """See the head of this file."""

    def __init__(self, host="127.0.0.1", port=0):
        super().__init__(host, port)
        self.answer = NotifyBehaviour()
        self.per_type = {}      # "AXFR" -> NotifyBehaviour, instead of .answer
        self.notifies = []
        self.unexpected = []    # what came and was no NOTIFY
        self._once = collections.deque()

    def once(self, times=1, **how):
        """How the next NOTIFY, or the next few, are answered."""
        with self.lock:
            self._once.extend([NotifyBehaviour(**how)] * times)

    def notifies_of(self, zone, qtype=None):
        zone = str(name(zone)).lower()
        with self.lock:
            return [n for n in self.notifies if n.zone == zone and qtype in (None, n.qtype)]

    def wait_notifies(self, n, zone=None, qtype=None, timeout=10.0):
        """Waits until n NOTIFYs have come (of a zone, of a type), and returns them."""
        def come():
            found = [x for x in self.notifies
                     if (zone is None or x.zone == str(name(zone)).lower()) and qtype in (None, x.qtype)]
            return found if len(found) >= n else None
        return self.wait(come, timeout, f"{n} NOTIFYs of {zone}, came {len(self.notifies)}")

    def wait_hint(self, zone, wanted, timeout=10.0):
        """Waits for a NOTIFY that announces this serial."""
        return self.wait(lambda: next((n for n in self.notifies_of(zone) if n.hint == wanted), None), timeout,
                         f"NOTIFY of {zone} with serial {wanted}, came {[n.hint for n in self.notifies]}")

    def forget(self):
        with self.lock:
            self.notifies.clear()
            self.unexpected.clear()

    def axfr(self, zone, to, **how):
        """AXFR from our address."""
        return axfr(zone, to, source=self.host, **how)

    def ixfr(self, zone, to, since, **how):
        return ixfr(zone, to, since, source=self.host, **how)

    def soa(self, zone, to, **how):
        return soa(zone, to, source=self.host, **how)

    def handle(self, wire, reply, transport, source, conn):
        try:
            m = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            m = None
        if m is None or m.opcode() != dns.opcode.NOTIFY or m.flags & dns.flags.QR or len(m.question) != 1:
            with self.lock:
                self.unexpected.append(wire)
            return
        n = self._note(m, transport, source)
        how = n.behaviour
        if how.delay and not self.pause(how.delay):
            return
        if how.close:
            conn["close"] = True
        elif not how.silence:
            for _ in range(how.duplicate):
                reply(self._reply(m, how).to_wire())
            for answer in self._zone_data(m, how)[1:]:
                reply(answer.to_wire())

    def _note(self, m, transport, source):
        hint = next((rr.serial for rrset in m.answer for rr in rrset if rr.rdtype == SOA), None)
        with self.lock:
            qtype = dns.rdatatype.to_text(m.question[0].rdtype)
            usual = self.per_type.get(qtype, self.answer)
            how = self._once.popleft() if self._once else dataclasses.replace(usual)
            n = Notify(time.monotonic(), str(m.question[0].name).lower(),
                       qtype, hint, transport, source, m.id, m.flags,
                       how, m)
            self.notifies.append(n)
            self.changed.notify_all()
        return n

    @staticmethod
    def _reply(m, how):
        r = dns.message.make_response(m)
        r.flags = dns.flags.QR | (dns.flags.AA if how.aa else 0)
        r.set_opcode(dns.opcode.from_text(how.opcode))
        r.set_rcode(dns.rcode.from_text(how.rcode))
        if how.zone_data:
            return FakeDownstream._zone_data(m, how)[0]
        if how.wrong_id:
            r.id = m.id ^ 1
        if how.no_question:
            r.question = []
        elif how.wrong_question:
            asked = m.question[0]
            r.question = [dns.rrset.RRset(name("wrong.example."), asked.rdclass, asked.rdtype)]
        if how.ede is not None:
            r.use_edns(0, 0, 1232, options=[dns.edns.GenericOption(EDE, struct.pack("!H", how.ede))])
        return r

    @staticmethod
    def _zone_data(m, how):
        """Servers that look at the QTYPE first take it for a query: the zone, one message for each record."""
        out = []
        for rr in how.zone_data:
            r = dns.message.make_response(m)
            r.flags = dns.flags.QR | dns.flags.AA
            r.set_opcode(dns.opcode.from_text(how.opcode))
            r.answer.append(rr.rrset())
            out.append(r)
        return out


class Fetcher(FakeDownstream):
    """Knows NOTIFY(AXFR): answers, then fetches the zone at once from where it is told to, and keeps it."""

    def __init__(self, host="127.0.0.1", port=0, at=None):
        super().__init__(host, port)
        self.at = at            # (host, port) of its primary
        self.fetched = []       # (zone, Transfer)
        self.before = 0.0       # seconds between the answer and the query
        self.again = 0.2        # seconds after a transfer that failed
        self.fetches = True

    def handle(self, wire, reply, transport, source, conn):
        super().handle(wire, reply, transport, source, conn)
        m = dns.message.from_wire(wire)
        if m.opcode() != dns.opcode.NOTIFY or m.question[0].rdtype != AXFR or not self.fetches:
            return
        if self.before and not self.pause(self.before):
            return
        zone = str(m.question[0].name).lower()
        while True:     # as a secondary does, until it has got it
            try:
                t = self.axfr(zone, self.at)
            except OSError as e:
                t = Transfer(kind="broken", broken=str(e))
            with self.lock:
                self.fetched.append((zone, t))
                self.changed.notify_all()
            if t.ok or not self.pause(self.again):
                return

    def wait_fetched(self, n, timeout=20.0):
        """The n-th transfer."""
        return self.wait(lambda: self.fetched[n - 1] if len(self.fetched) >= n else None, timeout,
                         f"{n} transfers by {self.host}, there were {len(self.fetched)}")[1]
