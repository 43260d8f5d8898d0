# SPDX-License-Identifier: ISC
"""The resolver of popper serve: many clients, one process.

As root in its cage, otherwise its two halves without it (see test_peer.py).
"""

import collections
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib.unpack import build_dir                                # noqa: E402
from logged import DEBUG, ERR, NOTE, WARN, parse                # noqa: E402
from nameserver import PTR, NameServer, reverse                 # noqa: E402
import nameserver                                               # noqa: E402

TRY = os.path.join(build_dir(), "tests/peer/try_resolver")
# As in src/role/resolver_many.c.
ASKING, QUEUED, EACH, KNOWN = 256, 1024, 64, 4096
LIMIT_MS = 30000                # of who is answered
PATIENCE = 60                   # seconds for a busy machine
SLACK = 15                      # the same, where nobody must wait


def sid(n):
    return "%012x" % n


class Log:
    """A log daemon, by streams, for they hold all that comes at once: a line ends
    with NUL."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.over = False
        self.open()

    def open(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen()
        self.over = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def close(self):
        self.over = True
        self.thread.join()
        self.sock.close()
        os.unlink(self.path)

    def _read(self):
        with selectors.DefaultSelector() as s:
            s.register(self.sock, selectors.EVENT_READ)
            while not self.over:
                for key, _ in s.select(0.05):
                    if key.fileobj is self.sock:
                        s.register(self.sock.accept()[0], selectors.EVENT_READ,
                                   bytearray())
                    elif not self._hear(*key[::3]):
                        s.unregister(key.fileobj)
                        key.fileobj.close()
            for key in list(s.get_map().values()):
                if key.fileobj is not self.sock:
                    key.fileobj.close()

    def _hear(self, sock, begun):
        data = sock.recv(65536)
        begun += data
        *lines, begun[:] = begun.split(b"\0")
        self.lines += map(parse, lines)
        return data

    def take(self):
        """All lines so far."""
        lines = self.lines[:]
        del self.lines[:len(lines)]
        return lines


class Peers(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(TRY):
            self.skipTest("needs a build with tests")
        self.dir = tempfile.mkdtemp(prefix="peers.")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        self.empty = os.path.join(self.dir, "empty")
        os.mkdir(self.empty, 0o755)
        self.log = Log(os.path.join(self.dir, "log"))
        self.addCleanup(self.log.close)
        self.process = None

    def tearDown(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def start(self, servers, fronts=2, limit_ms=LIMIT_MS, hosts=None):
        cage = ["65534:65534", self.empty] if os.geteuid() == 0 else []
        table = os.path.join(self.dir, "hosts")
        with open(table, "w", encoding="ascii") as f:
            f.write(hosts or "")
        self.process = subprocess.Popen(
            [TRY, servers, str(limit_ms), self.log.path, str(fronts), *cage],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(os.environ, TRY_HOSTS=table))

    def send(self, *commands):
        self.process.stdin.write("".join(c + "\n" for c in commands))
        self.process.stdin.flush()

    def wait(self, n, exactly=True):
        """The first n lines; there are no more."""
        end = time.monotonic() + PATIENCE
        while len(self.log.lines) < n and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        lines = self.log.take()
        if exactly:
            self.assertEqual(len(lines), n, lines[-5:])
        return lines

    def wait_asked(self, ns, n):
        """Until so many questions have come, and are held if they are to be."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and (
                len(ns.held) if ns.holding else len(ns.asked)) < n:
            time.sleep(0.01)
        self.assertGreaterEqual(len(ns.asked), n)

    def wait_ended(self):
        """The resolver has; its parent need not know yet."""
        pid = self.process.pid
        end = time.monotonic() + PATIENCE

        def runs():
            with open("/proc/%d/task/%d/children" % (pid, pid),
                      encoding="ascii") as f:
                kids = f.read().split()
            states = []
            for kid in kids:
                with open("/proc/%s/stat" % kid, encoding="ascii") as f:
                    states.append(f.read().rpartition(")")[2].split()[0])
            return set(states) - {"Z"}
        while runs():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def end(self, status=0, lost=0):
        """Close all links: it ends, at once and well."""
        began = time.monotonic()
        out = self.process.communicate(timeout=PATIENCE)[0]
        self.process = None
        self.assertEqual(out, "lost\n" * lost + "ended %d\n" % status)
        self.assertLess(time.monotonic() - began, SLACK)

    def events(self, lines):
        return [(p, f[""], f.get("sid"), f.get("ip")) for p, f in lines]

    # -- what is said ------------------------------------------------------

    def test_all_cases(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.2", "gone.example")
            ns.ptr("192.0.2.3", "other.example")
            ns.address("other.example", "192.0.2.99")
            ns.ptr("192.0.2.4", "good.example")
            ns.address("good.example", "192.0.2.4")
            ns.ptr("2001:db8::5", "good.example")
            ns.codes = {reverse("192.0.2.6"): nameserver.SERVFAIL}
            self.start(ns.servers, hosts="192.0.2.7 known\n")
            self.send(*("%d %d %s" % (i % 2, i, a) for i, a in enumerate(
                ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4",
                 "2001:db8::5", "192.0.2.6", "192.0.2.7", "local"])))
            lines = self.wait(5)
            self.assertEqual(sorted(self.events(lines)), sorted([
                (WARN, "peer-no-name", sid(0), "192.0.2.1"),
                (WARN, "peer-unknown-name", sid(1), "192.0.2.2"),
                (WARN, "peer-not-listed", sid(2), "192.0.2.3"),
                (WARN, "peer-not-listed", sid(4), "2001:db8::5"),
                (DEBUG, "peer-dns-timeout", sid(5), "192.0.2.6")]))
            texts = {f["ip"]: f["text"] for _, f in lines}
            self.assertEqual(
                texts["192.0.2.1"],
                "Unable to get canonical name of client, err = 1")
            self.assertEqual(
                texts["192.0.2.2"], 'Client at "192.0.2.2" resolves to an '
                'unknown host name "gone.example"')
            self.assertEqual(
                texts["192.0.2.3"], 'Client address "192.0.2.3" not '
                'listed for its host name "other.example"')
            self.assertNotIn((reverse("192.0.2.7"), PTR), ns.asked)
            self.end()

    def test_many_at_once(self):
        count = 1000
        with NameServer() as ns:
            for i in range(count):
                a = "10.0.%d.%d" % (i // 250, i % 250)
                if i % 4 != 0:
                    ns.ptr(a, "h%d.example" % i)
                if i % 4 == 2:
                    ns.address("h%d.example" % i, "192.0.2.1")
                if i % 4 == 3:
                    ns.address("h%d.example" % i, a, "192.0.2.1")
            self.start(ns.servers, fronts=8, limit_ms=30000)
            self.send(*("%d %d 10.0.%d.%d" % (i % 8, i, i // 250, i % 250)
                        for i in range(count)))
            lines = self.wait(count * 3 // 4)
            for _, f in lines:
                i = int(f["sid"], 16)
                self.assertEqual(f["ip"], "10.0.%d.%d" % (i // 250, i % 250))
                self.assertEqual(f[""], ["peer-no-name", "peer-unknown-name",
                                         "peer-not-listed"][i % 4])
                self.assertEqual(f.get("name"),
                                 "h%d.example" % i if i % 4 else None)
            self.assertEqual(len({f["sid"] for _, f in lines}), len(lines))
            self.end()

    def test_answers_out_of_order(self):
        count = 100
        with NameServer() as ns:
            for i in range(0, count, 2):
                ns.ptr("10.1.0.%d" % i, "h%d.example" % i)
            ns.holding = True
            self.start(ns.servers, limit_ms=30000)
            self.send(*("0 %d 10.1.0.%d" % (i, i) for i in range(count)))
            self.wait_asked(ns, count)
            ns.release()
            for _, f in self.wait(count):
                i = int(f["sid"], 16)
                self.assertEqual(f["ip"], "10.1.0.%d" % i)
                self.assertEqual(f[""], "peer-no-name" if i % 2 else
                                 "peer-unknown-name")
            self.end()

    def test_by_tcp(self):
        many = ["10.%d.%d.1" % (i // 200, i % 200) for i in range(900)]
        with NameServer() as ns:
            for i in range(20):
                ns.ptr("192.0.2.%d" % i, "many%d.example" % i)
                ns.address("many%d.example" % i, *many)
            self.start(ns.servers, limit_ms=10000)
            self.send(*("0 %d 192.0.2.%d" % (i, i) for i in range(20)))
            for _, f in self.wait(20):
                self.assertEqual(f[""], "peer-not-listed")
            self.end()

    # -- what is remembered ------------------------------------------------

    def test_asked_once(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.1", "gone.example")
            ns.ptr("192.0.2.2", "good.example")
            ns.address("good.example", "192.0.2.2")
            ns.holding = True
            self.start(ns.servers)
            self.send("0 1 192.0.2.1", "1 2 192.0.2.1", "0 3 192.0.2.1",
                      "1 4 192.0.2.2")
            self.wait_asked(ns, 2)
            self.assertEqual(self.log.lines, [])
            ns.release()
            lines = self.wait(3)
            self.assertEqual(sorted(f["sid"] for _, f in lines),
                             [sid(1), sid(2), sid(3)])
            asked = len(ns.asked)
            # Each connection has its line, and no name server is asked.
            self.send("0 5 192.0.2.1", "0 6 192.0.2.2", "1 7 192.0.2.1")
            lines += self.wait(2)
            self.assertEqual(len(ns.asked), asked)
            self.assertEqual(sorted(f["sid"] for _, f in lines[3:]),
                             [sid(5), sid(7)])
            self.assertEqual(len({(p, f[""], f["name"], f["text"])
                                  for p, f in lines}), 1)
            self.end()

    def test_asked_again(self):
        """Both names and silence are believed for some time only."""
        with NameServer() as ns:
            ns.codes = {reverse("192.0.2.2"): nameserver.SERVFAIL}
            self.start(ns.servers)
            self.send("0 1 192.0.2.1", "0 2 192.0.2.2")
            self.wait(2)
            ns.ptr("192.0.2.1", "gone.example")
            ns.ptr("192.0.2.2", "gone.example")
            ns.codes = {}
            for ms, said in ((20000, ["peer-no-name", "peer-dns-timeout"]),
                             (12000, ["peer-no-name", "peer-unknown-name"]),
                             (240000, ["peer-no-name", "peer-unknown-name"]),
                             (30000, ["peer-unknown-name"] * 2)):
                self.send("0 later %d" % ms, "0 1 192.0.2.1", "0 2 192.0.2.2")
                self.assertEqual([e for _, e, _, _ in sorted(
                    self.events(self.wait(2)), key=lambda e: e[2])], said)
            self.end()

    def test_known_is_bounded(self):
        with NameServer() as ns:
            self.start(ns.servers, limit_ms=30000)
            self.send("0 1 192.0.2.1")
            self.wait(1)
            for start in range(0, KNOWN, 1024):
                self.send(*("0 2 10.2.%d.%d" % (i // 250, i % 250)
                            for i in range(start, start + 1024)))
                self.wait(1024)
            asked = len(ns.asked)
            self.send("0 2 10.2.16.0")          # a new one
            self.wait(1)
            self.send("0 3 192.0.2.1")          # forgotten meanwhile
            self.wait(1)
            self.assertEqual([n for n, _ in ns.asked[asked:]],
                             [reverse("192.0.2.1")])
            self.end()

    # -- nobody answers ----------------------------------------------------

    def test_silent_server(self):
        with NameServer(silent=True) as ns:
            for servers in ns.servers, " ".join([ns.servers] * 3):
                self.start(servers, limit_ms=1000)
                began = time.monotonic()
                self.send(*("0 %d 10.3.0.%d" % (i, i) for i in range(200)))
                lines = self.wait(200)
                self.assertEqual({(p, f[""]) for p, f in lines},
                                 {(DEBUG, "peer-dns-timeout")})
                self.assertLess(time.monotonic() - began, 1 + SLACK)
                # Not asked again at once.
                asked = len(ns.asked)
                time.sleep(1)
                self.send("0 1 10.3.0.1")
                self.assertEqual(self.wait(1)[0][1][""], "peer-dns-timeout")
                self.assertLessEqual(len(ns.asked), asked + 400)
                self.end()

    def test_late_answer(self):
        """Its time is over: told so; what comes later is kept all the same."""
        for _ in range(8):
            if self.late_answer():
                return
        self.fail("never late enough, and not too late")

    def late_answer(self):
        """False: this machine was too slow, and so the second question not asked."""
        with NameServer() as ns:
            ns.ptr("192.0.2.1", "gone.example")
            ns.holding = True
            self.start(ns.servers, limit_ms=3000)
            self.send("0 1 192.0.2.1")
            began = time.monotonic()
            self.wait_asked(ns, 1)
            # The second question is asked late, and has c-ares's full time.
            time.sleep(max(0, began + 1.8 - time.monotonic()))
            ns.release(hold_on=True)
            self.assertEqual(self.events(self.wait(1)), [
                (DEBUG, "peer-dns-timeout", sid(1), "192.0.2.1")])
            self.assertLess(time.monotonic() - began, 3 + SLACK)
            if "gone.example" not in [n for n, _ in ns.asked]:
                self.end()
                return False
            self.send("0 2 192.0.2.1")          # waits for nothing any more
            self.assertEqual(self.events(self.wait(1)), [
                (DEBUG, "peer-dns-timeout", sid(2), "192.0.2.1")])
            asked = len(ns.asked)
            ns.release()
            for i in range(3, 100):     # until it has come
                self.send("0 %d 192.0.2.1" % i)
                event, = self.events(self.wait(1))
                if event[1] != "peer-dns-timeout":
                    break
            self.assertEqual(event, (WARN, "peer-unknown-name", sid(i),
                                     "192.0.2.1"))
            self.assertEqual(len(ns.asked), asked)
            self.end()
            return True

    def test_late_and_no_more(self):
        """Once its time is over there is no second question."""
        with NameServer() as ns:
            ns.ptr("192.0.2.1", "gone.example")
            ns.holding = True
            self.start(ns.servers, limit_ms=2000)
            self.send("0 1 192.0.2.1")
            self.wait_asked(ns, 1)
            self.send("0 later 60000", "0 2 192.0.2.2")
            self.assertEqual(self.events(self.wait(1)), [
                (DEBUG, "peer-dns-timeout", sid(1), "192.0.2.1")])
            self.wait_asked(ns, 2)
            ns.release()
            self.wait(1)
            self.assertNotIn("gone.example", [n for n, _ in ns.asked])
            self.end()

    def test_dead_then_alive(self):
        with NameServer(silent=True) as dead, NameServer() as ns:
            ns.ptr("192.0.2.4", "gone.example")
            self.start(dead.servers + " " + ns.servers, limit_ms=6000)
            self.send("0 1 192.0.2.4")
            self.assertEqual(self.wait(1)[0][1][""], "peer-unknown-name")
            self.end()

    def test_too_many(self):
        for limit_ms in (1000, 4000, 16000):
            if self.too_many(limit_ms):
                return
        self.fail("the first one's time is over before the last one comes")

    def too_many(self, limit_ms):
        """False: there was room already."""
        count = ASKING + QUEUED
        with NameServer(silent=True) as ns:
            self.start(ns.servers, limit_ms=limit_ms)
            self.send(*("%d %d 10.4.%d.%d" % (i % 2, i, i // 250, i % 250)
                        for i in range(count + 300)))
            # Two fronts: not in this order, but so many.
            lines = self.wait(count + 1, exactly=False)
            if len(lines) != count + 1:
                self.end()
                self.log.take()
                return False
            kinds = collections.Counter((p, f[""]) for p, f in lines)
            self.assertEqual(kinds, {(DEBUG, "peer-dns-timeout"): count,
                                     (NOTE, "peer-skipped"): 1})
            skipped, = (f for _, f in lines if f[""] == "peer-skipped")
            self.assertEqual(skipped["clients"], "300")
            self.assertNotIn("sid", skipped)
            # There is room again.
            self.send("0 5000 192.0.2.77")
            self.assertEqual(self.wait(1)[0][1]["ip"], "192.0.2.77")
            self.end()
            return True

    def test_too_many_of_one(self):
        with NameServer() as ns:
            ns.holding = True
            self.start(ns.servers, limit_ms=20000)
            self.send(*("0 %d 192.0.2.1" % i for i in range(EACH + 10)))
            self.wait_asked(ns, 1)
            self.send("0 1000 192.0.2.2")
            self.wait_asked(ns, 2)
            (_, f), = self.wait(1)
            self.assertEqual((f[""], f["clients"]), ("peer-skipped", "10"))
            # Told of once a minute.
            self.send(*("0 %d 192.0.2.1" % i for i in range(5)))
            time.sleep(1.3)
            self.wait(0)
            ns.release()
            self.assertEqual({(f[""]) for _, f in self.wait(EACH + 1)},
                             {"peer-no-name"})
            self.send("0 later 60000", "0 1 192.0.2.1")
            self.assertEqual({f[""]: f.get("clients") for _, f in self.wait(2)},
                             {"peer-skipped": "5", "peer-no-name": None})
            self.end()

    # -- hostile name servers ----------------------------------------------

    def test_garbage(self):
        makes = [nameserver.loop_in_question, nameserver.loop_in_data,
                 nameserver.pointer_beyond, nameserver.count_lies,
                 nameserver.cut_short, nameserver.long_labels]
        seed = int(os.environ.get("POPPER_SEED", "1"))
        rounds = 1000 if os.environ.get("POPPER_LONG") else 100
        makes += [nameserver.noise(seed + i) for i in range(rounds)]
        with NameServer() as ns:
            for i, make in enumerate(makes):
                a = "10.5.%d.%d" % (i // 250, i % 250)
                ns.ptr(a, "good%d.example" % i)
                ns.address("good%d.example" % i, a)
                ns.raw[(reverse(a), "good%d.example" % i)[i % 2]] = make
            self.start(ns.servers, limit_ms=1000)
            self.send(*("0 %d 10.5.%d.%d" % (i, i // 250, i % 250)
                        for i in range(len(makes))))
            time.sleep(3)
            # It is there, and as good as before, when all of us are in time.
            for i in range(8):
                last = self.alone(9990 + i, "192.0.2.%d" % (i + 1))
                if last != ["peer-dns-timeout"]:
                    break
            self.assertEqual(last, ["peer-no-name"])
            self.end()

    def alone(self, client, address):
        """What is said of him, whoever else is still spoken of."""
        self.send("0 %d %s" % (client, address))
        end, last = time.monotonic() + PATIENCE, []
        while not last:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
            last = [f[""] for _, f in self.log.lines
                    if f.get("sid") == sid(client)]
        return last

    def test_hostile_name(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.1", [b'a" sid=0 text="', b"\xff\r\n\x1b[2J"])
            self.start(ns.servers)
            self.send("0 1 192.0.2.1")
            (priority, f), = self.wait(1)
            self.assertEqual((priority, f["sid"]), (WARN, sid(1)))
            self.end()

    # -- fronts ------------------------------------------------------------

    def test_link_closes_meanwhile(self):
        with NameServer() as ns:
            ns.holding = True
            self.start(ns.servers, fronts=3, limit_ms=20000)
            self.send("0 1 192.0.2.1", "1 2 192.0.2.2", "0 close")
            self.wait_asked(ns, 2)
            ns.release()
            # Who has connected is told of, whatever became of its front.
            self.assertEqual(sorted(self.events(self.wait(2))), [
                (WARN, "peer-no-name", sid(i), "192.0.2.%d" % i)
                for i in (1, 2)])
            self.send("2 close", "1 3 192.0.2.3")
            self.wait(1)
            self.end()

    def test_ends_with_questions_on(self):
        with NameServer(silent=True) as ns:
            self.start(ns.servers, limit_ms=20000)
            self.send(*("0 %d 10.6.0.%d" % (i, i) for i in range(50)))
            self.wait_asked(ns, 50)
            self.end()
            self.assertEqual(self.log.lines, [])

    def test_nonsense(self):
        with NameServer() as ns:
            self.start(ns.servers, fronts=6)
            for i, what in enumerate(["nonsense", "short", "fd", "raw"]):
                self.send("%d %s" % (i, what))
                (priority, f), = self.wait(1)
                self.assertEqual((priority, f[""]), (ERR, "resolver-link"))
            # Those links are closed, the others work.
            self.send(*("%d %d 192.0.2.1" % (i, i) for i in range(6)))
            self.assertEqual(sorted(f["sid"] for _, f in self.wait(2)),
                             [sid(4), sid(5)])
            self.end(lost=4)

    def test_all_talk_nonsense(self):
        with NameServer() as ns:
            self.start(ns.servers, fronts=1)
            self.send("0 raw")
            self.wait(1)
            self.end()

    def test_stopped(self):
        with NameServer(silent=True) as ns:
            self.start(ns.servers, limit_ms=20000)
            self.send("0 1 192.0.2.1")
            self.wait_asked(ns, 1)
            self.send("0 stop")
            self.wait_ended()
            self.send("0 2 192.0.2.1")
            self.end(lost=1)

    # -- the log, settings -------------------------------------------------

    def test_new_log_daemon(self):
        with NameServer() as ns:
            self.start(ns.servers)
            self.send("0 1 192.0.2.1")
            self.wait(1)
            self.log.close()
            self.log.open()
            self.send("0 2 192.0.2.1")
            self.assertEqual(self.wait(1)[0][1]["sid"], sid(2))
            self.end()

    def test_bad_servers(self):
        self.start("nonsense")
        (priority, f), = self.wait(1)
        self.assertEqual((priority, f[""]), (ERR, "peer-check"))
        self.end(status=1)


if __name__ == "__main__":
    unittest.main()
