# SPDX-License-Identifier: ISC
"""Reads the pages as a user does: python3 read_pages.py MANDOC PAGE...

What mandoc's lint takes for good may still print as nonsense: a macro that is not
first in its line is a word, and a quotation within another has too many marks.
"""

import re
import subprocess
import sys

FAULTS = (
    ("a macro as a word", r"(?:^|[ (])\.?(?:Ar|Cm|Dq|Dv|Em|Fl|Ic|Li|Nm|Ns|Pa|Pc|"
     r"Pf|Po|Pq|Ql|Sx|Xr)(?= |$)"),
    ("a quotation within another", r"‘[^’]*‘|’’|“[^”]*“"),
    ("a quotation in Markdown's marks", r"`"),
    ("a mark behind a blank", r" [,;:.)](?: |$)|\( "),
)


def faults(mandoc, page):
    text = subprocess.run([mandoc, "-T", "utf8", "-O", "width=900", page],
                          check=True, capture_output=True).stdout.decode()
    for line in re.sub("(?s).\b", "", text).splitlines():
        for what, pattern in FAULTS:
            m = re.search(pattern, line)
            if m:
                yield "%s: %s: ...%s..." % (
                    page, what, line[max(0, m.start() - 40):m.end() + 40].strip())


def main():
    mandoc, *pages = sys.argv[1:]
    found = [fault for page in pages for fault in faults(mandoc, page)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
