# SPDX-License-Identifier: ISC
"""Each text of a reply has its translations, each translation is of a text, and
a catalogue that could do harm ends the build."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "src/proto"))

import lang_gen                                                 # noqa: E402

LITERAL = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
# Calls in which a client's text stands, and tables and functions of texts.
CALLS = {"pop": r"\b(?:SAY_OK|SAY_ERR|SAY_ERR_TEXT|(?:authorize_)?bad)\(.*?\);",
         "role": r"\bSAY_(?:OK|ERR|ERR_TEXT)\(.*?\);"}
TABLES = {
    "src/proto/command.c": r"errors\[\] = \{(.*?)\};",
    "src/proto/reply.c": r"faults\[\] = \{(.*?)\};",
    "src/xtnd/xmit.c": r"\nxmit_text\((.*?)\n\}",
    "src/role/session_refuse.c": r"units\[\] = \{(.*?)\};",
    "src/pop/extend.c": r"define NO_SUCH_BOARD(.*?)\n",
}
# Arguments, not texts, and what programs read, not people.
ARGUMENTS = {" (version ", ")", "", "=", "XTND",
             "popper%s%s%s at %s starting.%s"}


def code(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)


def literals(text):
    for m in re.findall(LITERAL, text):
        yield "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', m))


def texts():
    """All that is sent as a text, with the places of numbers and names."""
    out = set()
    for room, call in CALLS.items():
        for path in glob.glob(TOP + "/src/%s/*.c" % room):
            if not path.endswith("_test.c"):
                for m in re.finditer(call, code(path), re.S):
                    out.update(literals(m.group(0)))
    for path, table in TABLES.items():
        out.update(literals(re.search(table, code(path), re.S).group(1)))
    return {t for t in out - ARGUMENTS
            if re.search("[a-z]", lang_gen.PLACE.sub("", t))}


def catalogues():
    for path in sorted(glob.glob(TOP + "/src/proto/lang/*.po")):
        yield lang_gen.load(path)


class Texts(unittest.TestCase):
    def test_each_has_its_translations(self):
        want = texts()
        self.assertGreater(len(want), 60)
        for tag, _, got in catalogues():
            with self.subTest(language=tag):
                self.assertEqual(want - set(got), set())
                self.assertEqual(set(got) - want, set())
                self.assertEqual([e for e, t in got.items() if not t], [])

    def test_at_least_five_languages(self):
        tags = [tag for tag, _, _ in catalogues()]
        self.assertLessEqual({"de", "es", "fr", "it", "pt"}, set(tags))

    def test_harm_ends_the_build(self):
        for text in ("%s%n", "%n", "%", "%d", "", "a %s %s", "%s \\n", "[%s]",
                     ".%s", "%s" + "x" * 300, "%1$s", "%ls", "%*s", "%s\\x"):
            with self.subTest(text=text), \
                    tempfile.NamedTemporaryFile("w", suffix=".po") as f:
                f.write('msgid ""\nmsgstr "Language: xx\\n'
                        'X-Language-Name: X\\n"\n'
                        'msgid "a %%s"\nmsgstr "%s"\n' % text)
                f.flush()
                got = subprocess.run(
                    [sys.executable, TOP + "/src/proto/lang_gen.py", f.name],
                    capture_output=True, check=False)
                self.assertEqual(got.returncode == 0, text == "", got.stderr)


if __name__ == "__main__":
    unittest.main()
