#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Make the table of reply texts from the catalogues lang/*.po (gettext's form).

A translation is used as a format of printf's: so one whose placeholders are not
those of the English text, in their order, ends the build here, and so do texts
that are no UTF-8, hold a control character, begin like a response code, or are
too long for a line of a reply.  An empty translation stays English.
"""

import re
import sys

# Octets: beside the text a line has its head and what the placeholders become.
TEXT_MAX = 300
PLACE = re.compile(r"%(?:[-+ #0]*\d*(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]|%)")
QUOTED = re.compile(r'^"((?:[^"\\]|\\.)*)"$')
ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class Wrong(Exception):
    """path: what is wrong"""


def unquote(text):
    m = QUOTED.match(text.strip())
    if not m:
        raise Wrong("not a string: %s" % text)
    return re.sub(r"\\(.)", lambda e: ESCAPES[e.group(1)], m.group(1))


def read_po(path):
    """[(English, translation)]; the first is the catalogue's own header."""
    entries = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("msgid "):
                entries.append([unquote(line[6:]), None])
            elif line.startswith("msgstr "):
                entries[-1][1] = unquote(line[7:])
            else:
                part = 0 if entries[-1][1] is None else 1
                entries[-1][part] += unquote(line)
    return [(e, t or "") for e, t in entries]


def judge(english, text):
    if PLACE.findall(english) != PLACE.findall(text) or \
            "%" in PLACE.sub("", text):
        raise Wrong("other placeholders: %s" % text)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        raise Wrong("a control character: %s" % text)
    if text[:1] in "[." or len(text.encode()) > TEXT_MAX:
        raise Wrong("it is no text of a reply: %s" % text)


def load(path):
    """tag, name of the language, {English: translation}"""
    entries = read_po(path)
    head = dict(line.split(": ", 1) for line in entries[0][1].splitlines())
    texts = {}
    for english, text in entries[1:]:
        if english in texts:
            raise Wrong("twice: %s" % english)
        if text:
            judge(english, text)
        texts[english] = text
    tag = head["Language"]
    if not re.fullmatch("[a-z]{2,8}(-[A-Za-z0-9]{1,8})*", tag):
        raise Wrong("no tag of a language: %s" % tag)
    return tag, head["X-Language-Name"], texts


class Pool:
    """All texts in one array, so that a process that needs none relocates
    nothing."""

    def __init__(self):
        self.octets = bytearray(b"\0")
        self.at = {"": 0}

    def put(self, text):
        if text not in self.at:
            self.at[text] = len(self.octets)
            self.octets += text.encode() + b"\0"
        return self.at[text]


def rows_of(octets):
    for i in range(0, len(octets), 16):
        yield "\t" + " ".join("%d," % b for b in octets[i:i + 16])


def make(catalogues):
    languages = [("en", "English", None)] + catalogues
    keys = sorted({e for _, _, t in catalogues for e in t},
                  key=lambda e: e.encode())
    pool = Pool()
    names = [(pool.put(tag), pool.put(name)) for tag, name, _ in languages]
    rows = [[pool.put(e)] + [pool.put(t.get(e) or e)
                             for _, _, t in catalogues] for e in keys]
    out = ["/* Made by lang_gen.py. */",
           "#define LANG_COUNT %d" % len(languages),
           "static const uint16_t names[LANG_COUNT][2] = {"]
    out += ["\t{ %d, %d }," % n for n in names]
    out += ["};", "static const uint16_t rows[%d][LANG_COUNT] = {" % len(rows)]
    out += ["\t{ %s }," % ", ".join(map(str, r)) for r in rows]
    out += ["};", "static const unsigned char pool[] = {"]
    out += rows_of(pool.octets)
    out += ["};"]
    if len(pool.octets) > 0xffff:
        raise Wrong("more than 64 KiB of texts")
    return "\n".join(out) + "\n"


def main():
    catalogues = []
    for path in sys.argv[1:]:
        try:
            catalogues.append(load(path))
        except (Wrong, KeyError, ValueError) as e:
            sys.exit("%s: %s" % (path, e))
    sys.stdout.buffer.write(make(catalogues).encode())


if __name__ == "__main__":
    main()
