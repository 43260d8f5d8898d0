# SPDX-License-Identifier: ISC
"""What is written is what is built: options, words of the log, exit codes and
capabilities stand in the code and in the papers alike.
"""

import glob
import os
import re
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# Functions that begin a line of the log; their word is a literal.
TELLERS = r"(?:log_begin|log_text|log_fault|line_begin|tell|say)"
WORD = re.compile(r'"([a-z]+(?:-[a-z]+)*)"')


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def sources():
    for path in sorted(glob.glob(TOP + "/src/*/*.c")):
        if not path.endswith("_test.c"):
            yield re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)


def options():
    """name: fallback of every option, as the code has it."""
    out = {}
    for path in glob.glob(TOP + "/src/*/options.c"):
        for name, fallback in re.findall(
                r'\.name = "(\w+)".*?\.fallback = ("[^,]*)', read(path), re.S):
            out[name] = fallback.strip('"')
    return out


def section(text, begin, end):
    return text.split(begin, 1)[1].split(end, 1)[0]


def log_words():
    """(words that an operator sees, words that only debugging shows)."""
    seen, debug = set(), set()
    for code in sources():
        for call in re.findall(r"\b%s\((.*?);" % TELLERS, code, re.S):
            levels = set(re.findall(r"\bLEVEL_\w+", call))
            (debug if levels == {"LEVEL_DEBUG"} else seen).update(
                WORD.findall(call))
    return seen, debug


class Paper(unittest.TestCase):
    def test_options_of_the_design(self):
        rows = section(read("docs/design.md"), "## 4.", "## 5.")
        names = []
        for row in re.findall(r"^\| (.+?) \|", rows, re.M)[1:]:
            names += row.split(", ")
        self.assertGreater(len(names), 40)
        self.assertEqual(sorted(names), sorted(options()))

    def test_options_of_the_shipped_file(self):
        """What is set aside is the default, but for examples of paths."""
        known = options()
        for off, name, value in re.findall(
                r"^(#?)(\w+) = (.*)$", read("etc/popper.conf"), re.M):
            self.assertIn(name, known)
            if off and known[name]:
                if "SYSCONFDIR" not in known[name]:
                    self.assertEqual(value, known[name], name)

    def test_words_of_the_log(self):
        seen, debug = log_words()
        self.assertGreater(len(seen), 50)
        told = set(re.findall(r"[a-z]+(?:-[a-z]+)*", " ".join(re.findall(
            r"^\.It Li (.*)$", section(read("man/popper.8"),
                                       ".Sh DIAGNOSTICS", ".Sh SEE ALSO"),
            re.M))))
        self.assertEqual(seen - told, set(), "not in popper(8)")
        self.assertEqual(told - seen - debug, {"tats"}, "not in the code")

    def test_reasons_of_the_log(self):
        text = section(read("man/popper.8"), ".It Li login-failed",
                       ".It Li stranger-end")
        for name in ("src/auth/check.c", "src/role/session.c",
                     "src/role/pump.c"):
            code = read(name)
            words = set(re.findall(r'\[REASON_\w+\]\s*= "([a-z-]+)"', code))
            words |= set(re.findall(r'(?:return|[?:]) "([a-z-]+)"', code))
            words -= {"none", "closed", "left", "drop-in-use", "drop-failed"}
            self.assertTrue(words, name)
            for word in words:
                self.assertRegex(text, r"\b%s\b" % word, name)

    def test_exit_codes(self):
        code = dict(re.findall(r"STATUS_(\w+)\s*= (\d+)",
                               read("src/cmd/start.h")))
        text = section(read("man/popper.8"), ".Sh EXIT STATUS",
                       ".Sh EXAMPLES")
        self.assertEqual(sorted(code.values()),
                         sorted(re.findall(r"^\.It (\d+)$", text, re.M)))
        line = re.search(r"Exit codes: (.*)\.", read("docs/design.md"))
        for status in code.values():
            self.assertRegex(line.group(1), r"\b%s\b" % status)

    def test_flags(self):
        """Synopsis, options and --help tell of the same flags."""
        page = read("man/popper.8")
        usage = re.search(r"usage_text\[\] =(.*?);",
                          read("src/cmd/main.c"), re.S).group(1)
        flags = set(re.findall(r"\.flag = '(.)'", "".join(
            read(p) for p in glob.glob(TOP + "/src/*/options.c"))))
        self.assertEqual(flags, set("bdsTt"))
        for flag in flags:
            self.assertRegex(page, r"(?m)^\.Op Fl %s\b" % flag)
            self.assertRegex(page, r"(?m)^\.It Fl %s\b" % flag)
            self.assertRegex(usage, r"\n\"  -%s " % flag)

    def test_capabilities_are_no_promises(self):
        """What later issues bring is not announced."""
        said = set(re.findall(r'\{ "([A-Z-]+)', read("src/proto/capa.c")))
        self.assertEqual(said, {
            "TOP", "USER", "UIDL", "RESP-CODES", "AUTH-RESP-CODE",
            "PIPELINING", "EXPIRE"})


if __name__ == "__main__":
    unittest.main()
