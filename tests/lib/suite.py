# SPDX-License-Identifier: ISC
"""Runs one unittest file for tests/run: python3 tests/lib/suite.py FILE [NAME..]

Tells each skip with its reason as `skipped: TEST: REASON`, how long what took
SLOW_S seconds took, and ends with the line `N passed, N failed, N skipped`.
"""

import importlib.util
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


SLOW_S = 2


class Result(unittest.TextTestResult):
    """Counts tests; a test with failing parts is one failure."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.bad = set()
        self.good = 0
        self.began = time.monotonic()
        self.took = []

    def startTest(self, test):
        """What was made for its class or file counts, too."""
        super().startTest(test)
        self.note("before " + test.id())

    def stopTest(self, test):
        super().stopTest(test)
        self.note(test.id())

    def note(self, what):
        now = time.monotonic()
        self.took.append((now - self.began, what))
        self.began = now

    def addSuccess(self, test):
        super().addSuccess(test)
        if test.id() not in self.bad:
            self.good += 1

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.bad.add(test.id())

    def addError(self, test, err):
        super().addError(test, err)
        self.bad.add(test.id())

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.bad.add(test.id())

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.bad.add(test.id())


def main():
    path, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.basename(path)[:-3]
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loader = unittest.defaultTestLoader
    # A name is looked for in all files of a suite, and this may not have it.
    here = [n for n in names if hasattr(module, n.split(".")[0])]
    tests = loader.loadTestsFromNames(here, module) if names \
        else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(
        stream=sys.stdout, verbosity=2, resultclass=Result).run(tests)
    for seconds, what in sorted(result.took, reverse=True):
        if seconds >= SLOW_S:
            print("slow: %s: %.1f s" % (what, seconds))
    for test, reason in result.skipped:
        print("skipped: %s: %s" % (test.id(), reason))
    print("%d passed, %d failed, %d skipped"
          % (result.good, len(result.bad), len(result.skipped)))
    sys.exit(1 if result.bad else 0)


if __name__ == "__main__":
    main()
