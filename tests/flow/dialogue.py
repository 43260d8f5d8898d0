# SPDX-License-Identifier: ISC
"""The dialogue files, *.pop.

    # source: where the sentence stands that this shows
    spool ann = two.mbox            the drop of a user, from files/
    option auth_tries = 2           a row of popper.conf
    args -T 2                       old flags
    file bull/7.news = news.txt     anything else that is to lie there
                                    (news.txt 600: its mode)
    user bob = {PLAIN}password      beside ann, whose password is "secret"
    lockstep: why                   do not send ahead of replies
    only: tcp bytes                 not in the other ways
    ---
    S: +OK popper (version {version}) at {host} starting.
    C: USER ann
    S: +OK Password required.
    C= b"x" * 5000 + b"\\r\\n"       exactly these octets
    C= scram("ann")                 her messages of SCRAM: first, with a name, and
                                    C= scram() then, to what came last
    S= message(1)                   exactly these octets

`C:` and `S:` are lines; their CRLF is not written.  In `S:`, braces hold a
wildcard of WILD, or one with a name ({uid:a}: the same value wherever the
name comes again, another one for another name), or a Python expression over
what the fixtures say by themselves (fixture.py): octets(1), total(), count().
A digit is the number of a connection, the first without: C2: QUIT.

    login ann       greeting, USER, PASS and their replies; login ann 1 120
                    when the drop is not as the fixture says
    quit            QUIT, its reply, and the close
    wait 3          the client is silent so long
    kill            the client is gone (reset); leave: it just closes
    closed          the server has closed, and said nothing more
    again           the next session, after the process has ended
    append ann = third.mbox         mail is delivered
    replace ann = other.mbox        a mail reader rewrote the spool
    left ann = 1 3                  these messages of the fixture are there now
    same ann        the spool has not changed by one octet
    log REGEX       the log has such a line; nolog REGEX: it has none
    has PATH REGEX  the file is there and has such a line
    gone PATH       there is no such file
"""

import os
import re
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))

WILD = {
    "any": r"[\x20-\x7e]*",
    "host": r"[A-Za-z0-9.-]+",
    "uid": r"[\x21-\x7e]{1,70}",
    "version": r"[0-9][A-Za-z0-9.+~-]*",
    "date": r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d "
            r"[+-]\d{4}",
}

STEP = re.compile(r"([CS])(\d?)([:=]) ?(.*)")
WORD = re.compile(r"(wait|kill|leave|closed|again|append|replace|left|same|"
                  r"log|nolog|has|gone)(\d?)(?: (.*))?")
MACRO = re.compile(r"(login|quit)(\d?)(?: (\S+))?(?: (\S+) (.+))?")
MACROS = {
    "login": """S: +OK popper (version {version}) at {host} starting.
C: USER @user
S: +OK Password required.
C: PASS secret
S: +OK Maildrop has @count messages (@octets octets).""",
    "quit": """C: QUIT
S: +OK popper at {host} signing off.
closed""",
}
ASIDE = {"wait", "kill", "leave", "append", "replace"}


class Step(NamedTuple):
    line: int               # in the file
    what: str               # "C", "S" or a word
    conn: int
    value: str
    exact: bool = False     # "C=", "S="


class DialogueError(Exception):
    """The file itself is wrong."""


class Dialogue:
    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.source = ""
        self.spools, self.options, self.files = {}, {}, {}
        self.users = {"ann": "{PLAIN}secret"}
        self.args, self.lockstep, self.steps = [], "", []
        self.only = []
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        head = True
        for number, line in enumerate(lines, 1):
            try:
                if line == "---" and head:
                    head = False
                elif line.strip() == "" or line.startswith("#"):
                    self._comment(line)
                elif head:
                    self._head(line)
                else:
                    self._step(number, line)
            except (ValueError, AttributeError):
                raise DialogueError("%s:%d: %r" % (path, number,
                                                   line)) from None
        if head or not self.source:
            raise DialogueError("%s: no '---' or no source" % path)

    def _comment(self, line):
        m = re.fullmatch(r"# source: (.*)", line)
        if m:
            self.source = m.group(1)

    def _head(self, line):
        word, rest = line.split(" ", 1)
        if word == "args":
            self.args += rest.split()
        elif word == "lockstep:":
            self.lockstep = rest
        elif word == "only:":
            self.only = rest.split()
        else:
            key, value = re.fullmatch(r"(\S+) = ?(.*)", rest).groups()
            {"spool": self.spools, "option": self.options, "file": self.files,
             "user": self.users}[word][key] = value

    def _macro(self, number, m):
        user = m[3] or "ann"
        text = MACROS[m[1]].replace("@user", user)
        text = text.replace("@count", m[4] or '{count("%s")}' % user)
        text = text.replace("@octets", m[5] or '{total("%s")}' % user)
        if m[2]:
            text = re.sub(r"(?m)^([CS]|closed)", r"\g<1>" + m[2], text)
        for line in text.split("\n"):
            self._step(number, line)

    def _step(self, number, line):
        m = MACRO.fullmatch(line)
        if m:
            self._macro(number, m)
            return
        m = STEP.fullmatch(line)
        if m:
            self.steps.append(Step(number, m[1], int(m[2] or 1), m[4],
                                   m[3] == "="))
            return
        m = WORD.fullmatch(line)
        self.steps.append(Step(number, m[1], int(m[2] or 1), m[3] or ""))

    def sends_ahead(self):
        """May all of a session be sent in one piece?"""
        return not self.lockstep and not any(
            s.what in ASIDE or s.conn != 1 for s in self.steps)


def pattern(text, names):
    """The regular expression (bytes) for an S: line, and its names."""
    out, groups = [], {}
    for i, part in enumerate(re.split(r"\{(.*?)\}", text)):
        if i % 2 == 0:
            out.append(re.escape(part))
            continue
        kind, _, name = part.partition(":")
        if kind not in WILD:
            out.append(re.escape(str(eval(part, dict(names)))))
        elif name:
            group = "g%d" % len(groups)
            groups[group] = (kind, name)
            out.append("(?P<%s>%s)" % (group, WILD[kind]))
        else:
            out.append(WILD[kind])
    return re.compile("".join(out).encode()), groups


def load_all(folder):
    return [Dialogue(os.path.join(folder, name))
            for name in sorted(os.listdir(folder)) if name.endswith(".pop")]
