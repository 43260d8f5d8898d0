# SPDX-License-Identifier: ISC
"""The index of a large maildrop, as a session finds and leaves it: what it saves, who
has it, and that without it, or with a wrong one, a session sees the same."""

import os
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib.popper import Serve                                    # noqa: E402

FOLDER = "/var/lib/popper/index"
LARGE = 4 << 20
BODY = b"A line of text that fills the mail.\n" * 100


def message(i):
    return (b"From a@example.org Mon Jan  1 10:00:00 2024\nSubject: %d\n\n"
            % i + BODY + b"\n")


class Bare(family.Family):
    """popper as inetd starts it."""

    def setUp(self):
        super().setUp()
        self.messages = [message(i) for i in range(LARGE // len(BODY))]
        self.put()
        self.host.call(_remove_all, FOLDER)
        self.serve(temp_maildrop="auto")

    def put(self):
        self.host.spool("alice", b"".join(self.messages))
        # What was written just now is waited for.
        self.host.call(os.utime, "/var/mail/alice", (1, 1))

    def session_process(self):
        return [m for m in self.children() if m.uid == 1001][0]

    def look(self, wanted=None):
        """What a session shows, and how many octets it read until then."""
        with self.login() as pop:
            stat_ = pop.stat()
            io = dict(row.split(b": ") for row in
                      self.session_process().read("io").splitlines())
            seen = stat_, pop.list(), pop.uidl(), pop.multi("TOP 2 3")
            pop.quit()
        self.assertEqual(seen[0][0], len(self.messages))
        if wanted is not None:
            self.assertEqual(seen, wanted)
        return seen, int(io[b"rchar"])

    def index(self):
        name, = self.host.call(os.listdir, FOLDER)
        return FOLDER + "/" + name

    def test_saves_reading(self):
        first, octets = self.look()
        self.assertGreater(octets, LARGE)
        facts = self.host.call(os.stat, self.index())
        self.assertEqual((facts.st_uid, stat.S_IMODE(facts.st_mode)),
                         (0, 0o600))
        self.assertEqual(stat.S_IMODE(self.host.call(os.stat,
                                                     FOLDER).st_mode), 0o700)
        self.assertLess(self.look(first)[1], LARGE // 2)
        # A few more are read, but not all.
        self.messages += [message(i) for i in range(90000, 90003)]
        self.host.call(_append, "/var/mail/alice", self.messages[-3:])
        grown, octets = self.look()
        self.assertLess(octets, LARGE // 2)
        self.assertEqual({**grown[2], **first[2]}, grown[2])
        self.host.call(os.unlink, self.index())
        self.assertGreater(self.look(grown)[1], LARGE)

    def test_wrong_one(self):
        first, _ = self.look()
        good = self.host.read(self.index())
        for bad in (b"", good[:700], b"x" * len(good), good[:600] + b"\1" +
                    good[601:], good[:-1] + bytes([good[-1] ^ 1])):
            self.host.write(self.index(), bad, 0o600)
            self.look(first)
        self.host.call(_remove_all, FOLDER)
        self.host.write(FOLDER, "no folder", 0o600)
        self.addCleanup(self.host.call, os.unlink, FOLDER)
        self.look(first)
        self.log.wait("drop-index", self.mark)

    def test_kill(self):
        first, _ = self.look()
        self.host.call(os.unlink, self.index())
        pop = self.login()
        self.session_process().kill()
        self.ended(pop)
        self.look(first)

    def test_update(self):
        """What QUIT did to the maildrop it does to the index."""
        ids = list(self.look()[0][2].values())
        with self.login() as pop:
            pop.dele(1)
            pop.retr(2)
            pop.dele(3)
            pop.quit()
        del self.messages[2], self.messages[0]
        del ids[2], ids[0]
        seen, octets = self.look()
        self.assertEqual(list(seen[2].values()), ids)
        self.assertLess(octets, LARGE // 2)
        self.assertIn(b"Status: RO\n", self.host.spool("alice")[:200])
        with self.login() as pop:
            self.assertEqual(pop.retr(3), self.messages[2].split(
                b"\n", 1)[1][:-1].replace(b"\n", b"\r\n"))
            pop.quit()


class Served(Bare):
    """popper serve."""

    SERVER = Serve

    def session_process(self):
        def found():
            return [m for m in self.members() if m.uid == 1001]
        self.wait_for(lambda: len(found()) == 1, "single session")
        return found()[0]


def _append(path, messages):
    with open(path, "ab") as f:
        f.write(b"".join(messages))


def _remove_all(folder):
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
