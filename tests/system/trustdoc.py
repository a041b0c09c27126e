# SPDX-License-Identifier: BSD-2-Clause
"""contrib/interop-trust.md: what the tests saw with other servers under TLS and with TSIG.

With ZONERELAY_INTEROP=write a table is written anew; otherwise a row that does not stand there is a failure.
"""

import os
import re
import subprocess

from lab import which

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "interop-trust.md")
WRITE = os.environ.get("ZONERELAY_INTEROP") == "write"


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def table(head, rows):
    return "".join(line(r) for r in [head, ["---"] * len(head)] + rows)


def version(*argv):
    p = subprocess.run([which(argv[0])] + list(argv[1:]), capture_output=True, text=True, check=False, timeout=30)
    return re.search(r"(\d+\.\d+(\.\d+)?)", p.stdout + p.stderr).group(1)


def check(section, head, rows, said):
    """That these rows are in the section of this name.  `said` gives the versions, for the file alone."""
    with open(DOC) as f:
        text = f.read()
    before, _, rest = text.partition(f"<!-- {section} -->\n")
    stands, end, after = rest.partition(f"<!-- end {section} -->\n")
    assert end, f"no section {section} in contrib/interop-trust.md"
    if WRITE:
        stands = f"Seen with {said()}.\n\n{table(head, rows)}"
        with open(DOC, "w") as f:
            f.write(before + f"<!-- {section} -->\n" + stands + end + after)
    for row in rows:
        assert line(row) in stands, f"contrib/interop-trust.md does not say: {line(row)}"
