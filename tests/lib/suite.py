# SPDX-License-Identifier: ISC
"""Runs one unittest file for tests/run: python3 tests/lib/suite.py FILE [NAME..]

Tells each skip with its reason as `skipped: TEST: REASON` and ends with the
line `N passed, N failed, N skipped`.
"""

import importlib.util
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Result(unittest.TextTestResult):
    """Counts tests; a test with failing parts is one failure."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.bad = set()
        self.good = 0

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
    tests = loader.loadTestsFromNames(names, module) if names \
        else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(
        stream=sys.stdout, verbosity=2, resultclass=Result).run(tests)
    for test, reason in result.skipped:
        print("skipped: %s: %s" % (test.id(), reason))
    print("%d passed, %d failed, %d skipped"
          % (result.good, len(result.bad), len(result.skipped)))
    sys.exit(1 if result.bad else 0)


if __name__ == "__main__":
    main()
