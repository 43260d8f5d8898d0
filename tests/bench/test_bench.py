# SPDX-License-Identifier: ISC
"""The benchmark's frame, in a tiny form: popper and the floor alone, a second
for each stretch.  What it measures is not judged here, but that it measures,
and that a wrong octet makes a run void.
"""

import os
import sys
import unittest
import xml.dom.minidom

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "bench"))

import measure                                                  # noqa: E402
from house import PAIRS, SYSTEM, VIRTUAL, House                 # noqa: E402
from peers import Floor, Popper, Server                         # noqa: E402
from report import COLUMNS, Results, markdown, svg              # noqa: E402
from run import Bench, arguments                                # noqa: E402
from scenarios import (PROBE_USERS, SCENARIOS, TLS,             # noqa: E402
                       WITH_SCRAM, WITH_TLS,
                       Void, login, retr, run_load, sessions, strangers)

TINY = ["--seconds", "1", "--users", "20", "--hold", "20", "--rate", "20",
        "--connections", "4", "--bulk", "1"]
# They differ in a word for the load from what is tried always.
LONG_ONES = {"tls_rsa", "stls", "resumed", "tls_scram", "bulk"}


class Frame(unittest.TestCase):
    def check(self, *more):
        """Every run has numbers, and the report shows all of them."""
        c = arguments([*TINY, *more])
        bench = Bench(c, [Popper(), Floor()])
        results = bench.run()
        self.assertEqual([r for r in results.runs if "void" in r], [])
        text = markdown(results, bench.facts())
        for table in results.tables():
            for key, _, _ in COLUMNS[table[0]]:
                self.assertEqual(len(results.values(table, "popper", key)),
                                 c.rounds, (table, key))
                self.assertEqual("floor" in results.peers(table),
                                 table[0] not in WITH_TLS | WITH_SCRAM)
            xml.dom.minidom.parseString(svg(results, table))
        self.assertIn("| popper | ", text)
        return results, text

    def test_virtual_users(self):
        wanted = [s for s in SCENARIOS if s not in LONG_ONES
                  or "POPPER_LONG" in os.environ]
        results, text = self.check("--kinds", VIRTUAL, "--scenarios",
                                   ",".join(wanted))
        self.assertEqual(len(results.tables()), len(wanted))
        self.assertRegex(text, r"in the clear and handshake alone: -?[\d.]+")
        table = ("login", VIRTUAL)
        self.assertGreater(results.values(table, "popper", "cpu_ms")[0],
                           results.values(table, "floor", "cpu_ms")[0])
        self.assertGreater(results.values(
            ("sessions", VIRTUAL), "popper", "pss_kib")[0], 1)

    def test_system_users_in_two_rounds(self):
        results, text = self.check("--kinds", SYSTEM, "--scenarios", "login",
                                   "--rounds", "2")
        self.assertEqual(
            [r["peer"] for r in results.runs],
            ["popper", "floor", "PAM alone", "PAM, a process each"] * 2,
            "interleaved")
        for bare in ("PAM alone", "PAM, a process each"):
            self.assertRegex(text, r"popper above %s: [-\d.]+ \(" % bare)


class House20(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.c = arguments(TINY)
        cls.house = House(VIRTUAL, 20 + PROBE_USERS)
        cls.addClassCleanup(cls.house.close)

    def serve(self, peer, **words):
        return Server(peer, self.house, **words)


class WrongOctets(House20):
    """One other octet in an answer, and the run is void."""

    def void(self, word, scenario):
        with self.serve(Floor(wrong=word)) as server, \
                self.assertRaisesRegex(Void, "answer to " + word if
                                       word != "retr" else "octet"):
            scenario(server, self.c)

    def test_of_a_line(self):
        for word in ("greeting", "user", "pass", "stat", "quit"):
            self.void(word, login)

    def test_of_a_greeting_that_is_held(self):
        with self.serve(Floor(wrong="greeting")) as server, \
                self.assertRaisesRegex(Void, "answer to greeting"):
            run_load(server, "idle-strangers", "--hold", 5)

    def test_of_a_noop_of_one_who_was_held(self):
        self.void("noop", sessions)

    def test_of_a_message(self):
        self.void("retr", retr)

    def test_the_right_ones_pass(self):
        with self.serve(Floor()) as server:
            for scenario in (login, retr, strangers, sessions):
                scenario(server, self.c)


class Losses(House20):
    def test_who_is_held_and_lost(self):
        """A server that dies under those who are held is found out."""
        with self.serve(Floor()) as server:
            real = server.group.pss_kib

            def kill_and_measure():
                if self.taken:
                    server.process.stop()
                self.taken = True
                return real()
            self.taken = False
            server.group.pss_kib = kill_and_measure
            with self.assertRaisesRegex(Void, "closed by the server|reset"):
                strangers(server, self.c)

    def test_a_refusal(self):
        """More than popper takes."""
        popper = Popper(options="max_strangers = 10\n")
        with self.serve(popper) as server, self.assertRaises(Void):
            strangers(server, self.c)

    def test_another_certificate(self):
        with self.serve(Popper(), tls=True) as server:
            run_load(server, "login", "--users", PAIRS, "--sessions", 1,
                     *TLS)
            self.house.lay_certificate()
            with self.assertRaisesRegex(Void, "certificate verify failed"):
                run_load(server, "login", "--users", PAIRS, "--sessions", 1,
                         *TLS)

    def test_a_wrong_password(self):
        path = "/run/bench/wrong"
        self.house.write(path, "%s not-it\n" % self.house.names[0])
        with self.serve(Popper(options="auth_fail_delay = 0\n")) as server, \
                self.assertRaisesRegex(Void, "pass"):
            run_load(server, "login", "--users", path, "--sessions", 1)


class Measuring(House20):
    def test_both_ways_agree(self):
        """Processes of sessions that have ended are counted, with a control
        group (where one can be made) and without."""
        plain = measure._Namespace(self.house)
        with self.serve(Popper()) as server:
            before = plain.cpu_ms(), server.group.cpu_ms()
            login(server, self.c)
            a, b = plain.cpu_ms() - before[0], server.group.cpu_ms() - before[1]
            self.assertGreater(b, 50)
            self.assertAlmostEqual(a / b, 1, delta=0.25)
            self.assertGreater(plain.pss_kib(), 100)


class Report(unittest.TestCase):
    RUNS = [
        {"scenario": "login", "kind": VIRTUAL, "peer": peer, "round": n,
         "values": {"cpu_ms": cpu, "rate": 100.0}}
        for n, (mine, theirs) in enumerate(((1, 4), (2, 10), (3, 9)), 1)
        for peer, cpu in (("popper", mine), ("other", theirs))]

    def test_median_spread_and_ratio(self):
        text = markdown(Results(self.RUNS), [])
        self.assertIn("| popper | 2.000 (1.000 to 3.000) |", text)
        self.assertIn("| 0.250 (0.200 to 0.333) |", text)

    def test_a_void_run_does_not_count(self):
        runs = [dict(r) for r in self.RUNS]
        del runs[3]["values"]
        runs[3]["void"] = "answer to stat"
        text = markdown(Results(runs), [])
        self.assertIn("Void: 1 of 3 runs of other: answer to stat", text)
        self.assertIn("| 0.292 (0.250 to 0.333) |", text)

    def test_nothing_but_void_runs(self):
        runs = [{"scenario": "login", "kind": VIRTUAL, "peer": "popper",
                 "round": 1, "void": "no"}]
        self.assertIn("Void: 1 of 1", markdown(Results(runs), []))
        self.assertIsNone(svg(Results(runs), ("login", VIRTUAL)))


if __name__ == "__main__":
    unittest.main()
