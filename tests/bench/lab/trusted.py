#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Transfers that are signed or encrypted, side by side: one AXFR out of each server, and one into it.

trusted.py [--zone tld1000k] [--rounds 5] [--subjects zonerelay,bind,nsd,knot] [--ways plain,tsig,tls] [--only in|out]

Needs the lab (its folder in LAB) and ZONERELAYD.  Out: each server has the zone, and a client takes it, in turns.  In: the
primary is a zonerelay that serves all the ways; each server starts with nothing, and the time is that until it serves the
zone, CPU that of all its processes up to then.  TSIG is hmac-sha256, TLS is 1.3 with a certificate of a private CA.
Knot DNS 3.2 has no transfers over TLS.
"""
import argparse
import importlib
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time

LAB = os.environ.get("LAB", os.getcwd())
sys.path[:0] = [LAB, LAB + "/subjects", os.path.dirname(os.path.abspath(__file__))]

import dns.message
import dns.name
import dns.tsig
from labcommon import CG, PRIMARY, Blaster, Ctx, dtool, dtool_bg, dtool_wait, now

SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="
NAME = "up.example.net"
TLS_PORT = 100      # above the plain one


def ways(name):
    return ["plain", "tsig"] + (["tls"] if name != "knot" else [])


def certificates(folder):
    """ca.pem, and own.pem with own.key for NAME."""
    os.makedirs(folder, exist_ok=True)
    ext = folder + "/ext"
    with open(ext, "w", encoding="ascii") as f:
        f.write(f"subjectAltName=DNS:{NAME}\n")
    for words in (
            f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ca -keyout {folder}/ca.key -out {folder}/ca.pem",
            f"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={NAME} -keyout {folder}/own.key -out {folder}/own.csr",
            f"x509 -req -in {folder}/own.csr -CA {folder}/ca.pem -CAkey {folder}/ca.key -CAcreateserial -days 30 -extfile {ext} -out {folder}/own.pem"):
        subprocess.run(["openssl"] + words.split(), check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def swap(text, old, new):
    assert old in text, (old, text)
    return text.replace(old, new)


class Edit:
    """What is added to the configuration of each server: it serves all ways, and fetches by one."""

    def __init__(self, c, certs, way):
        self.c, self.certs, self.way = c, certs, way
        self.tls = f"{c.addr}@{c.port + TLS_PORT}"
        self.primary = (c.primary[0], c.primary[1] + (TLS_PORT if way == "tls" else 0))

    def zonerelay(self, t):
        t = (f"keys:\n  k.: {{algorithm: hmac-sha256, secret: {SECRET}}}\n" + t)
        t = swap(t, "server:\n", f"server:\n  tls: {{listen: [{self.tls}], cert: {self.certs}/own.pem, key: {self.certs}/own.key}}\n")
        t = swap(t, "downstreams:\n", "downstreams:\n  keyed: {transfer-from: [127.0.0.0/8], notify: no, key: k.}\n")
        if self.way == "tsig":
            t = swap(t, "    source: ", "    key: k.\n    source: ")
        if self.way == "tls":
            t = swap(t, f"@{self.c.primary[1]}\n", f"@{self.primary[1]}\n    tls: {{name: {NAME}, ca: {self.certs}/ca.pem}}\n")
        return t

    def bind(self, t):
        key = f'key "k" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
        own = f'tls own {{ cert-file "{self.certs}/own.pem"; key-file "{self.certs}/own.key"; protocols {{ TLSv1.3; }}; }};\n'
        up = f'tls up {{ ca-file "{self.certs}/ca.pem"; remote-hostname "{NAME}"; protocols {{ TLSv1.3; }}; }};\n'
        t = key + own + up + t
        t = swap(t, "listen-on-v6", f"listen-on port {self.c.port + TLS_PORT} tls own {{ {self.c.addr}; }}; listen-on-v6")
        t = swap(t, "allow-transfer { any; };", "allow-transfer { any; };")
        host, port = self.c.primary
        how = {"plain": "", "tsig": " key k", "tls": " tls up"}[self.way]
        return swap(t, "primaries { %s port %d; }" % (host, port), "primaries { %s port %d%s; }" % (*self.primary, how))

    def nsd(self, t):
        host, port = self.c.primary
        key = f"key:\n  name: k\n  algorithm: hmac-sha256\n  secret: {SECRET}\n"
        t = swap(t, "  do-ip6", f'  ip-address: {self.tls}\n  tls-service-key: "{self.certs}/own.key"\n'
                 f'  tls-service-pem: "{self.certs}/own.pem"\n  tls-port: {self.c.port + TLS_PORT}\n'
                 f'  tls-cert-bundle: "{self.certs}/ca.pem"\n  do-ip6')
        t = swap(t, "pattern:\n", key + f'tls-auth:\n  name: "up"\n  auth-domain-name: "{NAME}"\npattern:\n')
        t = swap(t, "  provide-xfr: 127.0.0.0/8 NOKEY\n", "  provide-xfr: 127.0.0.0/8 NOKEY\n  provide-xfr: 127.0.0.0/8 k\n")
        how = {"plain": "NOKEY", "tsig": "k", "tls": "NOKEY up"}[self.way]
        return swap(t, f"request-xfr: {host}@{port} NOKEY", "request-xfr: %s@%d %s" % (*self.primary, how))

    def knot(self, t):
        t = swap(t, "remote:\n", f"key:\n  - id: k.\n    algorithm: hmac-sha256\n    secret: {SECRET}\nremote:\n")
        if self.way == "tsig":
            t = swap(t, f"    via: {self.c.addr}\n", f"    via: {self.c.addr}\n    key: k.\n")
        t = swap(t, "template:\n", "  - id: keyed\n    address: 127.0.0.0/8\n    action: transfer\n    key: k.\ntemplate:\n")
        return swap(t, "acl: [nin, xfr]", "acl: [nin, xfr, keyed]")


FILES = {"zonerelay": "zonerelay.yaml", "bind": "named.conf", "nsd": "nsd.conf", "knot": "knot.conf"}


class Server:
    def __init__(self, name, zone, certs, inst, way="plain", primary=PRIMARY):
        self.name, self.zone = name, zone
        self.c = Ctx(importlib.import_module(name), "default", [zone], inst=inst, primary=primary, tag="-trusted")
        self.c.fresh()
        path = os.path.join(self.c.dir, FILES[name])
        with open(path, encoding="ascii") as f:
            text = f.read()
        with open(path, "w", encoding="ascii") as f:
            f.write(getattr(Edit(self.c, certs, way), name)(text))
        os.chmod(path, 0o600)

    def load(self, serial):
        """Seconds until it serves the zone, CPU seconds up to then."""
        poll = dtool_bg("poll", self.c.addr, self.c.port, self.zone, serial, 60)
        time.sleep(0.05)
        start = now()
        self.c.start()
        r = dtool_wait(poll)[-1]
        cpu = self.c.cpu()
        if not r["ok"]:
            raise SystemExit(f"{self.name}: no zone")
        return (r["t"] - start) / 1e9, cpu

    def close(self):
        self.c.stop()
        self.c.destroy()


def take(c, zone, way, certs, records):
    """One AXFR: seconds, messages.  It does not verify what is signed: that is the client's own cost."""
    q = dns.message.make_query(dns.name.from_text(zone), "AXFR")
    if way == "tsig":
        q.use_tsig({dns.name.from_text("k."): dns.tsig.Key("k.", SECRET, "hmac-sha256")}, "k.")
    wire = q.to_wire()
    context = ssl.create_default_context(cafile=certs + "/ca.pem")
    context.set_alpn_protocols(["dot"])
    start = time.monotonic()
    s = socket.create_connection((c.addr, c.port + (TLS_PORT if way == "tls" else 0)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if way == "tls":
        s = context.wrap_socket(s, server_hostname=NAME)
    s.sendall(len(wire).to_bytes(2, "big") + wire)
    room = bytearray(1 << 20)
    view = memoryview(room)
    have = found = messages = 0
    while found < records:
        n = s.recv_into(view[have:])
        if n == 0:
            raise SystemExit(f"{c.name}: {way} ended after {found} records")
        have += n
        at = 0
        while have - at >= 2:
            size = room[at] << 8 | room[at + 1]
            if have - at < 2 + size:
                break
            if room[at + 5] & 15:
                raise SystemExit(f"{c.name}: {way} RCODE {room[at + 5] & 15}")
            found += room[at + 8] << 8 | room[at + 9]
            messages += 1
            at += 2 + size
        room[:have - at] = room[at:have]
        have -= at
    took = time.monotonic() - start
    s.close()
    return took, messages


def show(title, got):
    for (name, way), v in got.items():
        wall, cpu = [x[0] * 1e3 for x in v], [x[1] * 1e3 for x in v]
        print(f"{title:4} {way:6} {name:10} wall {statistics.median(wall):7.0f} [{min(wall):.0f}-{max(wall):.0f}]  "
              f"CPU {statistics.median(cpu):7.0f} [{min(cpu):.0f}-{max(cpu):.0f}] ms, {len(v)} rounds, {v[0][2]} messages", flush=True)


def out(a, blaster, certs):
    got, live = {}, []
    serial = blaster.serial(a.zone)
    try:
        for i, name in enumerate(a.subjects):
            live.append(Server(name, a.zone, certs, i + 1))
            live[-1].load(serial)
        for s in live:
            s.c.settle()
        records = dtool("sink", live[0].c.addr, live[0].c.port, a.zone, 1)[-1]["rrs"]
        for _ in range(a.rounds):
            for way in a.ways:
                for s in live:
                    if way not in ways(s.name):
                        continue
                    cpu = s.c.cpu()
                    took, messages = take(s.c, a.zone, way, certs, records)
                    got.setdefault((s.name, way), []).append((took, s.c.cpu() - cpu, messages))
    finally:
        for s in live:
            s.close()
    show("out", got)


def into(a, blaster, certs):
    got = {}
    serial = blaster.serial(a.zone)
    up = Server("zonerelay", a.zone, certs, 1)
    try:
        up.load(serial)
        up.c.settle()
        for _ in range(a.rounds):
            for way in a.ways:
                for name in a.subjects:
                    if way not in ways(name):
                        continue
                    s = Server(name, a.zone, certs, 2, way, (up.c.addr, up.c.port))
                    try:
                        got.setdefault((name, way), []).append((*s.load(serial), 0))
                    finally:
                        s.close()
    finally:
        up.close()
    show("in", got)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--zone", default="tld1000k")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--subjects", type=lambda s: s.split(","), default=["zonerelay", "bind", "nsd", "knot"])
    p.add_argument("--ways", type=lambda s: s.split(","), default=["plain", "tsig", "tls"])
    p.add_argument("--only", choices=["in", "out"])
    a = p.parse_args()
    os.makedirs(CG, exist_ok=True)
    certs = os.path.join(LAB, "run", "certs")
    certificates(certs)
    blaster = Blaster(big=[a.zone])
    try:
        if a.only != "in":
            out(a, blaster, certs)
        if a.only != "out":
            into(a, blaster, certs)
    finally:
        blaster.close()


main()
