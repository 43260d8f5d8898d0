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
TELLERS = r"(log_begin|log_text|log_fault|line_begin|(?:session_)?tell|say)"
WORD = re.compile(r'"([a-z]+(?:-[a-z]+)*)"')
# What every JSON object has beside the fields.
JSON_KEYS = {"time", "level", "id", "pid"}


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def sources():
    """(path, its code without comments)."""
    for path in sorted(glob.glob(TOP + "/src/*/*.c")):
        if not path.endswith("_test.c"):
            yield path, re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)


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


def keys_of(code):
    """What log_str and its like add before the line ends."""
    return set(re.findall(r'\blog_(?:str|num|field)\(&?\w+,\s*"(\w+)"',
                          code.split("log_end(")[0]))


def log_words():
    """{id: (levels, fields)} as the code has them.  Where one call chooses
    between two ids each has the levels of both."""
    out = {"stats": ({"note"}, set(re.findall(
        r'stats_\w+\(&l, (?:"[^"]*", )?"(\w+)"',
        read("src/watch/log.c"))) - {"sid"})}
    for path, code in sources():
        for m in re.finditer(r"\b%s\(([^{]*?);" % TELLERS, code, re.S):
            teller, call = m.groups()
            levels = {w.lower() for w in re.findall(r"\bLEVEL_(\w+)", call)}
            fields = {"text"}
            if teller == "log_begin":
                fields = keys_of(code[m.end():])
            elif teller == "line_begin":
                levels = {"note"}
                fields = {"user", "ip"} | keys_of(code[m.end():])
            elif teller == "say":
                fields = {"ip", "name", "text"}
            elif teller.endswith("tell") and not levels:    # session_host.c
                levels, fields = {"warn"}, {"user", "text"}
            for word in WORD.findall(call):
                known = out.setdefault(word, (set(), set()))
                known[0].update(levels)
                known[1].update(fields)
    return out


def log_reasons():
    """(words of login-failed, of session-end and stranger-end)."""
    verdicts = set(re.findall(r'\[REASON_\w+\]\s*= "([a-z-]+)"',
                              read("src/auth/check.c"))) - {"none"}
    ends = set()
    for name, begin in (("session_end", "\nreason("), ("pump", "\npump_end_word(")):
        code = section(read("src/role/%s.c" % name), begin, "\n}\n")
        ends |= set(re.findall(r'(?:return|[?:]) "([a-z-]+)"', code))
    for path, code in sources():
        ends |= set(re.findall(r'"reason", (?:[^;]*\? )?"([a-z-]+)"', code))
    return verdicts, ends - {"left"}            # that is a login


def tables(text):
    """The rows of each table of a document, without its heading."""
    return [[[c.strip() for c in line.strip("|\n").split("|")]
             for line in block.splitlines()][2:]
            for block in re.findall(r"(?m)(?:^\|.*\n)+", text)]


def anchor(heading):
    """Of a heading, as those who show Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Paper(unittest.TestCase):
    def test_decisions(self):
        """The design lists each, by a link that leads there; no number is
        given twice."""
        told = {}
        for path in glob.glob(TOP + "/docs/design/*.md"):
            for head in re.findall(r"^## (.+)$", read(path), re.M):
                number = int(head.split(".")[0])
                self.assertNotIn(number, told)
                told[number] = "design/%s#%s" % (os.path.basename(path),
                                                 anchor(head))
        listed = re.findall(r"^- (\d+)\. \[.+\]\((\S+)\)$",
                            read("docs/design.md"), re.M)
        self.assertGreater(len(told), 100)
        self.assertEqual({int(n): link for n, link in listed}, told)
        self.assertEqual(len(listed), len(told))

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
        """docs/log.md knows every id, with its levels and fields."""
        code = log_words()
        self.assertGreater(len(code), 70)
        rows = tables(read("docs/log.md"))[0]
        told = [row[0].strip("`") for row in rows]
        self.assertEqual(set(code) - set(told), set(), "not in docs/log.md")
        self.assertEqual(set(told) - set(code), set(), "not in the code")
        self.assertEqual(len(told), len(set(told)), "twice")
        for word, row in zip(told, rows):
            self.assertEqual(len(row), 5, word)
            levels, fields = set(row[1].split()), row[2].split()
            self.assertTrue(levels, word)
            self.assertLessEqual(levels, code[word][0], word)
            self.assertEqual({f.strip("[]") for f in fields}, code[word][1],
                             word)
            self.assertTrue(row[3].endswith(".") and row[4].endswith("."),
                            word)

    def test_keys_of_the_log(self):
        """None of them is one that every JSON object has."""
        for word, (_, fields) in log_words().items():
            self.assertFalse(fields & JSON_KEYS, word)

    def test_reasons_of_the_log(self):
        _, *rows = tables(read("docs/log.md"))
        self.assertEqual(len(rows), 2)
        for code, table in zip(log_reasons(), rows):
            self.assertGreater(len(code), 9)
            self.assertEqual(code, {row[0].strip("`") for row in table})

    def test_metrics(self):
        """docs/metrics.md knows every family, its type and labels."""
        code = read("src/watch/metrics.c")
        of_macro = {}
        for name, family, kind, label in re.findall(
                r'#define (\w+)\([\w, ]+\)\s*\\\s*{ "(\w+)", (\w+), "(\w+)",',
                code):
            more = ["method"] if name == "LOGIN" else []
            of_macro[family] = (kind.lower(), [label] + more)
        for family, kind in re.findall(r'PLAIN\("(\w+)", (\w+),', code):
            of_macro[family] = (kind.lower().replace("moment", "gauge"), [])
        of_macro["popper_build"] = ("info", ["version"])
        for family, suffix in re.findall(r'= { "(popper_\w+)", (\S+),',
                                         read("src/role/exporter.c")):
            of_macro[family] = ("counter" if suffix == "METRICS_COUNTER"
                                else "gauge", ["limit"])
        ends = set(re.findall(r'END\("([a-z-]+)"\)', code))
        self.assertEqual(ends, log_reasons()[1] - {"closed"})
        told = {row[0].strip("`"): (row[1], row[2].split())
                for row in tables(read("docs/metrics.md"))[0]}
        self.assertGreater(len(told), 15)
        self.assertEqual(told, of_macro)

    def test_version_of_the_log(self):
        """The list and its man page say the same version."""
        self.assertRegex(read("docs/log.md"), r"\A# popper's log, version 1\n")
        self.assertRegex(read("man/popper-log.5.in"),
                         r"(?m)^\.Nd .*, version 1$")

    def test_words_of_the_manual(self):
        """popper(8) names only ids that there are."""
        told = re.findall(r"(?m)^\.It Li (\S+)$", section(
            read("man/popper.8"), ".Sh DIAGNOSTICS", ".Sh SEE ALSO"))
        self.assertGreater(len(told), 2)
        self.assertLessEqual(set(told), set(log_words()))

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
        usage = re.search(r"#define FLAGS_TEXT(.*?)\n\n",
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
        said = set(re.findall(r'\{ "([A-Z0-9-]+)', read("src/proto/capa.c")))
        self.assertEqual(said, {
            "TOP", "USER", "UIDL", "RESP-CODES", "AUTH-RESP-CODE",
            "PIPELINING", "UTF8", "LANG"})


if __name__ == "__main__":
    unittest.main()
