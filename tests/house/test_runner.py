# SPDX-License-Identifier: ISC
"""The runner's own rules: what counts as passed, failed, skipped."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import tempfile
import textwrap
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load():
    loader = importlib.machinery.SourceFileLoader(
        "tests_run", os.path.join(TESTS, "run"))
    spec = importlib.util.spec_from_loader("tests_run", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


run = load()


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.runner = run.Runner(argparse.Namespace(
            build=folder.name, long=False, seed=1, test=[], show=0))
        self.runner.root = []
        os.makedirs(self.runner.logs)
        self.tally = run.Tally("x")
        self.said = io.StringIO()

    def counts(self):
        return self.tally.passed, self.tally.failed, self.tally.skipped

    def test_unit_programs(self):
        for name, result, out, want in (
            ("good", "OK", "1..2\nok 1 - a\nok 2 - b\n# ok - tests\n",
             (2, 0, 0)),
            ("bad case", "FAIL", "ok 1 - a\nnot ok 2 - b\n", (1, 1, 0)),
            ("crash", "FAIL", "1..2\nok 1 - a\n", (1, 1, 0)),
            ("crash at once", "FAIL", "", (0, 1, 0)),
            ("time", "TIMEOUT", "ok 1 - a\n", (1, 1, 0)),
            ("no cmocka", "OK", "fine\n", (1, 0, 0)),
            ("skip without a stored reason", "OK",
             "needs the moon\nnot ok 1 # SKIP a\nok 2 - b\n", (1, 1, 0)),
            ("skip with one", "OK",
             "long run only (make test-long)\nnot ok 1 # SKIP a\n",
             (0, 0, 1)),
        ):
            with self.subTest(name), contextlib.redirect_stdout(self.said):
                self.tally = run.Tally("x")
                self.runner._unit_program(self.tally, {
                    "name": name, "result": result, "stdout": out})
                self.assertEqual(self.counts(), want)

    def program(self, text):
        path = os.path.join(self.runner.build, "test_x.py")
        with open(path, "w", encoding="utf-8") as f:
            f.write(textwrap.dedent(text))
        with contextlib.redirect_stdout(self.said):
            self.runner._program(self.tally, path)
        return self.counts()

    def test_suite_is_counted(self):
        self.assertEqual(self.program("""
            import unittest
            class X(unittest.TestCase):
                def test_a(self): pass
                def test_b(self): self.fail()
                def test_c(self): raise OSError
                def test_d(self):
                    for i in range(3):
                        with self.subTest(i=i): self.assertEqual(i, 1)
                @unittest.skip("long run only (make test-long)")
                def test_e(self): pass
                @unittest.skip("too lazy")
                def test_f(self): pass
            """), (1, 4, 1))

    def test_named_tests(self):
        """In whichever file of a suite; one that none has is a mistake."""
        text = """
            import unittest
            class %s(unittest.TestCase):
                def test_a(self): pass
                def test_b(self): self.fail()
            """
        paths = []
        for name in "XY":
            paths.append(os.path.join(self.runner.build, "test_%s.py" % name))
            with open(paths[-1], "w", encoding="utf-8") as f:
                f.write(textwrap.dedent(text % name))
        for names, want in ((["Y.test_a"], (1, 0)), (["Y"], (1, 1)),
                            (["X.test_a", "Y.test_a"], (2, 0)),
                            (["X.test_c"], (0, 1)), (["Z"], (0, 1))):
            self.runner.args.test = names
            with self.subTest(names), contextlib.redirect_stdout(self.said):
                tally = self.runner.suite("x", paths)
                self.assertEqual((tally.passed, tally.failed), want)

    def test_suite_that_cannot_start_fails(self):
        self.assertEqual(self.program("import nonsense_of_no_kind"), (0, 1, 0))

    def test_set_up_that_fails_is_counted(self):
        self.assertEqual(self.program("""
            import unittest
            class X(unittest.TestCase):
                @classmethod
                def setUpClass(cls): raise OSError
                def test_a(self): pass
            """), (0, 1, 0))

    def test_suite_that_hangs_fails(self):
        self.runner.limit = 1
        self.assertEqual(self.program("import time; time.sleep(60)"),
                         (0, 1, 0))

    def test_not_root_may_skip(self):
        self.runner.root = None
        self.assertEqual(self.program("""
            import unittest
            class X(unittest.TestCase):
                @unittest.skip("needs root")
                def test_a(self): pass
            """), (0, 0, 1))


if __name__ == "__main__":
    unittest.main()
