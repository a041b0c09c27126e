# SPDX-License-Identifier: BSD-2-Clause
"""A zone like that of a large TLD: memory, time, and every record there and back."""

import base64
import hashlib
import os
import random
import subprocess

import pytest

from lab import SLOW, which
from relay import Relay
from servers import Knot

ZONE = "big.test"
# Sanitizers multiply memory and time: the same roads with fewer records then.
RECORDS = 1000000 if SLOW == 1 else 100000
MEMORY = 100 * 1024 * 1024


def write_zone(path):
    """RECORDS records: delegations, glue, and for every third name DS and RRSIG."""
    rng = random.Random(7)
    signature = [base64.b64encode(rng.randbytes(64)).decode() for _ in range(997)]
    count = 3
    with open(path, "w") as f:
        f.write(f"{ZONE}. 86400 IN SOA ns1.{ZONE}. host.{ZONE}. 1 1800 900 604800 86400\n"
                f"{ZONE}. 86400 IN NS ns1.{ZONE}.\nns1.{ZONE}. 86400 IN A 192.0.2.1\n")
        i = 0
        while count < RECORDS:
            name = f"n{(i * 7919) % 9999991:07d}x{i % 13}.{ZONE}."
            f.write(f"{name} 86400 IN NS ns1.host{i % 5000}.example.\n")
            f.write(f"{name} 86400 IN NS ns2.{name}\nns2.{name} 86400 IN A 198.51.{i % 250}.{i % 241}\n")
            count += 3
            if i % 3 == 0:
                digest = hashlib.sha256(name.encode()).hexdigest()
                f.write(f"{name} 86400 IN DS {i % 65536} 13 2 {digest}\n")
                f.write(f"{name} 86400 IN RRSIG DS 13 2 86400 20300101000000 20200101000000 4711 {ZONE}. "
                        f"{signature[i % 997]}\n")
                count += 2
            i += 1
    return count


def digest_of(lab, host, port, kind="AXFR"):
    """(records, digest) of a transfer as kdig prints it, whatever the order."""
    out = os.path.join(lab.path, f"records-{port}")
    command = (f"'{which('kdig')}' +timeout=60 @{host} -p {port} {ZONE} {kind} | grep -v '^;' | grep . "
               f"| LC_ALL=C sort -S 200M -T '{lab.path}' > '{out}'")
    subprocess.run(["sh", "-c", command], check=True, timeout=120 * SLOW)
    sha, lines = hashlib.sha256(), 0
    with open(out, "rb") as f:
        for line in f:
            sha.update(line)
            lines += 1
    os.unlink(out)
    return lines, sha.hexdigest()


def writes(relay):
    """Octets the daemon has written to files and sockets."""
    with open(f"/proc/{relay.process.pid}/io") as f:
        return int(dict(line.split(": ") for line in f)["wchar"])


def test_million_records(lab):
    if not Knot.installed() or not which("kdig"):
        pytest.skip("knotd and kdig are needed")
    primary = Knot(lab, "primary")
    primary.add_zone(ZONE, "")
    count = write_zone(primary.zone_file(ZONE))
    relay = Relay(lab, primaries={"up": {"address": primary.address}}, zones=[ZONE],
                  downstreams={"any": {"transfer-from": ["127.0.0.0/8"], "notify": False}}, level="info")
    primary.notify = [(relay.host, relay.port)]
    primary.start_loaded(ZONE, 1, timeout=120)

    relay.start()
    relay.wait_serial(ZONE, 1, 120)
    done = relay.events("transfer-done")[0]
    assert int(done["records"]) == count
    want = digest_of(lab, primary.host, primary.port)
    assert want[0] == count + 1  # the SOA comes twice
    assert digest_of(lab, relay.host, relay.port) == want
    if SLOW == 1:
        assert relay.rss_peak() < MEMORY, f"{relay.rss_peak() / 1048576:.1f} MiB"

    # A small difference costs little, whatever the zone's size.
    before = writes(relay)
    serial = primary.update(ZONE, [(f"added.{ZONE}.", 300, "A", "192.0.2.99")])
    relay.wait_serial(ZONE, serial, 60)
    assert relay.events("transfer-done")[-1]["kind"] == "IXFR"
    assert writes(relay) - before < 2 * 1024 * 1024

    # The same by AXFR: only what changed is written, and the downstream gets the difference.
    relay.primaries["up"]["ixfr"] = False
    relay.write()
    relay.ctl("reload")
    before = writes(relay)
    serial = primary.update(ZONE, [(f"r{i}.{ZONE}.", 300, "A", "192.0.2.98") for i in range(10)])
    relay.wait_serial(ZONE, serial, 120)
    assert relay.events("transfer-done")[-1]["kind"] == "AXFR"
    assert writes(relay) - before < 4 * 1024 * 1024
    lines, _ = digest_of(lab, relay.host, relay.port, f"IXFR={serial - 1}")
    assert lines == 4 + 10  # four SOAs around ten additions

    assert digest_of(lab, relay.host, relay.port) == digest_of(lab, primary.host, primary.port)
    if SLOW == 1:
        assert relay.rss_peak() < MEMORY, f"{relay.rss_peak() / 1048576:.1f} MiB"

    # Nothing is loaded at a restart.
    relay.restart()
    ready = relay.events("ready")[-1]
    assert int(ready["duration_us"]) < 1000000 * SLOW
    assert relay.serial(ZONE) == serial
