# SPDX-License-Identifier: ISC
"""A second session for a maildrop: what its client is told, what the operator
is told, and how he makes it free."""

import fcntl
import os
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib.popper import Inetd, Pop, PopError                     # noqa: E402

LOCKS = "/run/popper/lock"
PLAIN = b"[IN-USE] Maildrop is in use."
SINCE = re.compile(rb"\[IN-USE\] Maildrop is in use since (\d+) (seconds?|"
                   rb"minutes) by another session\.")
LINE = re.compile(r"drop-in-use sid=(\w+) user=alice .*other_sid=(\w+) "
                  r"other_pid=(\d+) other_ip=(\S+) other_s=(\d+)$")


def names(path):
    return os.listdir(path)


class InUse(family.Family):
    def second(self, port=110):
        with Pop(self.host.connect(port)) as pop:
            pop.cmd("USER", "alice")
            with self.assertRaises(PopError) as e:
                pop.cmd("PASS", family.PASSWORD)
            pop.at_end()
            return e.exception.args[0]

    def lock(self):
        name, = self.host.call(names, LOCKS)
        return LOCKS + "/" + name

    def told(self):
        """(sid of the other, pid, address, seconds) of the line in the log."""
        self.log.wait("drop-in-use ", self.mark)
        line = [x for x in self.log.lines[self.mark:] if "drop-in-use" in x][-1]
        m = LINE.search(line)
        self.assertTrue(m, line)
        return m.group(2), int(m.group(3)), m.group(4), int(m.group(5))

    def sid_of_login(self):
        self.log.wait("login .*user=alice", self.mark)
        line = [x for x in self.log.lines[self.mark:] if " login " in " " + x
                and "user=alice" in x][0]
        return re.search(r"sid=(\w+)", line).group(1)

    def pid_inside(self, member):
        """As the processes of the host call it."""
        return int(member.status["NSpid"][-1])

    # -- who has it -----------------------------------------------------------

    def test_age_and_owner(self):
        self.serve()
        self.login()
        monitor = self.monitor()
        text = self.host.read(self.lock())
        self.assertRegex(text, rb"\Apid=%d sid=%s ip=127\.0\.0\.1 since_ms="
                         rb"\d+ key=[0-9a-f]+-alice\n\Z"
                         % (self.pid_inside(monitor),
                            self.sid_of_login().encode()))
        time.sleep(2.1)
        m = SINCE.fullmatch(self.second())
        self.assertTrue(m)
        self.assertIn(int(m.group(1)), range(2, 100))
        self.assertEqual(m.group(2), b"seconds")
        sid, pid, address, seconds = self.told()
        self.assertEqual((sid, pid, address),
                         (self.sid_of_login(), self.pid_inside(monitor),
                          "127.0.0.1"))
        self.assertEqual(seconds, int(m.group(1)))
        self.assertNotIn(b"127.0.0.1", m.group(0))

    def test_inetd_and_serve_see_each_other(self):
        self.serve()
        inetd = Inetd(self.host, 1100)
        self.addCleanup(inetd.stop)
        first = self.login()
        self.assertRegex(self.second(1100), SINCE)
        first.quit()
        with Pop(self.host.connect(1100)) as pop:
            pop.login("alice", family.PASSWORD)
            self.assertRegex(self.second(110), SINCE)
            pop.quit()
        self.next_login()
        self.assertEqual(self.host.call(names, LOCKS), [])

    def forged(self, text):
        """What a second session hears when the lock says so."""
        path = "/proc/%d/root%s" % (self.host.pid, self.path)
        with open(path, "wb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.write(text)
            f.flush()
            self.mark = self.log.mark()
            return self.second()

    def heard_at(self, age):
        """The words for it; a busy machine may make it older."""
        since = int(time.monotonic() * 1000) - age * 1000
        said = self.forged(b"pid=7 sid=ab ip=::1 since_ms=%d\n" % since)
        return re.fullmatch(rb"\[IN-USE\] Maildrop is in use since (.*) by "
                            rb"another session\.", said).group(1)

    def test_words_for_each_age(self):
        self.make_path()
        now = int(time.monotonic() * 1000)
        for age, words in ((0, b"0 seconds"), (1, b"1 second"),
                           (2, b"2 seconds"), (119, b"119 seconds"),
                           (120, b"2 minutes"), (3599, b"59 minutes"),
                           (86400, b"1440 minutes")):
            if now < age * 1000 + 1000:
                continue                # this machine has just been started
            with self.subTest(age=age):
                self.assertTrue(any(self.heard_at(age) == words
                                    for _ in range(10)))

    def make_path(self):
        self.serve()
        pop = self.login()
        self.path = self.lock()
        pop.quit()

    def test_texts_that_say_nothing(self):
        """Half written, of another version, from the future: the code and the
        plain sentence."""
        self.make_path()
        good = b"pid=7 sid=ab ip=::1 since_ms=5\n"
        for text in (b"", b"\n", b"x" * 4096, good[:-1], good * 20, b"\0" * 40,
                     good.replace(b"=7", b"=-7"),
                     good.replace(b"=7", b"=99999999999"),
                     good.replace(b"=ab", b"=" + b"a" * 32),
                     good.replace(b"=::1", b"=" + b"1" * 64),
                     good.replace(b"=5", b"=99999999999999"),
                     good.replace(b"=5", b"=99999999999999999999999"),
                     good.replace(b" since_ms=5", b""),
                     good.replace(b"pid", b"pix"), good.replace(b"=", b" ")):
            with self.subTest(text=text[:60]):
                self.assertEqual(self.forged(text), PLAIN)
                self.log.wait("drop-in-use", self.mark)
                self.assertFalse([x for x in self.log.lines[self.mark:]
                                  if "other_" in x])

    def test_forged_words_are_escaped(self):
        self.make_path()
        self.assertRegex(self.forged(
            b'pid=7 sid=a"b\rsession-end ip=\xff since_ms=5\n'),
            rb"\[IN-USE\] Maildrop is in use")
        self.log.wait("drop-in-use", self.mark)
        for line in self.log.lines[self.mark:]:
            self.assertFalse(line.startswith("session-end"), line)

    def test_the_session_cannot_write_it(self):
        self.serve()
        self.login()
        session, = self.children()
        fd, = (fd for fd, what in session.fds().items()
               if what.startswith(LOCKS))
        flags = re.search(rb"flags:\s+0*(\d+)",
                          session.read("fdinfo/%d" % fd)).group(1)
        self.assertEqual(int(flags, 8) & os.O_ACCMODE, os.O_RDONLY)

    # -- making it free -------------------------------------------------------

    def test_sigterm_to_the_pid_of_the_log_frees_it(self):
        self.serve()
        pop = self.login()
        pop.dele(1)
        self.second()
        pid = self.told()[1]
        self.assertEqual(self.pid_inside(self.monitor()), pid)
        self.host.run(["/bin/kill" if self.host.exists("/bin/kill") else
                       "/usr/bin/kill", str(pid)], check=True)
        self.ended(pop)
        self.next_login()
        self.unchanged()
        self.log.wait("session-end .*user=alice .*reason=stopped", self.mark)

    def test_sigkill_frees_it_as_well(self):
        self.serve()
        pop = self.login()
        pop.dele(1)
        self.monitor().kill(signal.SIGKILL)
        self.ended(pop)
        self.wait_for(lambda: not self.members(), "end of the session")
        self.next_login()
        self.unchanged()


if __name__ == "__main__":
    unittest.main()
