# SPDX-License-Identifier: ISC
"""Messages of hostile form, made at random: none is another's twin unless asked."""

import itertools
import time

OLD = b"Thu Jan  2 03:04:05 2025"
FIELDS = (b"Status: O\n", b"Status: RO\n", b"X-Status: A\n", b"X-Keywords:\n",
          b"Content-Length: 3\n", b"Content-Length: 999999\n", b"Lines: 1\n",
          b"X-UIDL: same\n", b"X-Folded: a\n b\n\tc\n", b"Status:\n  R\n",
          b"X-Long: " + b"l" * 5000 + b"\n", b"no field at all\n",
          "X-Name: Größe ☃\n".encode())
PSEUDO = (b"From: Mail System Internal Data <MAILER-DAEMON@example.org>\n"
          b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
          b"X-IMAP: 1234567890 0000000007\nStatus: RO\n")
LINES = (b"text\n", b"\n", b"\n\n", b".\n", b"..\n", b">From here\n", b"a\0b\n",
         b"From no date\n", b"\nFrom no date\n", b"cr\rlf\n", b"\r\n", b"\r",
         b"crlf\r\n", b"\xe4\xf6\xfc\n", b"-ERR\n", b"From\n", b"\1\1\1\1\n",
         b"\n\nFrom x Mon Jan  1\n", b"QUIT\r\n", b"z" * 4093 + b"\n",
         b"f" * 511 + b"\nFrom \n", b"\0" * 600 + b"\n", b" \n", b".\r\n")


class Letters:
    def __init__(self, rng):
        self.rng = rng
        self.count = itertools.count(1)

    def from_line(self):
        when = OLD if self.rng.random() < 0.5 else \
            time.asctime(time.gmtime()).encode()
        return b"From friend@example.org " + when + b"\n"

    def text(self):
        """What stands behind a From_ line, or is a file of a Maildir."""
        rng, n = self.rng, next(self.count)
        way = rng.random()
        if way < 0.04:
            return b"%d" % n                    # no line end
        if way < 0.07:
            return b"\n%d\n" % n                # no header
        head = b"Subject: %d\n" % n + b"".join(
            rng.sample(FIELDS, rng.randrange(4)))
        if way < 0.12:
            return head                         # no body
        if way < 0.16:
            head = PSEUDO + head
        body = b"".join(rng.choice(LINES) for _ in range(rng.randrange(12)))
        text = head + b"\n" + body
        if way > 0.95:
            text += b"large %d\n" % n * rng.randrange(9000)
        if 0.16 < way < 0.25:
            text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return text

    def letter(self):
        """As an MTA appends it to a spool, that is quoted or not."""
        text = self.text()
        if not text.endswith(b"\n") and self.rng.random() < 0.9:
            text += b"\n"
        end = b"\r\n" if text.endswith(b"\r\n") else b"\n"
        if self.rng.random() < 0.05:
            end = self.rng.choice((b"", b"\n\n"))
        return self.from_line() + text + end
