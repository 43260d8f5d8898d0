# SPDX-License-Identifier: ISC
"""A stranger learns from neither text nor time why he is refused: many refusals
of each kind, in one order after the other, and statistics.

In each round there are some attempts of each kind, in random order, so that what
a busy machine adds falls on all kinds alike: the tests look at ranks within a
round.  False alarms: there are about fifty comparisons, each of which errs once
in 10^8 runs.
"""

import bisect
import concurrent.futures
import math
import os
import random
import selectors
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import logins                                                   # noqa: E402
from lib.flavour import SANITIZED                               # noqa: E402
from lib.host import Host, crypt                                # noqa: E402
from lib.popper import Pop, Serve, Super                        # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
CHANCE = random.Random(int(os.environ.get("POPPER_SEED") or 0))
# A sanitizer's popper is asked as often as it takes to see what it does; its times
# are the sanitizer's, and compared with nothing.
ROUNDS, EACH = (2, 2) if SANITIZED else (100, 8) if LONG else (10, 5)
# Seconds in which the attempts of a round begin: were they all at once, who
# waits for the same wake-up would be answered together, whatever his time.
WINDOW = 1.0
# Rounds that are on at a time: one is asked while others wait for their answers.
AT_A_TIME = 3
CHANCE_OF_ALARM = 1e-8
PASSWORD = "wonderland"
YESCRYPT = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"
# Of the same length; all say the same password but the last.
KINDS = {"nosuch": "unknown-user", "wrongs": "bad-password",
         "locked": "locked", "denied": "denied", "super0": "uid",
         "hollow": "empty-password"}


# -- statistics -------------------------------------------------------------

def ranks(values):
    """Of equal ones the mean, as Kruskal and Wallis have it."""
    order = sorted(values)
    return [(bisect.bisect_left(order, v) + bisect.bisect_right(order, v) + 1)
            / 2 for v in values]


def shifted(rounds, kind):
    """Is this kind later or earlier than the others?  Van Elteren: the rank sum
    of Mann and Whitney, within each round, added up.  The probability that it
    comes by chance."""
    deviation = variance = 0.0
    for attempts in rounds:
        r = ranks([seconds for _, seconds in attempts])
        n = len(r)
        mine = [x for x, (k, _) in zip(r, attempts) if k == kind]
        mean = sum(r) / n
        spread = sum((x - mean) ** 2 for x in r) / (n - 1)
        deviation += sum(mine) - len(mine) * mean
        variance += len(mine) * (n - len(mine)) / n * spread
    if variance == 0:
        return 1.0
    return math.erfc(abs(deviation) / math.sqrt(2 * variance))


def other_shape(rounds, kind):
    """The same by Kolmogorov and Smirnov, who see any difference of two
    distributions; of what is left without the median of the round."""
    mine, others = [], []
    for attempts in rounds:
        middle = sorted(seconds for _, seconds in attempts)[len(attempts) // 2]
        for k, seconds in attempts:
            (mine if k == kind else others).append(seconds - middle)
    mine.sort()
    others.sort()
    most = max(abs(bisect.bisect_right(mine, x) / len(mine)
                   - bisect.bisect_right(others, x) / len(others))
               for x in mine + others)
    n = len(mine) * len(others) / (len(mine) + len(others))
    return min(1.0, 2 * math.exp(-2 * n * most ** 2))


def worst(rounds):
    """(probability, kind, which test) of the least likely."""
    kinds = {k for attempts in rounds for k, _ in attempts}
    return min((test(rounds, k), k, test.__name__)
               for k in kinds for test in (shifted, other_shape))


def later(rounds, kind, seconds):
    """The same attempts, if those of a kind took so much longer."""
    return [[(k, s + seconds if k == kind else s) for k, s in attempts]
            for attempts in rounds]


def spread(rounds):
    """Between the quartiles, of the median round."""
    return sorted(s[len(s) * 3 // 4] - s[len(s) // 4] for s in (
        sorted(s for _, s in attempts) for attempts in rounds))[
            len(rounds) // 2]


class Statistics(unittest.TestCase):
    """They are as good as they say, by numbers of which all is known."""

    def rounds(self, draw, n=10):
        """A stall of the machine hits whoever is on at that moment."""
        out = []
        for _ in range(n):
            kinds = [k for k in KINDS for _ in range(5)]
            CHANCE.shuffle(kinds)
            stall = CHANCE.randrange(len(kinds))
            out.append([(k, 1 + draw(k) + (0.3 if stall <= i < stall + 5
                                           else 0))
                        for i, k in enumerate(kinds)])
        return out

    def test_chance_is_what_they_say(self):
        for test in (shifted, other_shape):
            values = [test(self.rounds(lambda k: CHANCE.gauss(0, 0.001)),
                           "wrongs") for _ in range(1500)]
            for p in (0.5, 0.1, 0.01):
                expected = p * len(values)
                self.assertLess(
                    sum(v < p for v in values),
                    expected + 6 * math.sqrt(expected), (test, p))

    def test_a_difference_is_found(self):
        for name, mean, width in (("shift", 0.002, 0.001),
                                  ("width", 0, 0.01)):
            def draw(k, mean=mean, width=width):
                return CHANCE.gauss(mean, width) if k == "wrongs" \
                    else CHANCE.gauss(0, 0.001)
            with self.subTest(name=name):
                p, kind, _ = worst(self.rounds(draw, 40))
                self.assertLess(p, CHANCE_OF_ALARM)
                self.assertEqual(kind, "wrongs")

    def test_equal_times(self):
        self.assertEqual(worst([[(k, 1.0) for k in KINDS] * 5] * 10)[0], 1.0)


# -- refusals ---------------------------------------------------------------

class Attempt:
    def __init__(self, host, kind):
        self.kind, self.seconds, self.said = kind, None, b""
        with_greeting = Pop(host.connect(110))
        with_greeting.cmd("USER", kind)
        self.sock = with_greeting.sock
        self.word = b"" if KINDS[kind] == "empty-password" \
            else PASSWORD.encode()

    def ask(self):
        self.began = time.perf_counter()
        self.sock.sendall(b"PASS " + self.word + b"\r\n")

    def hear(self, now):
        """False: that is all."""
        if self.seconds is None:
            self.seconds = now - self.began
        data = self.sock.recv(4096)
        self.said += data
        return bool(data)


class Alike(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        add = cls.host.add_user
        for kind in KINDS:
            if kind == "super0":
                add(kind, uid=0, gid=0, password=PASSWORD)
            elif kind != "nosuch":
                add(kind, password=PASSWORD)
        add("vmail", uid=5000)
        cls.host.write("/etc/popper/deny", "denied\n")
        cls.asking = threading.Lock()

    def users(self, setting):
        """The same in shadow and in the password file."""
        hashed = {k: crypt("another" if k == "wrongs" else PASSWORD, setting)
                  for k in KINDS if k != "nosuch"}
        for kind, text in hashed.items():
            self.host.account(kind).hashed = \
                ("!" if kind == "locked" else "") + text
        self.host.add_group("again", 1800)      # writes the accounts
        self.host.write("/etc/popper/users", "".join("%s:%s%s%s\n" % (
            kind, "!" if kind == "locked" else "", text,
            ":0:0" if kind == "super0" else "")
            for kind, text in hashed.items()), 0o600)

    def round(self):
        """[(kind, seconds)], in the order in which they were asked."""
        kinds = [k for k in KINDS for _ in range(EACH)]
        with selectors.DefaultSelector() as selector:
            with self.asking:
                CHANCE.shuffle(kinds)
                attempts = [Attempt(self.host, k) for k in kinds]
                self.ask(attempts, selector)
            end = time.perf_counter() + 60
            while selector.get_map():
                self.assertLess(time.perf_counter(), end, "no answer")
                self.hear(selector, 60)
        for a in attempts:
            a.sock.close()
        self.assertEqual({a.said for a in attempts},
                         {b"-ERR " + logins.REFUSAL + b"\r\n"})
        return [(a.kind, a.seconds) for a in attempts]

    def ask(self, attempts, selector):
        """Each at its time."""
        times = sorted(CHANCE.uniform(0, WINDOW) for _ in attempts)
        began = time.perf_counter()
        for at, attempt in zip(times, attempts):
            while (left := began + at - time.perf_counter()) > 0:
                self.hear(selector, left)
            selector.register(attempt.sock, selectors.EVENT_READ, attempt)
            attempt.ask()

    def hear(self, selector, seconds):
        """Who is answered next, in that time."""
        ready = selector.select(seconds)
        now = time.perf_counter()
        for key, _ in ready:
            if not key.data.hear(now):
                selector.unregister(key.fileobj)

    def rounds(self, delay):
        """Who was not judged in time is answered at the next one (design.md,
        section 1): a round in which that happens says nothing, if it is
        seldom."""
        out, late = [], []
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            while len(out) < ROUNDS:
                for attempts in pool.map(lambda _: self.round(),
                                         range(ROUNDS - len(out))):
                    slow = [k for k, seconds in attempts
                            if seconds > 1.9 * delay]
                    (late if slow else out).append(slow or attempts)
                self.assertLess(len(late), 3 * ROUNDS, late)
        return out

    def alike(self, server, delay, setting="$6$rounds=1000$popperhouse$",
              **options):
        self.users(setting)
        logins.configure(self.host, auth_fail_delay=delay,
                         virtual_user="vmail", maildrop="/var/mail/%u",
                         max_sessions_per_address=1000, **options)
        running = server(self.host)
        mark = self.host.syslog.mark()
        try:
            rounds = self.rounds(delay)
        finally:
            running.stop()
        for kind, reason in KINDS.items():
            self.host.syslog.wait("login-failed .*user=%s .*reason=%s" % (
                kind, reason), mark, count=ROUNDS * EACH)
        self.assertGreaterEqual(min(s for r in rounds for _, s in r),
                                delay - 0.01)
        if not SANITIZED:
            self.compare(rounds)

    def compare(self, rounds):
        width = spread(rounds)
        p, kind, test = worst(rounds)
        self.assertGreater(p, CHANCE_OF_ALARM, "%s by %s" % (kind, test))
        found = [ms for ms in (1, 2, 5, 10, 20, 50, 100) if worst(
            later(rounds, "wrongs", ms / 1000))[0] < CHANCE_OF_ALARM]
        print("%s: spread %.2f ms; %s ms more would be found"
              % (self.id(), 1000 * width, found[0] if found else "> 100"))
        # The control: what is plain for the eye is plain for the test.
        for sign in (1, -1):
            p, kind, _ = worst(later(rounds, "wrongs",
                                     sign * (0.001 + 4 * width)))
            self.assertLess(p, CHANCE_OF_ALARM)

    def test_file_in_serve(self):
        self.alike(Serve, 1, auth="file")

    def test_pam_in_serve(self):
        self.alike(Serve, 2, auth="pam")

    def test_file_in_inetd(self):
        self.alike(Super, 2, auth="file")

    def test_pam_in_inetd(self):
        self.alike(Super, 2, auth="pam")

    @unittest.skipUnless(LONG, "long run only (make test-long)")
    def test_slow_hashes(self):
        """With less time to spare."""
        for source in ("file", "pam"):
            for server in (Serve, Super):
                with self.subTest(source=source, server=server.__name__):
                    self.alike(server, 5, setting=YESCRYPT, auth=source)


if __name__ == "__main__":
    unittest.main()
