# SPDX-License-Identifier: ISC
"""Readers of popper's log, made from the documents alone: docs/log.md for
values, and systemd's "Native Journal Protocol" for the journal."""

import re
import struct

TEXT = re.compile(r"(\S+)((?: \w+=(?:\"[^\"]*\"|[^ \"=]+))*)")
FIELD = re.compile(r" (\w+)=(?:\"([^\"]*)\"|([^ \"=]+))")
STAMP = re.compile(r"(?:<(\d+)>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
                   r"popper\[\d+\]: ")


def octets(value):
    """A value as it was before it was written."""
    raw = value.encode("ascii")
    if re.search(rb"[^ -~]|\\(?!x[0-9a-f]{2})|\"", raw):
        raise AssertionError("not escaped: %r" % value)
    return re.sub(rb"\\x(..)", lambda m: bytes([int(m.group(1), 16)]), raw)


def text(line):
    """(id, [(key, value as written)]) of a line without its stamp."""
    m = TEXT.fullmatch(line)
    if not m:
        raise AssertionError("no line of ours: %r" % line)
    return m.group(1), [(key, bare if quoted is None else quoted)
                        for key, quoted, bare
                        in ((f.group(1), f.group(2), f.group(3))
                            for f in FIELD.finditer(m.group(2)))]


def journal(data):
    """[(name, value)] of a datagram: NAME=value LF, or NAME LF, 64 bit
    little-endian length, value, LF."""
    fields, at = [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, equals, value = data[at:end].partition(b"=")
        at = end + 1
        if not equals:
            n, = struct.unpack_from("<Q", data, at)
            value = data[at + 8:at + 8 + n]
            at += 8 + n
            if len(value) != n or data[at:at + 1] != b"\n":
                raise AssertionError("a bad length: %r" % data)
            at += 1
        if not re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name):
            raise AssertionError("journald takes no such name: %r" % name)
        fields.append((name.decode(), value))
    return fields
