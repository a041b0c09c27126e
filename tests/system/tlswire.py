# SPDX-License-Identifier: BSD-2-Clause
"""The fake primary and the fake downstream under TLS, a client under TLS, and an ear on the wire.

What arrives in the clear at one of them is counted in `clear`: there must be none of it.
"""

import socket
import ssl
import struct
import threading

import dns.message

from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from fakewire import read_frame, write_frame
from lab import SLOW

HANDSHAKE = 0x16    # the first octet of a TLS connection


def server_context(cert, ca=None, alpn=("dot",), version=ssl.TLSVersion.TLSv1_3, tickets=2):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if version == ssl.TLSVersion.TLSv1_2:
        ctx.maximum_version = version
    else:
        ctx.minimum_version = version
    ctx.load_cert_chain(cert.cert, cert.key)
    ctx.num_tickets = tickets
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    if ca is not None:
        ctx.load_verify_locations(ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
    return ctx


def client_context(ca, cert=None, alpn=("dot",), version=ssl.TLSVersion.TLSv1_3):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if version == ssl.TLSVersion.TLSv1_2:
        ctx.maximum_version = version
    else:
        ctx.minimum_version = version
    ctx.load_verify_locations(ca)
    if cert is not None:
        ctx.load_cert_chain(cert.cert, cert.key)
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    return ctx


class TlsListener:
    """Makes a Listener speak TLS on its TCP port.  Give it `context` before anybody connects."""

    context = None

    def __init__(self, *args, context=None, **how):
        super().__init__(*args, **how)
        self.context = context
        self.lengths = []       # of requests
        self.clear = []         # octets that came outside of TLS
        self.handshakes = []    # ("ok", resumed) or the error
        self.shown = []         # names in the certificates of clients

    def handle(self, wire, reply, transport, source, conn):
        with self.lock:
            self.lengths.append(len(wire))
        super().handle(wire, reply, transport, source, conn)

    def _one_datagram(self, wire, source):
        with self.lock:
            self.clear.append(wire)

    def _serve_connection(self, sock, source):
        try:
            sock.settimeout(30 * SLOW)
            first = sock.recv(1, socket.MSG_PEEK)
            if first and first[0] != HANDSHAKE:
                with self.lock:
                    self.clear.append(sock.recv(65535))
                raise OSError("not TLS")
            tls = self.context.wrap_socket(sock, server_side=True)
        except OSError as e:
            with self.lock:
                self.handshakes.append(str(e))
                self._sockets.discard(sock)
                self.changed.notify_all()
            sock.close()
            return
        with self.lock:
            self._sockets.discard(sock)
            self._sockets.add(tls)
            self.handshakes.append(("ok", tls.session_reused))
            self.shown.append(_names(tls.getpeercert()))
            self.changed.notify_all()
        tls.settimeout(None)
        super()._serve_connection(tls, source)


class TlsPrimary(TlsListener, FakePrimary):
    """A fake primary that is there under TLS only."""


class TlsDownstream(TlsListener, FakeDownstream):
    """A fake downstream that takes NOTIFY under TLS only."""


def _names(cert):
    return [value for _, value in (cert or {}).get("subjectAltName", ())]


class Client:
    """A connection under TLS to the relay; dnspython messages in and out."""

    def __init__(self, at, context, source=None, name="relay.example.net", timeout=10.0, session=None):
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if source is not None:
            self.raw.bind((source, 0))
        self.raw.settimeout(timeout * SLOW)
        self.raw.connect(at)
        try:
            self.sock = context.wrap_socket(self.raw, server_hostname=name, session=session)
        except BaseException:
            self.raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def send(self, q):
        write_frame(self.sock, q.to_wire())

    def receive(self):
        wire = read_frame(self.sock)
        m = dns.message.from_wire(wire, one_rr_per_rrset=True)
        m.octets = len(wire)
        return m

    def ask(self, q):
        self.send(q)
        return self.receive()

    def transfer(self, q):
        """Messages of the answer to a transfer query; one when it is an error or a lone SOA."""
        out, soas = [self.ask(q)], 0
        while True:
            m = out[-1]
            soas += sum(r.rdtype == 6 for r in m.answer)
            if m.rcode() != 0 or soas >= 2 or (len(out) == 1 and len(m.answer) == 1):
                return out
            out.append(self.receive())


class Ear:
    """Every packet on loopback to one address and port that has these octets in it, in the clear."""

    def __init__(self, host, port, octets):
        self.to = socket.inet_aton(host), port
        self.octets = octets
        self.heard, self.packets = [], 0
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(0x0800))
        self.sock.bind(("lo", 0x0800))
        self.sock.settimeout(0.2)
        self.stopping = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.stopping:
            try:
                p, where = self.sock.recvfrom(70000)
            except OSError:
                continue
            if where[2] == socket.PACKET_OUTGOING or len(p) < 28 or p[16:20] != self.to[0]:
                continue
            at = (p[0] & 15) * 4
            if struct.unpack("!H", p[at + 2:at + 4])[0] != self.to[1]:
                continue
            self.packets += 1
            if self.octets in p:
                self.heard.append(p)

    def stop(self):
        self.stopping = True
        self.thread.join(5)
        self.sock.close()
