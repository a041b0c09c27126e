# SPDX-License-Identifier: BSD-2-Clause
"""A primary that does as it is told: for what no real server can be made to do.

    with FakePrimary() as p:
        p.add_zone("example.org", ZONE_TEXT)
        p.behaviour.records_per_message = 1        # from now on, for every query
        p.once("IXFR", rcode="NOTIMP")             # for the next IXFR query only
        p.update("example.org", add=["www 300 A 192.0.2.2"], delete=["www 300 A 192.0.2.1"])
        p.notify("example.org", ("127.0.0.1", relay.port))
        p.wait_count("AXFR", 1)

Serves SOA by UDP and TCP, AXFR and IXFR by TCP (IXFR by UDP with a single SOA).  Every query is kept in
p.queries and counted in p.counts, by "SOA", "AXFR", "IXFR" and by "SOA/udp", "SOA/tcp" ...
"""

import collections
import dataclasses
import struct
import threading
import time
from typing import Callable, List, NamedTuple, Optional

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.renderer

from fakewire import (EDE, KEEPALIVE, SOA, Listener, Record, expire_option, keepalive_option, name,
                      notify_query, option, record, records_of, send_notify, serial_gt)

KINDS = ("SOA", "AXFR", "IXFR")


@dataclasses.dataclass
class Behaviour:
    """What to do with a query.  The defaults are those of a well-behaved primary."""

    # instead of an answer
    rcode: Optional[str] = None         # "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP" ...
    ede: Optional[int] = None           # Extended DNS Error beside it
    silence: bool = False               # no answer; a connection stays open
    close: bool = False                 # no answer; the connection is closed (UDP: silence)
    nodata: bool = False                # NOERROR, no answer, SOA in the authority section
    raw: Optional[bytes] = None         # these octets behind the ID of the query

    # header and EDNS
    aa: bool = True
    tc: bool = False
    edns: str = "yes"  # "formerr", "notimp": to queries with OPT; "ignore": no OPT in answers
    expire: Optional[int] = None        # EXPIRE in answers to queries that ask for it
    keepalive: Optional[int] = None     # tcp-keepalive, units of 100 ms, the same way
    wrong_id: bool = False
    wrong_question: bool = False

    # how a transfer is cut into messages
    records_per_message: Optional[int] = None   # None: as many as fit
    message_size: int = 16384                   # up to 65535
    empty_first: int = 0                        # messages without records before the stream
    empty_between: int = 0                      # and between any two of its messages
    padding: int = 0                            # octets of PADDING in those empty messages
    question_later: bool = True                 # question in all messages but the first
    soa_alone_first: bool = False               # the first message has the SOA and nothing else

    # when
    delay: float = 0.0                  # seconds before the first octet
    hold: Optional[threading.Event] = None  # nothing before this is set
    message_delay: float = 0.0          # seconds before each later message

    # the end of a transfer
    close_after: Optional[int] = None   # messages, then the connection is closed
    silence_after: Optional[int] = None  # messages, then nothing more; the connection stays open
    rcode_after: Optional[int] = None   # messages, then one with SERVFAIL
    final: str = "same"                 # "other" RDATA; "none": left out; "twice": a record behind it
    close_when_done: bool = False       # the connection is closed after the answer

    # content
    ixfr: str = "auto"  # "full": the whole zone; "lone": the newest SOA only; "wrong-base": from another
    #                     serial; "gap": a step is missing; "absent": deletes a record that is not there
    extra: List[Record] = dataclasses.field(default_factory=list)  # before the closing SOA
    order: Optional[Callable[[List[Record]], List[Record]]] = None  # of the records of a whole zone
    serial: Optional[int] = None        # another serial than the zone has, in SOA answers


class Query(NamedTuple):
    """A query that came."""

    time: float             # monotonic
    kind: str               # "SOA", "AXFR", "IXFR", or another type
    transport: str          # "udp", "tcp"
    zone: str               # lower case, with the final dot
    serial: Optional[int]   # of an IXFR query
    edns: bool
    asked_expire: bool
    asked_keepalive: bool
    source: tuple
    connection: int         # a number for each TCP connection, 0 for UDP
    message: dns.message.Message


class Zone:
    """A zone with its history: versions[serial] is the content, in the order of their making."""

    def __init__(self, origin, content):
        self.origin = name(origin)
        self.versions = collections.OrderedDict()
        self.put(content)

    def put(self, content):
        content = records_of(content, self.origin) if isinstance(content, str) else list(content)
        self.versions[soa_of(content).rdata.serial] = content

    @property
    def serial(self):
        return next(reversed(self.versions))

    @property
    def content(self):
        return self.versions[self.serial]

    @property
    def soa(self):
        return soa_of(self.content)

    def steps_from(self, serial):
        """[(old SOA, deletions, new SOA, additions)], or None when there is no such chain."""
        serials = list(self.versions)
        if serial not in serials:
            return None
        return [difference(self.versions[a], self.versions[b])
                for a, b in zip(serials[serials.index(serial):], serials[serials.index(serial) + 1:])]


def soa_of(content):
    return next(r for r in content if r.rdata.rdtype == SOA)


def difference(old, new):
    before, after = {r.key(): r for r in old}, {r.key(): r for r in new}
    return (soa_of(old), [r for k, r in before.items() if k not in after and r.rdata.rdtype != SOA],
            soa_of(new), [r for k, r in after.items() if k not in before and r.rdata.rdtype != SOA])


def with_serial(soa, serial):
    return soa._replace(rdata=soa.rdata.replace(serial=serial % 2**32))


class FakePrimary(Listener):
    """See the head of this file.  port 0: any; known after start()."""

    def __init__(self, host="127.0.0.1", port=0):
        super().__init__(host, port)
        self.zones = {}
        self.behaviour = Behaviour()
        self.per_kind = {}      # "SOA" -> Behaviour, instead of .behaviour
        self.queries = []
        self.counts = collections.Counter()
        self._once = collections.defaultdict(collections.deque)
        self._connections = 0

    # ---- zones ----

    def add_zone(self, origin, content):
        """Content: the text of a zone file, or a list of Records."""
        zone = Zone(origin, content)
        with self.lock:
            self.zones[str(zone.origin).lower()] = zone
        return zone

    def remove_zone(self, origin):
        with self.lock:
            del self.zones[str(name(origin)).lower()]

    def zone(self, origin):
        return self.zones[str(name(origin)).lower()]

    def update(self, origin, add=(), delete=(), serial=None, keep_history=True):
        """A new version; records as text or Record.  serial: default one more.  Returns the serial.

        serial may be lower, or equal (then the content changes under the same serial).  Without history, IXFR
        from older serials is answered with the whole zone.
        """
        with self.lock:
            zone = self.zone(origin)
            new = (zone.serial + 1) % 2**32 if serial is None else serial
            gone = {self._record(r, zone).key() for r in delete}
            missing = gone - {r.key() for r in zone.content}
            if missing:
                raise ValueError(f"not in the zone: {missing}")
            content = [with_serial(r, new) if r.rdata.rdtype == SOA else r
                       for r in zone.content if r.key() not in gone]
            content += [self._record(r, zone) for r in add]
            if not keep_history:
                zone.versions.clear()
            zone.versions.pop(new, None)
            zone.versions[new] = content
            return new

    def replace(self, origin, content, keep_history=True):
        """A new version with its own SOA."""
        with self.lock:
            zone = self.zone(origin)
            if not keep_history:
                zone.versions.clear()
            zone.put(content)
            return zone.serial

    @staticmethod
    def _record(r, zone):
        return r if isinstance(r, Record) else record(r, zone.origin)

    # ---- behaviour ----

    def behave(self, kind=None, **how):
        """From now on: for all queries, or for those of a kind."""
        with self.lock:
            if kind is None:
                self.behaviour = Behaviour(**how)
                self.per_kind.clear()
            else:
                self.per_kind[kind] = Behaviour(**how)

    def once(self, kind, times=1, **how):
        """For the next query or queries of this kind ("SOA", "AXFR", "IXFR", "SOA/udp" ...)."""
        with self.lock:
            self._once[kind].extend([Behaviour(**how)] * times)

    def _behaviour_for(self, query):
        for key in (f"{query.kind}/{query.transport}", query.kind):
            if self._once[key]:
                return self._once[key].popleft()
        return self.per_kind.get(query.kind, self.behaviour)

    # ---- what happened ----

    def count(self, kind):
        with self.lock:
            return self.counts[kind]

    def wait_count(self, kind, n, timeout=10.0):
        """Waits until n queries of this kind have come in all."""
        self.wait(lambda: self.counts[kind] >= n, timeout, f"{n} queries {kind}, not {dict(self.counts)}")

    def queries_of(self, kind):
        with self.lock:
            return [q for q in self.queries if q.kind == kind]

    def forget(self):
        """Counts start from zero."""
        with self.lock:
            self.queries.clear()
            self.counts.clear()

    # ---- NOTIFY ----

    def notify(self, origin, to, qtype="SOA", hint=True, tcp=False, timeout=5.0, source=None):
        """One NOTIFY, sent once; from another address with `source`.  NotifyAnswer, or None."""
        hint_record = None
        if hint and qtype == "SOA" and str(name(origin)).lower() in self.zones:
            hint_record = self.zone(origin).soa
        return send_notify(notify_query(origin, qtype, hint_record), to, tcp, timeout, source or self.host)

    # ---- answering ----

    def handle(self, wire, reply, transport, source, conn):
        try:
            m = dns.message.from_wire(wire)
            if m.flags & dns.flags.QR or len(m.question) != 1:
                return
        except dns.exception.DNSException:
            return
        with self.lock:
            query = self._note(m, transport, source, conn)
            behaviour = self._behaviour_for(query)
            zone = self.zones.get(query.zone)
        Answer(self, query, behaviour, zone, reply, conn).send()

    def _note(self, m, transport, source, conn):
        if transport == "tcp" and "number" not in conn:
            self._connections += 1
            conn["number"] = self._connections
        kind = dns.rdatatype.to_text(m.question[0].rdtype)
        serial = next((rr.serial for rrset in m.authority for rr in rrset if rr.rdtype == SOA), None)
        query = Query(time.monotonic(), kind, transport, str(m.question[0].name).lower(), serial,
                      m.edns >= 0, option(m, dns.edns.OptionType.EXPIRE) is not None,
                      option(m, KEEPALIVE) is not None, source, conn.get("number", 0), m)
        self.queries.append(query)
        self.counts[kind] += 1
        self.counts[f"{kind}/{transport}"] += 1
        self.changed.notify_all()
        return query


class Answer:
    """One answer in the making."""

    def __init__(self, primary, query, behaviour, zone, reply, conn):
        self.primary, self.query, self.how, self.zone = primary, query, behaviour, zone
        self.reply, self.conn = reply, conn
        self.question = query.message.question[0]

    def send(self):
        how = self.how
        if how.delay and not self.primary.pause(how.delay):
            return
        while how.hold is not None and not how.hold.wait(0.02):
            if self.primary.stopping:
                return
        if how.silence:
            return
        if how.close:
            self.conn["close"] = True
            return
        if how.raw is not None:
            self.reply(struct.pack("!H", self.query.message.id) + how.raw)
            return
        if self.query.edns and how.edns in ("formerr", "notimp"):
            self.error(how.edns.upper())
        elif how.rcode is not None:
            self.error(how.rcode)
        elif self.zone is None:
            self.error("NOTAUTH")
        elif how.nodata:
            self.reply(self.render([], authority=[self.zone.soa]))
        elif self.query.kind == "SOA":
            self.reply(self.render([self.soa()]))
        elif self.query.kind == "IXFR" and self.query.transport == "udp":
            self.reply(self.render([self.zone.soa]))
        elif self.query.transport == "tcp" and self.query.kind in KINDS:
            self.stream()
        else:
            self.error("REFUSED")
        if how.close_when_done:
            self.conn["close"] = True

    def error(self, rcode):
        self.reply(self.render([], rcode=dns.rcode.from_text(rcode)))

    def soa(self):
        soa = self.zone.soa
        return soa if self.how.serial is None else with_serial(soa, self.how.serial)

    # ---- messages ----

    def options(self, padding):
        out = []
        if self.how.expire is not None and self.query.asked_expire:
            out.append(expire_option(self.how.expire))
        if self.how.keepalive is not None and self.query.asked_keepalive:
            out.append(keepalive_option(self.how.keepalive))
        if self.how.ede is not None:
            out.append(dns.edns.GenericOption(EDE, struct.pack("!H", self.how.ede)))
        if padding:
            out.append(dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(padding)))
        return out

    def renderer(self, rcode, question, max_size):
        how, query = self.how, self.query.message
        flags = dns.flags.QR | (query.flags & dns.flags.RD) | rcode
        flags |= (dns.flags.AA if how.aa and rcode == 0 else 0) | (dns.flags.TC if how.tc else 0)
        r = dns.renderer.Renderer(query.id ^ 1 if how.wrong_id else query.id, flags, max_size)
        if question:
            owner = name("wrong.example.") if how.wrong_question else self.question.name
            r.add_question(owner, self.question.rdtype, self.question.rdclass)
        return r

    def finish(self, r, padding=0):
        options = self.options(padding)
        if (self.query.edns and self.how.edns == "yes") or padding:
            r.max_size = 65535
            r.add_edns(0, 0, 1232, options)
        r.write_header()
        return r.get_wire()

    def render(self, answer, authority=(), rcode=0, question=True, padding=0):
        r = self.renderer(rcode, question, 65535)
        for section, content in ((dns.renderer.ANSWER, answer), (dns.renderer.AUTHORITY, authority)):
            for rr in content:
                r.add_rrset(section, rr.rrset())
        return self.finish(r, padding)

    def messages(self, content):
        """The stream cut into messages."""
        limit = self.how.records_per_message
        reserve = 64    # octets for OPT
        r, count, first = self.renderer(0, True, self.how.message_size - reserve), 0, True
        for rr in content:
            full = count > 0 and (count == limit or (first and self.how.soa_alone_first))
            if not full:
                try:
                    r.add_rrset(dns.renderer.ANSWER, rr.rrset())
                    count += 1
                    continue
                except dns.exception.TooBig:
                    pass
            if count:
                yield self.finish(r)
                first = False
            r = self.renderer(0, first or self.how.question_later, 65535)
            r.add_rrset(dns.renderer.ANSWER, rr.rrset())    # alone it may be as large as it likes
            r.max_size = self.how.message_size - reserve
            count = 1
        yield self.finish(r)

    def empties(self, n):
        return [self.render([], question=False, padding=self.how.padding) for _ in range(n)]

    # ---- transfers ----

    def stream(self):
        how, sent = self.how, 0
        for wire in self.empties(how.empty_first):
            self.reply(wire)
        for wire in self.messages(self.records()):
            if how.close_after == sent:
                self.conn["close"] = True
                return
            if how.silence_after == sent:
                return
            if how.rcode_after == sent:
                self.error("SERVFAIL")
                return
            if sent:
                for empty in self.empties(how.empty_between):
                    self.reply(empty)
                if how.message_delay and not self.primary.pause(how.message_delay):
                    return
            self.reply(wire)
            sent += 1

    def records(self):
        with self.primary.lock:
            newest = self.zone.soa
            body = self.ixfr_body() if self.query.kind == "IXFR" else self.full_body()
        if body is None:
            return [newest]
        return [newest] + body + list(self.how.extra) + self.end(newest)

    def full_body(self):
        content = [r for r in self.zone.content if r.rdata.rdtype != SOA]
        return content if self.how.order is None else self.how.order(content)

    def ixfr_body(self):
        """Everything between the first and the closing SOA; None: just the SOA."""
        how, serial = self.how, self.query.serial
        if how.ixfr == "lone" or serial is None or not serial_gt(self.zone.serial, serial):
            return None
        steps = self.zone.steps_from(serial)
        if how.ixfr == "full" or steps is None:
            return self.full_body()
        if how.ixfr == "gap" and len(steps) > 1:
            del steps[len(steps) // 2]
        out = []
        for old, deleted, new, added in steps:
            if how.ixfr == "wrong-base":
                old = with_serial(old, old.rdata.serial + 1000)
            if how.ixfr == "absent":
                deleted = deleted + [record("never-there 300 A 192.0.2.99", self.zone.origin)]
            out += [old] + deleted + [new] + added
        return out

    def end(self, newest):
        if self.how.final == "none":
            return []
        if self.how.final == "other":
            return [with_serial(newest, newest.rdata.serial + 1)]
        if self.how.final == "twice":
            return [newest, record("behind-the-end 300 A 192.0.2.98", self.zone.origin)]
        return [newest]
