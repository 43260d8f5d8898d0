# SPDX-License-Identifier: ISC
"""Maildrops beyond all measure: a message and a maildrop of more than 4 GiB, a line
of as much, a million messages.  Files with holes in memory, so that nothing has to
hold them; what is asked of the answers is known without reading the spool.
"""

import os
import re
import unittest

from lib.flavour import memory
from lib.popper import Pop
from lib.scene import MAIL_GID, PASSWORD, UID, USER, Scene
from test_limits import MEMORY, Session

LONG = os.environ.get("POPPER_LONG") == "1"
FROM = b"From a@example.net Mon Jan  1 12:00:00 2024\n"
GIB = 1 << 30
# KiB; what it takes for each of a million is 380 octets.
MANY, MEMORY_MANY = 1000000, memory(600 << 10)


class Reader(Pop):
    """Of answers that are too long to be kept."""

    def long_body(self):
        """(octets without the last line, the first ones, the last ones)."""
        first, count = b"", 0
        while not self.buf.endswith(b"\r\n.\r\n"):
            if len(first) < 1000:
                first = bytes(self.buf[:1000])
            if len(self.buf) > 1000:
                count += len(self.buf) - 1000
                del self.buf[:-1000]
            self.buf += self.sock.recv(1 << 20) or self.fail()
        last = bytes(self.buf[:-3])
        self.buf.clear()
        return count + len(last), first, last

    @staticmethod
    def fail():
        raise EOFError


class Scale(unittest.TestCase):
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

    way = "auto"

    def setUp(self):
        self.scene = Scene(base=self.base, temp_maildrop=self.way)
        self.addCleanup(self.scene.remove)

    def lay(self, *parts):
        """Octets, or how many are a hole."""
        with open(self.scene.spool, "wb") as f:
            for part in parts:
                if isinstance(part, int):
                    f.seek(part, os.SEEK_CUR)
                else:
                    f.write(part)
        os.chown(self.scene.spool, UID, MAIL_GID)
        os.chmod(self.scene.spool, 0o660)

    def session(self, talk, most=MEMORY):
        session = Session(self.scene)
        try:
            pop = Reader(session.sock)
            pop.login(USER, PASSWORD)
            talk(pop)
            self.assertLess(session.measure(), most)
            pop.cmd("QUIT")
            pop.at_end()
        finally:
            session.sock.close()
            session.process.wait()

    def holds(self, data):
        with open(self.scene.spool, "rb") as f:
            self.assertEqual(f.read(len(data) + 1), data)

    def large(self, head, hole, read):
        """The first of two messages has a line with so large a hole."""
        self.lay(FROM, head, hole, b"end\n\n", FROM, b"Subject: small\n\n.\n\n")
        wire = head.replace(b"\n", b"\r\n")
        sizes = [len(wire) + hole + 5, 21]

        def talk(pop):
            self.assertEqual(pop.stat(), (2, sum(sizes)))
            self.assertEqual(pop.multi("LIST")[1],
                             b"1 %d\r\n2 %d\r\n" % tuple(sizes))
            self.assertEqual(pop.multi("RETR", 2)[1],
                             b"Subject: small\r\n\r\n.\r\n")
            if read:
                pop.cmd("RETR", 1)
                octets, first, last = pop.long_body()
                self.assertEqual(octets, sizes[0])
                self.assertTrue(first.startswith(wire + b"\0"))
                self.assertTrue(last.endswith(b"\0end\r\n"))
            elif b"\n\n" in head:
                self.assertEqual(pop.multi("TOP", 1, 0)[1],
                                 wire[:wire.index(b"\r\n\r\n") + 4])
            pop.cmd("DELE", 1)

        self.session(talk)
        self.holds(FROM + b"Subject: small\nStatus: RO\n\n.\n\n")


class Large(Scale):
    def test_message_of_more_than_4_gib(self):
        self.large(b"Subject: large\n\nText\n", 4 * GIB + 5, LONG)


class Cold(Scale):
    """So long a spool, if it is not in memory, is read past the page cache."""
    base = None

    def test_cold(self):
        one = FROM + b"Subject: %07d\n\n" + b"Text\n" * 160000 + b"\n"
        last = FROM + b"Subject: the last\n\nText\n"
        self.lay(*(one % i for i in range(350)), last)
        with open(self.scene.spool, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        size = len(b"Subject: 0000000\r\n\r\n") + 6 * 160000

        def talk(pop):
            self.assertEqual(pop.stat(), (351, 350 * size + 27))
            self.assertEqual(len(set(pop.uidl().values())), 351)
            for i in (1, 2, 177, 350):
                self.assertEqual(
                    pop.multi("RETR", i)[1],
                    b"Subject: %07d\r\n\r\n" % (i - 1) + b"Text\r\n" * 160000)
            self.assertEqual(pop.multi("RETR", 351)[1],
                             b"Subject: the last\r\n\r\nText\r\n")
            for i in range(2, 351):
                pop.cmd("DELE", i)

        self.session(talk)
        read = b"\nStatus: RO\n\n"
        self.holds((one % 0).replace(b"\n\n", read, 1) +
                   last.replace(b"\n\n", read, 1))


class ColdCopied(Cold):
    way = "always"


class Longer(Scale):
    def test_header_line_of_1_gib(self):
        self.large(b"Subject: large", GIB, True)

    def test_mutable_header_line_of_1_gib(self):
        self.large(b"Subject: large\nX-UID: ", GIB, True)

    def test_from_line_of_1_gib(self):
        """It is none: no date stands at its end."""
        self.large(b"Subject: large\n\nText\n\nFrom ", GIB, True)

    def test_behind_4_gib(self):
        """Messages there are moved, and what is in front stays where it is."""
        one = FROM + b"Subject: %d\n\nText\n\n"
        self.lay(FROM, b"Subject: large\n\n", 4 * GIB, b"\n\n",
                 *(one % i for i in range(3)))

        def talk(pop):
            self.assertEqual(pop.stat()[0], 4)
            pop.cmd("DELE", 3)

        self.session(talk)
        self.session(lambda pop: pop.cmd("DELE", 1))
        self.holds(one % 0 + one % 2)

    def test_million_messages(self):
        one = FROM + b"Subject: %07d\n\nText\n\n"
        self.lay(*(one % i for i in range(MANY)))
        size = len(b"Subject: 0000000\r\n\r\nText\r\n")

        def talk(pop):
            self.assertEqual(pop.stat(), (MANY, MANY * size))
            ids = re.findall(rb"(?m)^\d+ (\S+)\r$", pop.multi("UIDL")[1])
            self.assertEqual((len(ids), len(set(ids))), (MANY, MANY))
            self.assertEqual(pop.multi("RETR", MANY)[1],
                             b"Subject: %07d\r\n\r\nText\r\n" % (MANY - 1))
            for start in range(2, MANY, 1000):
                some = range(start, min(start + 1000, MANY))
                pop.send(b"".join(b"DELE %d\r\n" % i for i in some))
                for _ in some:
                    pop.reply()

        self.session(talk, MEMORY_MANY)
        self.holds(one % 0 + (one % (MANY - 1)).replace(
            b"\n\n", b"\nStatus: RO\n\n", 1))


if not LONG:
    del Longer
