# SPDX-License-Identifier: ISC
"""Random users log in by random ways, with right secrets and wrong ones, and each
answer, each maildrop and each line of the log is what a model of the configuration
says: while nothing changes, while all does, and while processes are killed."""

import dataclasses
import itertools
import os
import random
import sys
import threading
import traceback
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS] + [os.path.join(TESTS, name) for name in (
    "verdict", "serve", "sasl", "bearer", "tls", "proxy")]

from lib.flavour import SANITIZED                               # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Serve                             # noqa: E402
from blame import all_counted                                   # noqa: E402
from foresight import all_foreseen                              # noqa: E402
from hall import Hall, Keys                                     # noqa: E402
from model import Login, Way, judge                             # noqa: E402
from visit import REFUSED, Rough, Visit                          # noqa: E402
import town                                                     # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or 0)
CONNECTIONS = 80 if SANITIZED else 3000 if LONG else 220
CHANGES = 5 if not LONG else 60
SHARED = {"sessions_per_process": 16}


class Inetds:
    """A super-server for each port."""

    def __init__(self, host):
        self.all = [Inetd(host, port) for port in (
            town.POP, town.POPS, town.PROXIED, town.PROXIEDS)]

    def stop(self):
        for server in self.all:
            server.stop()


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = Keys()
        cls.addClassCleanup(cls.keys.close)

    def hall(self, seed, server, change=lambda world: world, **options):
        host = Host()
        self.addCleanup(host.close)
        host.add_user("vmail", uid=town.VMAIL)
        world = change(town.world(random.Random(seed)))
        town.lay(host, world, **options)
        self.keys.lay(host, world)
        running = server(host)
        self.addCleanup(running.stop)
        return Hall(host, self.keys, world, seed, **options)

    def right(self, wrong):
        self.assertEqual(len(wrong), 0, "%d are wrong:\n%s" % (
            len(wrong), "\n".join(wrong[:8])))

    def all_right(self, hall, connections):
        self.right(hall.visits(range(connections)))
        self.assertLess(hall.undecided, 20)

    def test_serve(self):
        """And popper ctl why says beforehand what is said then."""
        hall = self.hall(SEED, Serve)
        self.all_right(hall, CONNECTIONS)
        self.right(all_foreseen(hall, range(CONNECTIONS // 4)))

    def test_counts(self):
        """A failure counts once, for whose it is; what was broken off, or not even
        asked, for nobody."""
        hall = self.hall(SEED + 5, Serve, lambda w: dataclasses.replace(
            w, delay_max=0))
        self.right(all_counted(hall, range(CONNECTIONS // 8)))

    def test_shared_process(self):
        self.all_right(self.hall(SEED + 1, Serve, **SHARED), CONNECTIONS // 2)

    def test_inetd(self):
        self.all_right(self.hall(SEED + 2, Inetds), CONNECTIONS // 6)

    def test_pam_last(self):
        """Who is unknown to it has a challenge of SCRAM's as others have."""
        hall = self.hall(SEED, Serve, lambda w: dataclasses.replace(
            w, databases=tuple(sorted(w.databases,
                                      key=lambda db: db.kind == "pam")),
            app_passwords="no", mechanisms=frozenset(["scram-sha-256"])))
        way = Way(town.OWN[0], town.POP, False, False)
        known = next(iter(hall.world.databases[-1].rows))
        self.right([w for name in ("nobody", known) if (w := Visit(
            hall, hall.chance(0), way, [Login("scram-sha-256", name, "x")]
            ).run())])

    def meanwhile(self, visit, act):
        """visit(0), visit(1) and so on, until it is done."""
        done, wrong, numbers = threading.Event(), [], itertools.count()

        def come():
            while not done.is_set() and not wrong:
                try:
                    wrong.extend(filter(None, [visit(next(numbers))]))
                except Exception:
                    wrong.append(traceback.format_exc())
        threads = [threading.Thread(target=come) for _ in range(6)]
        for t in threads:
            t.start()
        try:
            act()
        finally:
            done.set()
            for t in threads:
                t.join()
        self.right(wrong)

    def test_changes(self):
        """Files are written anew, and the configuration is read once more."""
        hall = self.hall(SEED + 3, Serve, **(SHARED if SEED % 2 else {}))
        hall.restless = True
        chance = hall.chance(-1)

        def act():
            for i in range(CHANGES):
                (hall.change_rows, hall.reload, hall.change_deny,
                 hall.change_rows, hall.change_apps)[i % 5](chance)
        self.meanwhile(hall.visit, act)

    def test_change_beside_pam(self):
        """A file that was changed counts, however often PAM is asked, each time by
        a worker that ends: the warden looks at its times all the same."""
        hall = self.hall(SEED, Serve, lambda w: dataclasses.replace(
            w, databases=tuple(sorted(w.databases,
                                      key=lambda db: db.kind == "pam")),
            masters={}, app_passwords="no", deny=frozenset(), allow=None,
            rules=()))
        way = Way(town.OWN[0], town.POP, False, False)
        row = next(r for db in hall.world.databases for r in db.rows.values()
                   if judge(hall.world, Login("pass", r.name, r.password), way
                            ).what == "good" and not r.delay)

        asked = []

        def ask(n):
            asked.append(n)
            return hall.answer(Way(town.OWN[1 + n % 60], town.POP, False, False),
                               Login("pass", "nosuch%d" % n, "x")) != REFUSED

        def act():
            hall.wait(lambda: len(asked) > 200, "all workers")
            hall.host.write("/etc/popper/deny", row.name + "\n")
            hall.wait(lambda: hall.answer(way, Login(
                "pass", row.name, row.password)) == REFUSED, "the change")
        self.meanwhile(ask, act)

    def test_kills(self):
        """Nobody is judged wrongly, and all is well soon after."""
        hall = self.hall(SEED + 4, Serve, lambda w: dataclasses.replace(
            w, delay_max=0))
        chance = hall.chance(-1)

        def act():
            for _ in range(2 * CHANGES):
                threading.Event().wait(chance.uniform(0, 0.3))
                hall.kill(chance)
        self.meanwhile(lambda n: hall.visit(n, Rough), act)
        hall.recover()
        self.right(hall.visits(range(40)))


if __name__ == "__main__":
    unittest.main()
