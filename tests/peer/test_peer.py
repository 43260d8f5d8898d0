# SPDX-License-Identifier: ISC
"""The check of the client's name, against a name server of our own.

The resolver runs by itself (try_resolver): as root in its cage, that is, as
another user, in an empty chroot, behind its system call filter; otherwise its
two halves without the cage.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib.unpack import build_dir                                # noqa: E402
import nameserver                                               # noqa: E402
from nameserver import NameServer                               # noqa: E402
from logged import DEBUG, WARN, parse                           # noqa: E402

TRY = os.path.join(build_dir(), "tests/peer/try_resolver")
LIMIT_MS = 15000               # where the name server answers,
SILENT_MS = 1500               # and where it does not
SLACK = 20                     # seconds that a busy machine may add


class Peer(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(TRY):
            self.skipTest("needs a build with tests")
        self.dir = tempfile.mkdtemp(prefix="peer.")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        self.empty = os.path.join(self.dir, "empty")
        os.mkdir(self.empty, 0o755)
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.log.close)
        self.log.bind(os.path.join(self.dir, "log"))
        self.log.settimeout(0.05)

    def check(self, servers, address, limit_ms=LIMIT_MS):
        """[(priority, fields), ...] of what was logged; bounded in time."""
        cage = ["65534:65534", self.empty] if os.geteuid() == 0 else []
        began = time.monotonic()
        r = subprocess.run(
            [TRY, servers, str(limit_ms), os.path.join(self.dir, "log"),
             address, *cage], check=False, timeout=60, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.took = time.monotonic() - began
        self.assertEqual((r.returncode, r.stdout), (0, ""))
        self.assertLess(self.took, limit_ms / 1000 + SLACK)
        lines = []
        while True:
            try:
                raw = self.log.recv(65536)
            except socket.timeout:
                return lines
            lines.append(parse(raw))

    def one(self, servers, address, event, priority=WARN, **options):
        lines = self.check(servers, address, **options)
        self.assertEqual([(p, f[""]) for p, f in lines], [(priority, event)])
        self.assertEqual(lines[0][1]["ip"], address)
        return lines[0][1]

    # -- the manual's cases ------------------------------------------------

    def test_no_canonical_name(self):
        with NameServer() as ns:
            f = self.one(ns.servers, "192.0.2.1", "peer-no-name")
            self.assertEqual(
                f["text"], "Unable to get canonical name of client, err = 1")
            ns.exists(nameserver.reverse("192.0.2.2"))
            f = self.one(ns.servers, "192.0.2.2", "peer-no-name")
            self.assertIn("err = 4", f["text"])
            f = self.one(ns.servers, "2001:db8::1", "peer-no-name")
            self.assertIn("err = 1", f["text"])

    def test_unknown_name(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.4", "gone.example")
            f = self.one(ns.servers, "192.0.2.4", "peer-unknown-name")
            self.assertEqual(f["text"], 'Client at "192.0.2.4" resolves to an '
                             'unknown host name "gone.example"')
            self.assertEqual(f["name"], "gone.example")
            ns.ptr("192.0.2.8", "nothing.example")
            ns.exists("nothing.example")
            self.one(ns.servers, "192.0.2.8", "peer-unknown-name")
            # A name that looks like an address proves nothing.
            ns.ptr("192.0.2.9", "192.0.2.9")
            self.one(ns.servers, "192.0.2.9", "peer-unknown-name")
            ns.ptr("2001:db8::4", "gone.example")
            self.one(ns.servers, "2001:db8::4", "peer-unknown-name")

    def test_not_listed(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.5", "other.example")
            ns.address("other.example", "192.0.2.99", "192.0.2.98")
            f = self.one(ns.servers, "192.0.2.5", "peer-not-listed")
            self.assertEqual(f["text"], 'Client address "192.0.2.5" not '
                             'listed for its host name "other.example"')
            ns.ptr("192.0.2.7", "six.example")
            ns.address("six.example", "2001:db8::5")
            self.one(ns.servers, "192.0.2.7", "peer-not-listed")
            ns.ptr("2001:db8::7", "six.example")
            self.one(ns.servers, "2001:db8::7", "peer-not-listed")
            ns.ptr("2001:db8::8", "other.example")
            self.one(ns.servers, "2001:db8::8", "peer-not-listed")

    def test_good(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.6", "good.example")
            ns.address("good.example", "192.0.2.5", "192.0.2.6", "2001:db8::6")
            self.assertEqual(self.check(ns.servers, "192.0.2.6"), [])
            ns.ptr("2001:db8::6", "good.example")
            self.assertEqual(self.check(ns.servers, "2001:db8::6"), [])
            ns.ptr("192.0.2.10", "Alias.Example")
            ns.alias("alias.example", "second.example")
            ns.alias("second.example", "true.example")
            ns.address("true.example", "192.0.2.10")
            self.assertEqual(self.check(ns.servers, "192.0.2.10"), [])
            # No search list, no lower-case copies: these and no others.
            self.assertEqual(
                [n for n, _ in ns.asked],
                [nameserver.reverse("192.0.2.6"), "good.example",
                 nameserver.reverse("2001:db8::6"), "good.example",
                 nameserver.reverse("192.0.2.10"), "alias.example"])

    def test_own_table(self):
        with open("/etc/hosts", encoding="utf-8") as f:
            if not re.search(r"^127\.0\.0\.1\s", f.read(), re.M):
                self.skipTest("this host's /etc/hosts has no 127.0.0.1")
        with NameServer() as ns:
            self.assertEqual(self.check(ns.servers, "127.0.0.1"), [])
            self.assertEqual(ns.asked, [])

    def test_odd_table(self):
        """Its lines as hosts(5) has them, and such as it has not."""
        table = os.path.join(self.dir, "hosts")
        with open(table, "wb") as f:
            f.write(b"# 192.0.2.1 comment\n192.0.2.2\n192.0.2.3 # only\n"
                    b"\t 192.0.2.4\tfour four.example\r\n"
                    b"192.0.2 short\n" + b"1" * 5000 + b" long\n\n\0\n"
                    + b"0.0.0.0 ads.example\n" * 500
                    + b"2001:db8:0::9 nine#x\n192.0.2.5 last")
        os.environ["TRY_HOSTS"] = table
        self.addCleanup(os.environ.pop, "TRY_HOSTS")
        with NameServer() as ns:
            for address in "192.0.2.4", "2001:db8::9", "192.0.2.5", "0.0.0.0":
                self.assertEqual(self.check(ns.servers, address), [])
            self.assertEqual(ns.asked, [])
            for address in "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::":
                self.one(ns.servers, address, "peer-no-name")
            os.environ["TRY_HOSTS"] = os.path.join(self.dir, "missing")
            self.one(ns.servers, "192.0.2.4", "peer-no-name")

    # -- nobody answers ----------------------------------------------------

    def test_silent_server(self):
        with NameServer(silent=True) as ns:
            self.one(ns.servers, "192.0.2.1", "peer-dns-timeout", DEBUG,
                     limit_ms=SILENT_MS)
            self.assertGreater(self.took, SILENT_MS / 1000 - 0.5)
            self.assertLessEqual(len(ns.asked), 3)
            # Several dead servers are not asked one after the other for ever.
            self.one(" ".join([ns.servers] * 3), "192.0.2.1",
                     "peer-dns-timeout", DEBUG, limit_ms=SILENT_MS)

    def test_failing_server(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.3", "good.example")
            for name in nameserver.reverse("192.0.2.3"), "good.example":
                for code in nameserver.SERVFAIL, nameserver.REFUSED:
                    ns.codes = {name: code}
                    self.one(ns.servers, "192.0.2.3", "peer-dns-timeout",
                             DEBUG, limit_ms=SILENT_MS)

    def test_silent_at_the_second_question(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.6", "good.example")
            ns.raw["good.example"] = lambda query, reply: None
            self.one(ns.servers, "192.0.2.6", "peer-dns-timeout", DEBUG,
                     limit_ms=SILENT_MS)

    def test_no_server(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.one("127.0.0.1:%d" % port, "192.0.2.1", "peer-dns-timeout", DEBUG,
                 limit_ms=SILENT_MS)

    def test_second_server_answers(self):
        with NameServer(silent=True) as dead, NameServer() as ns:
            ns.ptr("192.0.2.4", "gone.example")
            self.one(dead.servers + " " + ns.servers, "192.0.2.4",
                     "peer-unknown-name", limit_ms=6000)

    # -- hostile answers ---------------------------------------------------

    def test_hostile_names(self):
        with NameServer() as ns:
            for labels in ([b'a" ip=10.0.0.1 text="', b"example"],
                           [b"\x1b[2J\r\npopper[1]: login user=root", b"x"],
                           [b"a.b", b"c\\d"],
                           [b"\xff" * 63] * 3 + [b"\x00" * 50],
                           [b"%n%s" * 10, b"example"],
                           [b"a" * 63] * 3 + [b"a" * 61]):
                ns.records.clear()
                ns.ptr("192.0.2.20", labels)
                # c-ares refuses most of them itself.
                (priority, f), = self.check(ns.servers, "192.0.2.20")
                self.assertEqual(priority, WARN)
                self.assertEqual(f["ip"], "192.0.2.20")
                self.assertIn(f[""], ("peer-no-name", "peer-unknown-name"))
                self.assertEqual(set(f) - {"name"}, {"", "ip", "text"})

    def test_root_as_name(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.21", [])
            lines = self.check(ns.servers, "192.0.2.21")
            self.assertEqual(len(lines), 1)
            self.assertIn(lines[0][1][""], ("peer-no-name",
                                            "peer-unknown-name"))

    def test_many_addresses(self):
        many = ["10.%d.%d.1" % (i // 200, i % 200) for i in range(900)]
        with NameServer() as ns:
            ns.ptr("192.0.2.30", "many.example")
            ns.address("many.example", *many)
            self.one(ns.servers, "192.0.2.30", "peer-not-listed")
            ns.address("many.example", "192.0.2.30")
            self.assertEqual(self.check(ns.servers, "192.0.2.30"), [])

    def test_garbage(self):
        address = "192.0.2.40"
        name = nameserver.reverse(address)
        with NameServer() as ns:
            ns.ptr(address, "good.example")
            ns.address("good.example", address)
            for make in (nameserver.loop_in_question, nameserver.loop_in_data,
                         nameserver.pointer_beyond, nameserver.count_lies,
                         nameserver.cut_short, nameserver.long_labels):
                with self.subTest(make.__name__):
                    ns.raw[name] = make
                    lines = self.check(ns.servers, address, SILENT_MS)
                    self.assertEqual(len(lines), 1)
                    self.assertIn(lines[0][1][""],
                                  ("peer-no-name", "peer-dns-timeout"))

    def test_alias_loop(self):
        with NameServer() as ns:
            ns.ptr("192.0.2.41", "one.example")
            ns.alias("one.example", "two.example")
            ns.alias("two.example", "one.example")
            self.one(ns.servers, "192.0.2.41", "peer-unknown-name")

    def test_noise(self):
        address = "192.0.2.42"
        seed = int(os.environ.get("POPPER_SEED", "1"))
        rounds = 400 if os.environ.get("POPPER_LONG") else 30
        with NameServer() as ns:
            ns.ptr(address, "good.example")
            ns.address("good.example", address)
            for i in range(rounds):
                with self.subTest(seed=seed + i):
                    ns.raw = {(nameserver.reverse(address), "good.example")
                              [i % 2]: nameserver.noise(seed + i)}
                    self.assertLessEqual(
                        len(self.check(ns.servers, address, limit_ms=300)), 1)

    # -- settings ----------------------------------------------------------

    def test_bad_servers(self):
        cage = ["65534:65534", self.empty] if os.geteuid() == 0 else []
        r = subprocess.run([TRY, "nonsense", "500",
                            os.path.join(self.dir, "log"), "192.0.2.1", *cage],
                           check=False, timeout=60)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"peer-check text=", self.log.recv(4096))


if __name__ == "__main__":
    unittest.main()
