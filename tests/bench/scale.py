#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How start-up, memory, disk and a storm of NOTIFYs grow with the number of zones.

    scale.py ZONERELAYD [--storm known|news|both] [COUNT ...]      default: 1000 10000 100000 1000000
    scale.py --plot FILE      draws scale.svg beside FILE, a JSON list of such rows (needs matplotlib)

Zones of one segment are written straight into a database.  Each count is started anew; nothing is due, so
what is measured is the start, not the primary.  Then every zone gets a NOTIFY with the serial that it has
(answered at once), and one with the next serial (answered when its mark is on disk; nobody listens at
the primary's address).  A million zones take some minutes for each of the two: --storm does one of them.
CPU is that of the daemon.  Prints a table, and one JSON object for each row.
"""
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

ADDRESS, PORT = "127.0.0.1", 5391
PRIMARY = "127.0.0.1"
SERIAL = 100
WINDOW = 64
OCTETS = 600  # content of one zone: 20 records


def label(i):
    return f"z{i:07d}"


def wire(i):
    name = label(i).encode()
    return bytes([len(name)]) + name + b"\x05bench\x00"


def soa_rdata(serial):
    return b"\x02ns\x05bench\x00\x04host\x05bench\x00" + struct.pack(">5I", serial, 86400, 7200, 3600000, 300)


def message(number, i, opcode, serial=None):
    q = wire(i) + struct.pack(">HH", 6, 1)
    m = struct.pack(">HHHHHH", number & 0xFFFF, opcode << 11, 1, 0 if serial is None else 1, 0, 0) + q
    if serial is not None:
        rdata = soa_rdata(serial)
        m += b"\xc0\x0c" + struct.pack(">HHIH", 6, 1, 300, len(rdata)) + rdata
    return m


class Daemon:
    def __init__(self, program, folder, count):
        self.folder = folder
        with open(folder + "/zones.txt", "w", encoding="ascii") as f:
            f.writelines(f"{label(i)}.bench\n" for i in range(count))
        lists = "zone-lists:\n  - {file: zones.txt, template: default}\ntemplates:\n  default: {}\n"
        with open(folder + "/conf.yaml", "w", encoding="ascii") as f:
            f.write(
                f"server:\n  listen: {ADDRESS}@{PORT}\n  database: {folder}/db\n  control: {folder}/s\n"
                f"primaries:\n  up: {{address: {PRIMARY}@5392}}\n"
                f"downstreams:\n  any: {{transfer-from: [{PRIMARY}], notify: no}}\n" + (lists if count else "")
            )
        # pylint: disable=consider-using-with
        self.log = open(folder + "/log", "w+", encoding="ascii")
        self.began = time.monotonic()
        self.process = subprocess.Popen([program, "-c", folder + "/conf.yaml"], stderr=self.log)

    def wait_ready(self):
        with open(self.folder + "/log", encoding="ascii") as f:
            while self.process.poll() is None:
                line = f.readline()
                if " ready " in line:
                    return time.monotonic() - self.began
                if not line:
                    time.sleep(0.001)
        raise SystemExit("the daemon has ended: " + self.folder + "/log")

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()


def fill(path, count):
    """One segment each; what it holds is read by nobody here."""
    db = sqlite3.connect(path)
    now = int(time.time() * 1e6)
    later = now + 30 * 86400 * 1000000
    rdata, data, digest = soa_rdata(SERIAL), bytes(OCTETS), bytes(32)
    db.executemany(
        "INSERT INTO zone (id, name, version, serial, soa_ttl, soa, soa_owner, digest, segments, records, octets,"
        " loaded_at, checked_at, refresh_at, expire_at) VALUES (?, ?, 1, ?, 300, ?, ?, ?, 1, 20, ?, ?, ?, ?, ?)",
        ((i + 1, wire(i), SERIAL, rdata, wire(i), digest, OCTETS, now, now, later, later) for i in range(count)),
    )
    db.executemany(
        "INSERT INTO content (id, zone, key, born, data) VALUES (?, ?, x'00', 1, ?)",
        ((i + 1, i + 1, data) for i in range(count)),
    )
    db.executemany(
        "INSERT INTO segment (zone, key, born, id, rrs, octets, digest) VALUES (?, x'00', 1, ?, 20, ?, ?)",
        ((i + 1, i + 1, OCTETS, digest) for i in range(count)),
    )
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def client():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((PRIMARY, 0))
    s.connect((ADDRESS, PORT))
    s.settimeout(0.5)
    return s


def storm(daemon, count, serial):
    """Each zone once, a window at a time, again until answered NOERROR.  (seconds, CPU seconds)"""
    s = client()
    began, cpu = time.monotonic(), daemon.cpu()
    at = 0
    while at < count:
        todo = dict((k & 0xFFFF, k) for k in range(at, min(at + WINDOW, count)))
        while todo:
            for k in todo.values():
                s.send(message(k, k, 4, serial))
            try:
                for _ in range(len(todo)):
                    r = s.recv(600)
                    if r[3] & 15 == 0:
                        todo.pop(struct.unpack(">H", r[:2])[0], None)
            except TimeoutError:
                pass
        at += WINDOW
    return time.monotonic() - began, daemon.cpu() - cpu


def answers(daemon, i):
    """Seconds from the start until zone i is answered with its serial."""
    s = client()
    s.settimeout(0.002)
    while daemon.process.poll() is None:
        try:
            s.send(message(1, i, 0))
            r = s.recv(600)
            if r[3] & 15 == 0 and r[7] == 1:
                break
            time.sleep(0.001)
        except OSError:
            time.sleep(0.001)
    return time.monotonic() - daemon.began


def measure(program, count, folder, storms):
    first = Daemon(program, folder, 0)
    first.wait_ready()
    time.sleep(0.2)
    empty = first.rss()
    first.stop()
    fill(folder + "/db", count)
    disk = os.path.getsize(folder + "/db") / (1 << 20)
    d = Daemon(program, folder, count)
    served = answers(d, count - 1)
    d.wait_ready()
    time.sleep(0.3)
    cpu, rss = d.cpu(), d.rss()
    told = {}
    for name, serial in (("known", SERIAL), ("news", SERIAL + 1)):
        if name in storms:
            seconds, used = storm(d, count, serial)
            told |= {name + "_per_s": round(count / seconds), name + "_cpu_us": round(used * 1e6 / count, 2)}
    told["rss_after_mib"] = round(d.rss(), 1)
    began = time.monotonic()
    d.stop()
    told["stop_s"] = round(time.monotonic() - began, 2)
    return {
        "zones": count,
        "served_s": round(served, 3),
        "start_cpu_s": round(cpu, 2),
        "start_cpu_us_per_zone": round(cpu * 1e6 / count, 2),
        "rss_mib": round(rss, 1),
        "octets_per_zone": round((rss - empty) * (1 << 20) / count),
        "disk_mib": round(disk, 1),
        **told,
    }


def panel(ax, rows, title, unit, lines):
    for key, name in lines:
        points = [(r["zones"], r[key]) for r in rows if key in r]
        ax.plot(*zip(*points), marker="o", ms=4, lw=1.6, label=name)
    ax.set(xscale="log", xlabel="zones", ylabel=unit, title=title)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)


def plot(path):
    import matplotlib  # pylint: disable=import-outside-toplevel

    matplotlib.use("svg")
    import matplotlib.pyplot as plt  # pylint: disable=import-outside-toplevel

    with open(path, encoding="ascii") as f:
        rows = json.load(f)
    for r in rows:
        r["served_us"] = r["served_s"] * 1e6 / r["zones"]
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                         "svg.hashsalt": "scale"})
    fig, axes = plt.subplots(1, 3, figsize=(13, 3.8))
    panel(axes[0], rows, "Start", "microseconds a zone",
          [("served_us", "until the last zone answers"), ("start_cpu_us_per_zone", "CPU")])
    panel(axes[1], rows, "A NOTIFY for every zone", "microseconds of CPU each",
          [("news_cpu_us", "new serial: a mark on disk"), ("known_cpu_us", "known serial")])
    panel(axes[2], rows, "Memory", "octets a zone over an empty daemon", [("octets_per_zone", "after the start")])
    fig.tight_layout()
    fig.savefig(os.path.join(os.path.dirname(os.path.abspath(path)), "scale.svg"), metadata={"Date": None})


def main():
    args = sys.argv[1:]
    if len(args) == 2 and args[0] == "--plot":
        plot(args[1])
        return
    if not args:
        sys.exit(__doc__)
    program, storms = args.pop(0), ("known", "news")
    if args and args[0] == "--storm":
        storms = storms if args[1] == "both" else (args[1],)
        args = args[2:]
    counts = [int(c) for c in args] or [1000, 10000, 100000, 1000000]
    rows = []
    for count in counts:
        folder = tempfile.mkdtemp(prefix="zr-scale.")
        try:
            rows.append(measure(program, count, folder, storms))
            print(json.dumps(rows[-1]), flush=True)
        finally:
            shutil.rmtree(folder)
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(v) for v in row.values()) + " |")


main()
