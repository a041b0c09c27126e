# SPDX-License-Identifier: BSD-2-Clause
"""Real name servers, as primary and as downstream: named, nsd, knotd.

A primary has zones as text, sends NOTIFY to its targets, and changes a zone by
update(zone, adds, deletes); the serial goes up by one.  A downstream transfers from one address and is
told by NOTIFY from there.
"""

import os
import shutil
import subprocess

import dns.message
import dns.query
import dns.rcode
import dns.update

from lab import Process, SLOW, ask, free_port, serial_at, wait_for, which


class Server:
    """What all have in common."""

    program = None
    retransfer_word = None
    # Downstreams are told apart by their address; BIND only takes one that an interface has.
    downstream_host = "127.0.0.1"

    def __init__(self, lab, name, primary=None, notify=(), zones=(), transfer_to="127.0.0.1", refresh=1):
        self.lab = lab
        self.name = name
        self.dir = lab.folder(name)
        self.host = "127.0.0.1" if primary is None else self.downstream_host
        self.port = free_port()
        self.primary = primary  # (host, port) or None: we are the primary
        self.notify = list(notify)  # (host, port)
        self.transfer_to = transfer_to
        self.refresh = refresh  # least seconds between two checks of a downstream; large: only when told to
        self.zones = {}
        self.serials = {}
        self.process = None
        for z in zones:
            self.zones[z] = None
        lab.add(self)

    def __repr__(self):
        return f"{type(self).__name__} {self.name}"

    @classmethod
    def installed(cls):
        return which(cls.program) is not None

    @property
    def address(self):
        return f"{self.host}@{self.port}"

    def zone_file(self, zone):
        return os.path.join(self.dir, (zone.rstrip(".") or "root").replace("/", "_") + ".zone")

    def add_zone(self, zone, text):
        """Primary, before start(): `text` is the zone file."""
        self.zones[zone] = text
        with open(self.zone_file(zone), "w") as f:
            f.write(text)

    def start(self):
        self.configure()
        self.process = Process(self.argv(), os.path.join(self.dir, "log"), self.dir).start()
        if self.primary is None:
            for z in self.zones:
                wait_for(lambda z=z: self.serial(z) is not None or self.check_alive(), 20,
                         f"{self} serves {z}")
                self.serials[z] = self.serial(z)
        return self

    def wait_up(self, zone):
        """Until it answers at all, whatever it has of the zone."""
        wait_for(lambda: ask(self.port, zone, "SOA", self.host, timeout=0.5) is not None or self.check_alive(), 20,
                 f"{self} answers")
        return self

    def check_alive(self):
        assert self.process.alive(), f"{self} has ended: {self.process.output()[-3000:]}"

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def serial(self, zone):
        return serial_at(self.port, zone, self.host)

    def configure(self):
        raise NotImplementedError

    def argv(self):
        raise NotImplementedError

    def update(self, zone, adds=(), deletes=()):
        raise NotImplementedError

    def control(self):
        """The server's own command, with what it needs to find the server."""
        raise NotImplementedError

    def retransfer(self):
        """What an administrator would type to have `{zone}` fetched whatever its serial: an argv of a hook."""
        return self.control() + [self.retransfer_word, "{zone}"]

    def run(self, *argv):
        p = subprocess.run(argv, capture_output=True, text=True, timeout=60 * SLOW, check=False)
        assert p.returncode == 0, f"{argv}: {p.stdout} {p.stderr}"
        return p.stdout


class Named(Server):
    """BIND 9.  As a primary it takes dynamic updates."""

    program = "named"
    retransfer_word = "retransfer"

    def __init__(self, *args, transfer_host="127.0.0.1", **how):
        super().__init__(*args, **how)
        self.control_port = free_port()
        self.transfer_host = transfer_host  # where its queries come from

    def control(self):
        return [which("rndc"), "-s", "127.0.0.1", "-p", str(self.control_port),
                "-k", os.path.join(self.dir, "rndc.key")]

    def configure(self):
        with open(os.path.join(self.dir, "rndc.key"), "w") as f:
            f.write('key "rndc-key" { algorithm hmac-sha256; secret "em9uZXJlbGF5IHRlc3RzIG9ubHk="; };\n')
        also = "".join(f"{h} port {p}; " for h, p in self.notify)
        conf = f"""
options {{
  directory "{self.dir}";
  pid-file none; session-keyfile none;
  listen-on port {self.port} {{ {self.host}; }};
  listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify {"explicit" if also else "no"};
  also-notify {{ {also} }};
  allow-transfer {{ any; }};
  check-names primary ignore; check-names secondary ignore; check-integrity no; check-mx ignore;
  check-srv-cname ignore; check-mx-cname ignore; check-wildcard no;
  notify-rate 1000; startup-notify-rate 1000; serial-query-rate 1000; notify-delay 0;
  minimal-responses yes; max-journal-size 100m; provide-ixfr yes; request-ixfr yes;
  max-records 0; max-records-per-type 0; max-types-per-name 0;
}};
include "{self.dir}/rndc.key";
controls {{ inet 127.0.0.1 port {self.control_port} allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }}; }};
logging {{ channel e {{ stderr; severity debug 1; print-time iso8601; }}; category default {{ e; }}; }};
"""
        conf = self.known_options(conf)
        for z in self.zones:
            if self.primary is None:
                conf += (f'zone "{z}" {{ type primary; file "{self.zone_file(z)}"; '
                         f"allow-update {{ 127.0.0.1; }}; ixfr-from-differences no; }};\n")
            else:
                host, port = self.primary
                conf += (f'zone "{z}" {{ type secondary; file "{self.zone_file(z)}"; masterfile-format raw; '
                         f"transfer-source {self.transfer_host}; "
                         f"primaries port {port} {{ {host}; }}; min-refresh-time {self.refresh}; "
                         f"min-retry-time {self.refresh}; }};\n")
        with open(os.path.join(self.dir, "named.conf"), "w") as f:
            f.write(conf)

    def known_options(self, conf):
        """Leaves out what this version of BIND does not know."""
        checker = which("named-checkconf")
        for option in ("max-records-per-type 0;", "max-types-per-name 0;", "max-records 0;"):
            path = os.path.join(self.dir, "try.conf")
            with open(path, "w") as f:
                f.write("options { " + option + " };")
            if not checker or subprocess.run([checker, path], capture_output=True, check=False).returncode:
                conf = conf.replace(option, "")
        return conf

    def argv(self):
        return [which("named"), "-g", "-n", "1", "-c", os.path.join(self.dir, "named.conf")]

    def update(self, zone, adds=(), deletes=()):
        up = dns.update.UpdateMessage(zone)
        for owner, rdtype, rdata in deletes:
            up.delete(owner, rdtype, rdata)
        for owner, ttl, rdtype, rdata in adds:
            up.add(owner, ttl, rdtype, rdata)
        r = dns.query.tcp(up, self.host, port=self.port, timeout=20 * SLOW)
        assert r.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(r.rcode())
        self.serials[zone] = (self.serials[zone] + 1) & 0xFFFFFFFF
        return self.serials[zone]


class Nsd(Server):
    """NSD.  As a primary it makes IXFR from the differences of zone files."""

    program = "nsd"
    retransfer_word = "force_transfer"
    downstream_host = "127.0.0.2"

    def control(self):
        return [which("nsd-control"), "-c", os.path.join(self.dir, "nsd.conf")]

    def configure(self):
        zones = ""
        for z in self.zones:
            zones += f'zone:\n  name: "{z}"\n  zonefile: "{self.zone_file(z)}"\n  provide-xfr: {self.transfer_to} NOKEY\n'
            if self.primary is None:
                zones += "  store-ixfr: yes\n  create-ixfr: yes\n  ixfr-number: 50\n  ixfr-size: 100000000\n"
                for host, port in self.notify:
                    zones += f"  notify: {host}@{port} NOKEY\n  notify-retry: 1\n"
            else:
                host, port = self.primary
                zones += f"  request-xfr: {host}@{port} NOKEY\n  allow-notify: 127.0.0.0/8 NOKEY\n"
                zones += f"  outgoing-interface: {self.host}\n"
                zones += f"  min-refresh-time: {self.refresh}\n  min-retry-time: {self.refresh}\n"
        with open(os.path.join(self.dir, "nsd.conf"), "w") as f:
            f.write(f"""server:
  ip-address: {self.host}@{self.port}
  server-count: 1
  username: ""
  chroot: ""
  pidfile: ""
  zonesdir: "{self.dir}"
  database: ""
  xfrdfile: "{self.dir}/xfrd.state"
  xfrdir: "{self.dir}"
  zonelistfile: "{self.dir}/zone.list"
  verbosity: 2
  xfrd-reload-timeout: 0
  ip-transparent: no
remote-control:
  control-enable: yes
  control-interface: {self.dir}/ctl
{zones}""")

    def argv(self):
        return [which("nsd"), "-d", "-c", os.path.join(self.dir, "nsd.conf")]

    def update(self, zone, adds=(), deletes=()):
        text = self.zones[zone].splitlines()
        gone = {" ".join(d) for d in deletes}
        kept = []
        for line in text:
            f = line.split(None, 4)
            if len(f) == 5 and " ".join((f[0], f[3], f[4])) in gone:
                continue
            kept.append(line)
        for owner, ttl, rdtype, rdata in adds:
            kept.append(f"{owner} {ttl} IN {rdtype} {rdata}")
        serial = (self.serials[zone] + 1) & 0xFFFFFFFF
        first = kept[0].split()
        first[6] = str(serial)  # owner ttl IN SOA mname rname serial
        kept[0] = " ".join(first)
        self.zones[zone] = "\n".join(kept) + "\n"
        with open(self.zone_file(zone), "w") as f:
            f.write(self.zones[zone])
        self.run(*self.control(), "reload", zone)
        self.serials[zone] = serial
        return serial


class Knot(Server):
    """Knot DNS.  As a primary it is changed by knotc transactions."""

    program = "knotd"
    retransfer_word = "zone-retransfer"
    downstream_host = "127.0.0.3"

    def control(self):
        return [which("knotc"), "-c", os.path.join(self.dir, "knot.conf")]

    def configure(self):
        remotes, notify = "", []
        for i, (host, port) in enumerate(self.notify):
            remotes += f"  - id: n{i}\n    address: {host}@{port}\n"
            notify.append(f"n{i}")
        master = ""
        if self.primary is not None:
            host, port = self.primary
            remotes += f"  - id: up\n    address: {host}@{port}\n    via: {self.host}\n"
            master = f"    master: up\n    refresh-min-interval: {self.refresh + 1}\n"
            master += f"    retry-min-interval: {self.refresh + 1}\n    zonefile-sync: -1\n    zonefile-load: none\n"
        else:
            master = "    zonefile-load: difference\n    zonefile-sync: -1\n    journal-content: changes\n"
        zones = ""
        for z in self.zones:
            zones += f'  - domain: "{z}"\n    file: "{self.zone_file(z)}"\n    acl: [all]\n    semantic-checks: off\n{master}'
            if notify:
                zones += f"    notify: [{', '.join(notify)}]\n"
        with open(os.path.join(self.dir, "knot.conf"), "w") as f:
            f.write(f"""server:
    listen: {self.host}@{self.port}
    rundir: {self.dir}
    udp-workers: 1
    tcp-workers: 2
    background-workers: 2
database:
    storage: {self.dir}
    journal-db-max-size: 200M
    timer-db-max-size: 10M
    kasp-db-max-size: 10M
log:
  - target: stderr
    any: info
{"remote:" if remotes else ""}
{remotes}
acl:
  - id: all
    address: 127.0.0.0/8
    action: [transfer, notify]
zone:
{zones}""")

    def argv(self):
        return [which("knotd"), "-c", os.path.join(self.dir, "knot.conf")]

    def start_loaded(self, zone, serial, timeout=20):
        """Starts with a zone file that is there already, however large."""
        self.configure()
        self.process = Process(self.argv(), os.path.join(self.dir, "log"), self.dir).start()
        wait_for(lambda: self.serial(zone) == serial or self.check_alive(), timeout, f"{self} serves {zone}")
        self.serials[zone] = serial
        return self

    def stop(self):
        super().stop()
        for d in ("journal", "timers", "keys"):
            shutil.rmtree(os.path.join(self.dir, d), ignore_errors=True)

    def knotc(self, *args):
        return self.run(*self.control(), "-b", *args)

    def update(self, zone, adds=(), deletes=()):
        serial = (self.serials[zone] + 1) & 0xFFFFFFFF
        soa = self.knotc("zone-read", zone, "@", "SOA").split()
        at = soa.index("SOA")
        soa[at + 3] = str(serial)
        self.knotc("zone-begin", zone)
        self.knotc("zone-unset", zone, "@", "SOA")
        self.knotc("zone-set", zone, "@", soa[at - 1], "SOA", " ".join(soa[at + 1:]))
        for owner, rdtype, rdata in deletes:
            self.knotc("zone-unset", zone, owner, rdtype, rdata)
        for owner, ttl, rdtype, rdata in adds:
            self.knotc("zone-set", zone, owner, str(ttl), rdtype, rdata)
        self.knotc("zone-commit", zone)
        self.serials[zone] = serial
        return serial


ALL = {"named": Named, "nsd": Nsd, "knotd": Knot}
