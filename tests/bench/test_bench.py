# SPDX-License-Identifier: ISC
"""The benchmark's frame, in a tiny form: popper and the floor alone, a second
for each stretch.  What it measures is not judged here, but that it measures,
and that a wrong octet makes a run void.
"""

import glob
import json
import os
import re
import sys
import tempfile
import unittest
import unittest.mock
import xml.dom.minidom

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "bench"))

import measure                                                  # noqa: E402
import scenarios                                                # noqa: E402
from drops import MARK as NUMBER, Drop, DropHouse               # noqa: E402
from house import (MAILDIR, MBOX, PAIRS, SYSTEM, VIRTUAL,       # noqa: E402
                   House)
from lib.spool import messages                                  # noqa: E402
from peers import Floor, Popper, Server                         # noqa: E402
from plots import LINE, apart, plots, summaries, svg            # noqa: E402
from publish import (BLOCK, BLOCKS, DOCUMENTS, END, MARK, load,  # noqa: E402
                     publish)
from report import COLUMNS, TITLES, Results, markdown           # noqa: E402
from run import Bench, arguments                                # noqa: E402
from scenarios import (DROPS, PROBE_USERS, SCENARIOS, TLS,      # noqa: E402
                       WITH_SCRAM, WITH_TLS, Void, drain, fetch, login,
                       poll, retr, run_load, sessions, strangers, top)

TINY = ["--seconds", "1", "--users", "20", "--hold", "20", "--rate", "20",
        "--connections", "4", "--bulk", "1", "--counts", "20",
        "--messages", "20", "--polls", "2"]
# They differ in a word for the load from what is tried always.
LONG_ONES = {"tls_rsa", "stls", "resumed", "tls_scram", "bulk"}


def at_once():
    """Not a moment is left for what a session began to end: what is measured
    here is not looked at."""
    return unittest.mock.patch.object(scenarios, "SETTLE", 0)


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
        wanted = [s for s in SCENARIOS if s not in DROPS
                  and (s not in LONG_ONES or "POPPER_LONG" in os.environ)]
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
            ["popper", "floor", "PAM alone", "PAM, a process each",
             "floor", "popper", "PAM alone", "PAM, a process each"],
            "interleaved, and another one begins each round")
        for bare in ("PAM alone", "PAM, a process each"):
            self.assertRegex(text, r"popper above %s: [-\d.]+ \(" % bare)


    def test_large_maildrops(self):
        """Of both forms; popper in those that it has."""
        c = arguments([*TINY, "--kinds", "", "--scenarios", ",".join(DROPS)])
        bench = Bench(c, [Popper(forms=(MBOX,)), Floor()])
        with at_once():
            results = bench.run()
        self.assertEqual([r for r in results.runs if "void" in r], [])
        self.assertEqual(sorted(results.tables()), sorted(
            (s, "%s-%d" % (form, 1 if s == "fetch_large" else 20))
            for s in DROPS for form in (MBOX, MAILDIR)))
        for table in results.tables():
            for key, _, _ in COLUMNS[table[0]]:
                self.assertEqual(
                    len(results.values(table, "popper", key)),
                    1 if table[1].startswith(MBOX) else 0, (table, key))
        for plot in plots(results).values():
            xml.dom.minidom.parseString(plot)
        self.assertEqual(sorted(summaries(results)), [
            "drain", "fetch-maildir", "fetch-mbox", "poll-maildir",
            "poll-mbox"])
        self.assertIn("messages in the mbox: 20", markdown(results, []))


class Patterns(unittest.TestCase):
    """What the load is told is what an independent reader finds."""

    def test_as_an_mbox(self):
        drop = Drop(20, 700)
        found = messages(b"".join(
            b"From a@example.net Mon Jan  1 12:00:00 2024\n" + drop.text(i)
            + b"\n" for i in range(20)))
        self.assertEqual([m.disk for m in found],
                         [drop.text(i) for i in range(20)])
        self.assertEqual(drop.stat, "20 %d" % sum(len(m.wire) for m in found))
        self.assertEqual(len({m.wire for m in found}), 20)
        self.assertGreater(len({len(m.wire) for m in found}), 4)

    def test_as_it_is_sent(self):
        drop = Drop(20, 700, crlf=True)
        text = b"".join(drop.text(i) for i in range(20))
        self.assertNotIn(b"\n.", text)
        self.assertNotRegex(text, rb"(?<!\r)\n")
        self.assertEqual(drop.wire_octets, len(text))

    def test_one_large(self):
        drop = Drop(1, 1 << 20)
        self.assertNotIn(NUMBER, drop.text(0))
        self.assertLess(abs(len(drop.text(0)) - (1 << 20)), 70000)


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


class WrongDrops(unittest.TestCase):
    """The same of large maildrops."""

    @classmethod
    def setUpClass(cls):
        cls.c = arguments(TINY)
        cls.enterClassContext(at_once())
        cls.house = DropHouse(MBOX, 20, 700)
        cls.addClassCleanup(cls.house.close)

    def setUp(self):
        self.house.lay_mail()

    def void(self, floor, scenario, why):
        with Server(floor, self.house) as server, \
                self.assertRaisesRegex(Void, why):
            scenario(server, self.c)

    def test_nothing_is_left(self):
        house = DropHouse(MAILDIR, 1, 700)
        folder = house.folder
        self.assertTrue(glob.glob(folder + "*/*_home/user*/Maildir/cur/*"))
        house.close()
        self.assertEqual(glob.glob(folder + "*"), [])

    def test_an_octet(self):
        for word, scenario, why in (
                ("uidl", poll, "an id twice"), ("list", poll, "to list"),
                ("retr", fetch, "message 1, octet"),
                ("top", top, "message 1, octet"), ("dele", drain, "to dele")):
            with self.subTest(word):
                self.void(Floor(wrong=word), scenario, why)

    def test_who_keeps_what_was_deleted(self):
        """The floor deletes nothing; here it must."""
        floor = Floor()
        floor.canned = False
        self.void(floor, drain, "answer to stat")

    def test_who_sees_no_new_mail(self):
        floor = Floor()
        floor.canned = False
        self.void(floor, poll, "answer to stat")


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
        group (where one can be made) and without.  On a busy machine there may be
        few of them, or somebody is at work between one look and the other."""
        plain = measure._Namespace(self.house)
        with self.serve(Popper()) as server:
            for _ in range(8):
                before = plain.cpu_ms(), server.group.cpu_ms()
                login(server, self.c)
                a = plain.cpu_ms() - before[0]
                b = server.group.cpu_ms() - before[1]
                if b > 50 and abs(a / b - 1) < 0.25:
                    break
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

    def test_the_best_of_the_others(self):
        """Of both directions; the floor is nobody to be compared with."""
        runs = [{"scenario": "fetch", "kind": "mbox-7", "peer": peer,
                 "round": 1, "values": {"cpu_ms_mb": cpu, "mb_s": rate}}
                for peer, cpu, rate in (("popper", 4, 50), ("one", 8, 100),
                                        ("other", 16, 200),
                                        ("floor", 1, 1000))]
        text = markdown(Results(runs), [])
        self.assertIn("server CPU, ms/MB (one): 0.500.", text)
        self.assertIn("MB/s (other): 0.250.", text)
        self.assertIn("| other | 16.00 | 200 | - |  | 0.250 | 0.250 |"
                      .replace(" |  | ", " | "), text)

    def test_nothing_but_void_runs(self):
        runs = [{"scenario": "login", "kind": VIRTUAL, "peer": "popper",
                 "round": 1, "void": "no"}]
        self.assertIn("Void: 1 of 1", markdown(Results(runs), []))
        self.assertIsNone(svg(Results(runs), ("login", VIRTUAL)))
        self.assertEqual(plots(Results(runs)), {})


class Documents(unittest.TestCase):
    """What becomes of results in them."""

    RUNS = [
        {"scenario": "poll", "kind": "mbox-%d" % count, "peer": peer,
         "round": n, "values": {"cpu_ms": cpu * count / 10 * (1 + n / 100),
                                "stat_cpu_ms": 2.0}}
        for n in (1, 2, 3) for count in (10, 1000)
        for peer, cpu in (("popper", 1), ("dovecot-index", 1.01),
                          ("popa3d", 1.02), ("floor", 1.03))]

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.top = self.folder.name
        os.mkdir(self.top + "/docs")
        for name in DOCUMENTS:
            self.write(name, "before\n")

    def write(self, name, text):
        with open(os.path.join(self.top, name), "w", encoding="utf-8") as f:
            f.write(text)
        return f.name

    def read(self, name):
        with open(os.path.join(self.top, name), encoding="utf-8") as f:
            return f.read()

    def results(self, *runs):
        return load([self.write("results.%d" % i, json.dumps(r))
                     for i, r in enumerate(runs)])

    def test_what_stands_between_the_marks(self):
        mark = MARK % "summary"
        self.write(DOCUMENTS[0], "a\n%s\nold\n%s\nz ![p](docs/benchmark-"
                   "poll-mbox.svg) ![q](docs/benchmark-login-virtual.svg)\n"
                   % (mark, END))
        left = publish({"": self.results(self.RUNS)}, self.top)
        text = self.read(DOCUMENTS[0])
        self.assertRegex(text, r"^a\n%s\n\nMedians of 3 rounds.\n" % mark)
        self.assertIn("| mbox: nothing new in 1,000 messages: STAT, UIDL, "
                      "LIST | 102 ms | 103 ms | 104 ms |  |", text)
        self.assertRegex(text, r"\n%s\nz " % END)
        self.assertNotIn("old", text)
        self.assertEqual(self.read(DOCUMENTS[1]), "before\n")
        self.assertEqual(left, {"login-virtual"})
        xml.dom.minidom.parseString(self.read("docs/benchmark-poll-mbox.svg"))

    def test_tables_of_the_report(self):
        """By their names, of the run that is named; others stay."""
        runs = [{"scenario": "login", "kind": VIRTUAL, "peer": "popper",
                 "round": 1, "values": {"cpu_ms": 0.5}}]
        marks = "login-virtual", "slow: login-virtual", "gone: login-virtual"
        self.write(DOCUMENTS[1], "".join("%s\nold\n%s\n" % (MARK % m, END)
                                         for m in marks))
        slow = [{**r, "values": {"cpu_ms": 1.5}} for r in runs]
        publish({"": self.results(runs), "slow": self.results(slow)}, self.top)
        text = self.read(DOCUMENTS[1])
        self.assertIn("| popper | 0.500 |", text)
        self.assertIn("| popper | 1.500 |", text)
        self.assertEqual(text.count("One round."), 2)
        self.assertNotIn("###", text)
        self.assertTrue(text.endswith("%s\nold\n%s\n"
                                      % (MARK % marks[2], END)))

    def test_the_last_file_has_the_table(self):
        faster = [{**r, "values": {"cpu_ms": 7.0}} for r in self.RUNS
                  if r["kind"] == "mbox-1000"]
        results = self.results(self.RUNS, faster)
        self.assertEqual(results.values(("poll", "mbox-1000"), "popper",
                                        "cpu_ms"), [7.0] * 3)
        self.assertEqual(len(results.values(("poll", "mbox-10"), "popper",
                                            "cpu_ms")), 3)

    def test_names_that_would_be_upon_each_other(self):
        """Four curves that end in one place."""
        plot = summaries(Results(self.RUNS))["poll-mbox"]
        names = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>'
                           r"(?:popper|dovecot-index|popa3d|floor) ", plot)
        self.assertEqual(len(names), 8)
        for x in {x for x, _ in names}:
            ys = sorted(float(y) for at, y in names if at == x)
            self.assertTrue(all(b - a >= LINE - 0.2
                                for a, b in zip(ys, ys[1:])), ys)
        self.assertEqual(apart([0, 1, 2], 0, 100), [0, LINE, 2 * LINE])
        self.assertEqual(apart([10, 99, 99], 0, 100), [10, 100 - LINE, 100])

    def test_documents_of_this_tree(self):
        """Each plot that one of them shows is there; each has its marks."""
        marks = set()
        for name in DOCUMENTS:
            with open(os.path.join(TOP, name), encoding="utf-8") as f:
                text = f.read()
            for plot in re.findall(r"[\w/-]+\.svg", text):
                self.assertTrue(os.path.exists(os.path.join(
                    TOP, os.path.dirname(name), plot)), plot)
            marks.update(name for _, _, name in BLOCK.findall(text))
            self.assertEqual(text.count(END), len(BLOCK.findall(text)), name)
        self.assertLessEqual({"summary", "peers", "drops"}, marks)
        self.assertLessEqual({m.split("-")[0] for m in marks - set(BLOCKS)},
                             set(TITLES))


if __name__ == "__main__":
    unittest.main()
