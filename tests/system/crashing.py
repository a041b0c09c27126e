# SPDX-License-Identifier: BSD-2-Clause
"""What the crash campaigns share: which contents a zone ever had, and how primaries misbehave."""

import collections
import hashlib
import struct
import threading

import dns.rdatatype

from fakedownstream import apply_steps


def digest(records):
    """Of a zone, whatever the order of its records."""
    h = hashlib.sha256()
    for k in sorted(r.key() for r in records):
        h.update(k[0] + struct.pack("!HHII", k[1], k[2], k[3], len(k[4])) + k[4])
    return h.digest()


class History:
    """Which contents a zone ever had at the primary, and what downstream has seen of it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.digests = collections.defaultdict(lambda: collections.defaultdict(set))    # zone -> serial -> digests
        self.told = collections.defaultdict(set)        # serials whose NOTIFY was answered
        self.seen = collections.defaultdict(set)        # serials that a fetch began to bring
        self.faults = []

    def note(self, zone, content):
        """The primary has this now; before anybody can ask for it."""
        d = digest(content)
        serial = next(r.rdata.serial for r in content if r.rdata.rdtype == dns.rdatatype.SOA)
        with self.lock:
            self.digests[zone][serial].add(d)
        return d

    def check(self, zone, records, serial, where):
        """True when these records are a version the primary had."""
        d = digest(records)
        with self.lock:
            if d not in self.digests[zone].get(serial, ()):
                self.faults.append(f"{where}: {zone} {serial} with {len(records)} records was never that")
                return False
            return True


def brought(history, zone, have, t):
    """The records that a transfer leads to for who has (serial, records ...); None: to none that the primary had."""
    records = t.records
    if t.kind == "diff":
        try:
            records = apply_steps(have[1], t)
        except ValueError as e:
            history.faults.append(f"IXFR of {zone} from {have[0]} to {t.serial}: {e}")
            return None
    return records if history.check(zone, records, t.serial, f"fetched by {t.kind}") else None


def in_order(records):
    return sorted(records, key=lambda r: r.name)


# Moods of a primary: how it answers the next query of a kind.
MOODS = (("IXFR", {"ixfr": "full"}), ("IXFR", {"ixfr": "absent"}), ("IXFR", {"rcode": "SERVFAIL"}),
         ("IXFR", {"close_after": 0}), ("AXFR", {"close_after": 2}), ("AXFR", {"message_delay": 0.01}),
         ("AXFR", {"message_delay": 0.01, "order": in_order}), ("AXFR", {"order": in_order}),
         ("IXFR", {"records_per_message": 1, "message_delay": 0.002}), ("SOA/udp", {"tc": True}))
