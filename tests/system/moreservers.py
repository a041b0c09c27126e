# SPDX-License-Identifier: BSD-2-Clause
"""Further name servers, as downstreams only: PowerDNS, ixfrdist, YADIFA."""

import os
import sqlite3

from lab import which
from servers import Server

SCHEMA = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"


class Pdns(Server):
    """PowerDNS with zones in SQLite."""

    program = "pdns_server"
    retransfer_word = "retrieve"
    downstream_host = "127.0.0.5"

    @classmethod
    def installed(cls):
        return which(cls.program) is not None and os.path.exists(SCHEMA)

    def control(self):
        return [which("pdns_control"), f"--config-dir={self.dir}"]

    def configure(self):
        db = os.path.join(self.dir, "pdns.sqlite3")
        with open(os.path.join(self.dir, "pdns.conf"), "w") as f:
            f.write(f"""launch=gsqlite3
gsqlite3-database={db}
module-dir={self.module_dir()}
local-address={self.host}
local-port={self.port}
socket-dir={self.dir}
secondary=yes
setuid=
setgid=
guardian=no
daemon=no
disable-syslog=yes
write-pid=no
webserver=no
api=no
xfr-cycle-interval={self.refresh}
query-local-address={self.host}
security-poll-suffix=
allow-axfr-ips=127.0.0.0/8
allow-notify-from=127.0.0.0/8
loglevel=5
""")
        with open(SCHEMA) as f:
            sql = f.read()
        host, port = self.primary
        for z in self.zones:
            sql += (f"INSERT INTO domains(name, master, type) VALUES('{z.rstrip('.')}', '{host}:{port}', 'SLAVE');\n")
        if os.path.exists(db):
            os.unlink(db)
        con = sqlite3.connect(db)
        con.executescript(sql)
        con.close()

    @staticmethod
    def module_dir():
        for folder in ("/usr/lib/x86_64-linux-gnu/pdns", "/usr/lib/aarch64-linux-gnu/pdns", "/usr/lib64/pdns",
                       "/usr/lib/pdns"):
            if os.path.isdir(folder):
                return folder
        return "/usr/lib/pdns"

    def argv(self):
        return [which("pdns_server"), f"--config-dir={self.dir}"]


class Ixfrdist(Server):
    """PowerDNS's distributor of zones."""

    program = "ixfrdist"
    downstream_host = "127.0.0.6"

    def configure(self):
        host, port = self.primary
        zones = "".join(f"  - domain: {z}\n    master: {host}:{port}\n" for z in self.zones)
        with open(os.path.join(self.dir, "ixfrdist.yml"), "w") as f:
            f.write(f"""listen:
  - '{self.host}:{self.port}'
acl:
  - '127.0.0.0/8'
work-dir: '{self.dir}'
failed-soa-retry: 1
axfr-timeout: 10
domains:
{zones}""")

    def argv(self):
        return [which("ixfrdist"), f"--config={self.dir}/ixfrdist.yml", "--verbose"]


class Yadifa(Server):
    """YADIFA."""

    program = "yadifad"
    downstream_host = "127.0.0.7"

    def configure(self):
        host, port = self.primary
        for folder in ("data", "keys", "xfr", "logs"):
            os.makedirs(os.path.join(self.dir, folder), exist_ok=True)
        zones = "".join(f"""<zone>
  type secondary
  domain {z}
  file {z}.zone
  primary {host} port {port}
  allow-notify any
</zone>
""" for z in self.zones)
        with open(os.path.join(self.dir, "yadifad.conf"), "w") as f:
            f.write(f"""<main>
  daemonize off
  datapath {self.dir}/data
  keyspath {self.dir}/keys
  xfrpath {self.dir}/xfr
  logpath {self.dir}/logs
  pidfile {self.dir}/pid
  listen {self.host} port {self.port}
  allow-query any
  allow-notify any
  allow-transfer any
  uid {os.getuid()}
  gid {os.getgid()}
</main>
<channels>
  all stdout
</channels>
<loggers>
  system info all
  server info all
</loggers>
{zones}""")

    def argv(self):
        return [which("yadifad"), "-c", os.path.join(self.dir, "yadifad.conf")]


MORE = {"pdns": Pdns, "ixfrdist": Ixfrdist, "yadifad": Yadifa}
