# SPDX-License-Identifier: BSD-2-Clause
"""zonerelay as a subject of a benchmark lab that runs secondaries side by side.

ZONERELAYD names the program to measure.  Only what any user would have to write is
configured: addresses, peers, zones.
"""
import os

from labcommon import sigterm, udp_answers

NAME = "zonerelay"
FEATURES = {"notify_in", "notify_out", "ixfr_in", "axfr_out", "many"}
ready = udp_answers
stop = sigterm


def write_config(c):
    host, port = c.primary[0], c.primary[1]
    sources = [a for a in c.allow_notify if a != host]
    with open(c.dir + "/zonerelay.yaml", "w") as f:
        f.write(f"server:\n  listen: {c.addr}@{c.port}\n  database: {c.dir}/zonerelay.db\n"
                f"  control: {c.dir}/s\n")
        f.write(f"primaries:\n  up:\n    address: {host}@{port}\n    source: {c.addr}\n")
        if sources:
            f.write("    notify-from: [" + ", ".join(sources) + "]\n")
        f.write("downstreams:\n  any: {transfer-from: [127.0.0.0/8], notify: no}\n")
        for i, (h, p) in enumerate(c.notify):
            f.write(f"  down{i}: {{address: {h}@{p}, source: {c.addr}}}\n")
        if len(c.zones) > 100:
            f.write("zone-lists:\n  - {file: zones.txt, template: default}\n")
            f.write("templates:\n  default: {}\n")
            with open(c.dir + "/zones.txt", "w") as z:
                z.write("".join(f"{n}\n" for n in c.zones))
        else:
            f.write("zones:\n" + "".join(f"  {n}: {{}}\n" for n in c.zones))


def start(c):
    return c.spawn([os.environ["ZONERELAYD"], "-c", c.dir + "/zonerelay.yaml"])
