#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Everything that must hold before a change is taken, on a fresh clone.

Needs gcc, make, python3 and apt.  The test run as an operator types it,
all suites in which popper runs again with sanitizers, each fuzz target for a
while with its stored corpus.  Ends with one line `N passed, N failed,
N skipped`.
"""

import glob
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAST_LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
# Suites in which no popper runs (they test the tests or read the source), or
# only that of the package.
NOT_SANITIZED = {"deb", "floors", "fuzz", "house", "paper"}
FUZZ_SECONDS = 13       # for each target
ROOT = [] if os.geteuid() == 0 else ["sudo"]


class Sum:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.rows = []

    def add(self, what, passed, failed, skipped, seconds):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        self.rows.append("%-12s %5d passed %3d failed %3d skipped %7.1f s"
                         % (what, passed, failed, skipped, seconds))


def part(total, what, argv, env=None):
    """A program that ends with the line of totals, which is not repeated."""
    print("== %s: %s" % (what, " ".join(argv)), flush=True)
    began = time.monotonic()
    last = None
    p = subprocess.Popen(argv, cwd=TOP, text=True, errors="replace",
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, **(env or {})))
    for line in p.stdout:
        m = LAST_LINE.match(line.rstrip("\n"))
        if m:
            last = [int(x) for x in m.groups()]
        else:
            print(line, end="", flush=True)
    code = p.wait()
    if last is None:
        last = [0, 1, 0]
        print("%s ended with %d and without a count" % (what, code))
    elif code != 0 and last[1] == 0:
        last[1] = 1
        print("%s ended with %d" % (what, code))
    total.add(what, *last, time.monotonic() - began)


def install():
    """The second compiler, with its sanitizers and fuzzer."""
    apt = ROOT + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run(apt + ["update"], check=True)
    subprocess.run(apt + ["-y", "--no-install-recommends", "install", "clang",
                          "llvm"], check=True, stdout=subprocess.DEVNULL)
    major = subprocess.run(["clang", "-dumpversion"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split(".")[0]
    subprocess.run(apt + ["-y", "--no-install-recommends", "install",
                          "libclang-rt-%s-dev" % major], check=True,
                   stdout=subprocess.DEVNULL)


def sanitizers(total):
    found = {os.path.basename(os.path.dirname(p))
             for p in glob.glob(TOP + "/tests/*/test_*.py")
             + glob.glob(TOP + "/tests/*/run.py")}
    suites = [a for s in ["unit", *sorted(found - NOT_SANITIZED)]
              for a in ("--only", s)]
    part(total, "sanitizers",
         [sys.executable, "tests/run", "--no-install", "--build", "build-san",
          "--setup=-Db_sanitize=address,undefined", "--setup=-Db_lundef=false",
          *suites],
         {"POPPER_SANITIZED": "1",
          "ASAN_OPTIONS": "quarantine_size_mb=8",
          "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


def fuzz(total):
    part(total, "fuzz",
         [sys.executable, "tests/run", "--no-install", "--no-build",
          "--build", "build-fuzz", "--only", "fuzz"],
         {"POPPER_FUZZ_SECONDS": str(FUZZ_SECONDS)})


def main():
    total = Sum()
    try:
        install()
    except (OSError, subprocess.CalledProcessError) as e:
        print("could not install what the sanitizers and fuzzers need: %s" % e)
        total.failed += 1
    part(total, "make test", ["make", "test"])
    sanitizers(total)
    fuzz(total)
    print()
    print("\n".join(total.rows))
    print("%d passed, %d failed, %d skipped"
          % (total.passed, total.failed, total.skipped))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
