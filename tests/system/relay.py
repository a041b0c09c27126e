# SPDX-License-Identifier: BSD-2-Clause
"""zonerelayd under test."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import lab as lab_module
from lab import CTL, DAEMON, Process, SLOW, serial_at, wait_for

_TIME = re.compile(r"^(\S+Z) (\w+) ([a-z0-9-]+)(.*)$")
_FIELD = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)')


class Event(dict):
    """One line of the log: event name, level, time (text), and the fields."""

    def __init__(self, line):
        super().__init__()
        m = _TIME.match(line)
        if not m:
            raise ValueError(line)
        self.time, self.level, self.event, rest = m.groups()
        for key, value in _FIELD.findall(rest):
            if value.startswith('"'):
                value = json.loads(value)
            self[key] = value


class Relay:
    """One daemon.  Peers are dicts as in the configuration; zones a dict or a list of names."""

    def __init__(self, lab, name="relay", primaries=None, downstreams=None, zones=None, host="127.0.0.1",
                 server=None, templates=None, port=None, level="debug", env=None,
                 keys=None):
        self.lab = lab
        self.name = name
        self.host = host
        self.dir = lab.folder(name)
        self.port = port or lab_module.free_port()
        self.primaries = primaries or {}
        self.downstreams = downstreams or {}
        self.zones = zones if isinstance(zones, dict) else {z: {} for z in zones or []}
        self.server = dict(server or {})
        self.templates = templates or {}
        self.level = level
        self.keys = keys or {}
        self.conf = os.path.join(self.dir, "zonerelay.yaml")
        self.db = os.path.join(self.dir, "zonerelay.db")
        self.sock = os.path.join(self.dir, "s")
        self.process = Process([DAEMON, "-c", self.conf], os.path.join(self.dir, "log"), self.dir, env)
        self.may_end = False  # the test knows that it has ended
        self.write()
        lab.add(self)

    def __repr__(self):
        return f"relay {self.name}"

    @property
    def address(self):
        return f"{self.host}@{self.port}"

    def write(self):
        server = {"listen": [self.address], "database": self.db, "control": self.sock}
        server.update(self.server)
        conf = {"server": server, "log": {"level": self.level}, "primaries": self.primaries,
                "downstreams": self.downstreams, "zones": self.zones}
        if self.templates:
            conf["templates"] = self.templates
        if self.keys:
            conf["keys"] = self.keys
        if not os.path.exists(self.conf):
            os.close(os.open(self.conf, os.O_CREAT | os.O_WRONLY, 0o600))  # there may be secrets in it
        with open(self.conf, "w") as f:
            json.dump(conf, f, indent=1)  # JSON is YAML

    def start(self, wait=True):
        self.may_end = False
        n = self.process.output().count(" ready ") if os.path.exists(self.process.log) else 0
        self.process.start()
        if wait:
            wait_for(lambda: self._is_ready(n), 30, f"{self.name} ready")
        return self

    def _is_ready(self, n):
        assert self.process.alive(), "zonerelayd has ended: " + self.process.output()[-3000:]
        return self.process.output().count(" ready ") > n

    def stop(self):
        """Ends it in order.  That it ended by itself, unless may_end says so, is a fault."""
        if self.process.proc is None or self.may_end:
            return
        self.may_end = True
        status = self.process.stop()
        assert status == 0, f"{self.name} ended with status {status}: {self.process.output()[-3000:]}"

    def kill(self):
        assert self.process.alive(), f"{self.name} has ended before: {self.process.output()[-3000:]}"
        self.may_end = True
        self.process.kill(signal.SIGKILL)

    def set_ended(self, ago=0):
        """While it does not run: as if it had ended in order so many seconds ago."""
        db = sqlite3.connect(self.db)
        with db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('ended', ?)", (int((time.time() - ago) * 1e6),))
        db.close()

    def restart(self):
        self.stop()
        return self.start()

    def events(self, event=None, **fields):
        """Log lines as Events, filtered."""
        out = []
        for line in self.process.output().splitlines():
            try:
                e = Event(line)
            except ValueError:
                continue
            if event is not None and e.event != event:
                continue
            if all(e.get(k) == str(v) for k, v in fields.items()):
                out.append(e)
        return out

    def check_alive(self):
        assert self.may_end or self.process.alive(), f"{self.name} has ended: {self.process.output()[-6000:]}"

    def wait_event(self, event, count=1, timeout=20, **fields):
        def enough():
            found = self.events(event, **fields)
            if len(found) < count:
                self.check_alive()
            return found if len(found) >= count else None
        return wait_for(enough, timeout, f"{count} x {event} {fields} in the log of {self.name}")

    def serial(self, zone):
        return serial_at(self.port, zone, self.host)

    def wait_serial(self, zone, serial, timeout=20):
        def served():
            found = self.serial(zone)
            if found is None:
                self.check_alive()
            return found == serial
        wait_for(served, timeout, f"{zone} with serial {serial} at {self.name}")

    def ctl(self, *args, check=True):
        """zonerelayctl: the finished process."""
        p = subprocess.run([CTL, "-c", self.conf, *args], capture_output=True, text=True,
                           timeout=60 * SLOW, check=False)
        if check:
            assert p.returncode == 0, f"zonerelayctl {args}: {p.returncode} {p.stdout}{p.stderr}"
        return p

    def json(self, *args):
        """Output of zonerelayctl --json: one object, or a list of them when there are several."""
        text, out, at = self.ctl("--json", *args).stdout.strip(), [], 0
        while at < len(text):
            value, end = json.JSONDecoder().raw_decode(text, at)
            out.append(value)
            at = end + len(text[end:]) - len(text[end:].lstrip())
        return out[0] if len(out) == 1 else out

    def rss_peak(self):
        """Peak resident memory in octets."""
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")
