# SPDX-License-Identifier: ISC
"""What the tests of logins share: one attempt, judged in every respect."""

import concurrent.futures
import re
import time

from lib.flavour import SANITIZED
from lib.host import Host
from lib.popper import Inetd, Pop, PopError, conf

REFUSAL = b"[AUTH] Authentication failed."
DELAY = 1                       # seconds: auth_fail_delay
SLACK = 15                      # that a busy machine may add


def configure(host, **options):
    options = {"peer_check": "no", "auth_fail_delay": DELAY,
               "drain_timeout": 2, **options}
    host.write("/etc/popper/popper.conf", conf(**options))


class Logins:
    """For a TestCase with `host`: attempts that must fail, or not."""

    @classmethod
    def house(cls, **kw):
        cls.host = Host(**kw)
        cls.addClassCleanup(cls.host.close)
        inetd = Inetd(cls.host, 110)
        cls.addClassCleanup(inetd.stop)

    def attempt(self, user, password):
        """(seconds from PASS to its reply, the refusal or None)."""
        with Pop(self.host.connect(110)) as pop:
            self.assertEqual(pop.cmd("USER", user), b"Password required.")
            began = time.monotonic()
            pop.send(b"PASS " + password + b"\r\n")
            try:
                pop.reply()
            except PopError as e:
                seconds = time.monotonic() - began
                pop.at_end()
                return seconds, e.args[0]
            seconds = time.monotonic() - began
            pop.quit()
            return seconds, None

    def refused(self, user, password, reason, shown=None):
        """One text, one time, one line in the log, and the end."""
        self.all_refused([(user, password, reason)], shown)

    def all_refused(self, cases, shown=None):
        """The same for each (user, password, reason), at once: they wait."""
        mark = self.host.syslog.mark()
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            answers = list(pool.map(lambda c: self.attempt(c[0], c[1]), cases))
        lines = self.host.syslog.wait(r"\blogin-failed ", mark, count=len(cases))
        self.assertEqual(len(lines), len(cases), lines)
        said = "\n".join(self.host.syslog.lines[mark:])
        for (user, password, reason), (seconds, text) in zip(cases, answers):
            with self.subTest(user=user, reason=reason):
                self.assertEqual(text, REFUSAL)
                self.assertGreaterEqual(seconds, DELAY - 0.01)
                self.assertLess(seconds, DELAY + SLACK)
                wanted = re.compile(
                    r"\blogin-failed (sid=\S+ )?user=%s ip=127\.0\.0\.1 "
                    r".*\breason=%s\b"
                    % (re.escape(shown or user.decode()), reason))
                mine = next(filter(wanted.search, lines), None)
                self.assertIsNotNone(mine, lines)
                lines.remove(mine)
                if len(password) > 3:
                    self.assertNotIn(password.decode("latin-1"), said)

    def alike(self, known, others, rounds=9, more=12):
        """A wrong password takes about as long for each of them.  The quickest
        attempt counts, since a busy machine only adds, but to what is long the most;
        while they still differ there are more rounds, up to a bound.  With one hash
        where PAM has two it would be half."""
        if SANITIZED:
            self.skipTest("sanitizers distort the times")
        quickest = {}

        def differ():
            return [u for u in others if not quickest[known] * 0.6
                    < quickest[u] < quickest[known] * 1.7]

        for _ in range(1 + more):
            for _ in range(rounds):
                for user in [known, *others]:
                    seconds = self.attempt(user, b"wrong")[0]
                    quickest[user] = min(seconds, quickest.get(user, seconds))
            if not differ():
                break
        self.assertEqual(differ(), [], quickest)

    def accepted(self, user, password):
        seconds, text = self.attempt(user, password)
        self.assertIsNone(text)
        return seconds
