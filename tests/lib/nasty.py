# SPDX-License-Identifier: ISC
"""Messages that have broken mail programs, as one mbox.

NASTY holds (name, stored text) in order; mbox() gives the spool.  A text is
what stands between the From_ line and the separating blank line.
"""

FROM = b"From sender@example.net Mon Jan  1 12:%02d:%02d 2024\n"

HEADER = (b"From: sender@example.net\nTo: alice@example.org\n"
          b"Date: Mon, 1 Jan 2024 12:00:00 +0000\n")


def _plain(name, body, extra=b""):
    return (name, HEADER + b"Subject: " + name.encode() + b"\nMessage-ID: <"
            + name.encode() + b"@nasty.example.net>\n" + extra + b"\n" + body)


TWIN = HEADER + b"Subject: twin\nMessage-ID: <twin@nasty.example.net>\n\nTwin\n"

NASTY = [
    _plain("ordinary", b"Hello\n"),
    _plain("dots", b".\n..\n...\n.a\n..b\n. \n.\r.\n"),
    _plain("lone-dot-at-end", b"text\n.\n"),
    _plain("dot-crlf-inside", b"a\n.\r\nQUIT\r\n"),
    _plain("very-long-line", b"x" * 100000 + b"\n." + b"y" * 70000 + b"\n"),
    _plain("long-dots", b"." * 9000 + b"\n"),
    _plain("crlf-lines", b"one\r\ntwo\r\n\r\n.three\r\n"),
    _plain("mixed-ends", b"one\r\ntwo\nthree\r\r\nfour\r\n"),
    _plain("nul", b"a\0b\n\0\n\0\0\0tail\n"),
    _plain("bare-cr", b"a\rb\rc\n\r.\rd\n"),
    _plain("eight-bit", bytes(range(128, 256)) + b"\nlatin: \xe4\xf6\xfc\n"),
    _plain("control", bytes(b for b in range(1, 32) if b not in (10, 13))
           + b"\x7f\n"),
    _plain("empty-body", b""),
    ("header-only", HEADER + b"Subject: header-only\n"),
    _plain("quoted-from", b">From here on\n>>From there\n>From \n"),
    _plain("from-inside", b"text\nFrom the middle Mon Jan  1 00:00:00 2024\n"
           b"more\n"),
    _plain("from-no-date", b"text\n\nFrom what I hear, all is well.\n\n"
           b"From\n\nFrom \n"),
    _plain("big", b"".join(b"%07d the quick brown fox jumps over the dog\n"
                           % i for i in range(20000))),
    ("twin-1", TWIN),
    ("twin-2", TWIN),
    _plain("blank-lines-at-end", b"text\n\n\n\n"),
    _plain("only-blank-lines", b"\n\n\n"),
    _plain("utf8-header", b"Gr\xc3\xbc\xc3\x9fe\n",
           "X-Name: Jürgen Größe ☃ 日本語\n".encode()),
    _plain("folded", b"body\n",
           b"X-Long: one\n two\n\tthree\n \n four\nX-Empty:\nX-Dot: a\n"
           b" .b\n"),
    _plain("content-length-too-long", b"short\n",
           b"Content-Length: 1000000\n"),
    _plain("content-length-too-short", b"0123456789\n\nmore\n",
           b"Content-Length: 3\nLines: 1\n"),
    _plain("status-present", b"seen before\n",
           b"Status: RO\nX-Status: A\nX-Keywords:\nX-UID: 7\n"),
    _plain("mmdf-lines", b"\1\1\1\1\nbetween\n\1\1\1\1\n"),
    _plain("tabs", b"\t.\n\tFrom \n \tx\t \n.\t\n"),
    _plain("end-of-mime", b"--b\n\n--b--\n\n.\n\n..\n",
           b'Content-Type: multipart/mixed; boundary="b"\n'),
    _plain("like-pop", b"+OK\n-ERR [AUTH]\n.\r\n+OK 2 octets\n"),
    _plain("trailing-space", b"a \nb\t\n \n  \n"),
    _plain("block-border", b"z" * 4095 + b"\n" + b"z" * 8190 + b"\n." +
           b"z" * 65533 + b"\n..\n"),
    _plain("mebibyte", (b"." + b"m" * 62 + b"\n") * 16384),
    _plain("no-final-newline", b"the last line has no end"),
]

NAMES = [name for name, _ in NASTY]


def mbox(messages=None):
    """The spool.  The last message may lack its line end, as the file then
    does; all others are followed by the separating blank line."""
    out = []
    messages = NASTY if messages is None else messages
    for i, (_, text) in enumerate(messages):
        out.append(FROM % (i // 60, i % 60) + text)
        if text.endswith(b"\n"):
            out.append(b"\n")
        elif i + 1 < len(messages):
            out.append(b"\n\n")
    return b"".join(out)
