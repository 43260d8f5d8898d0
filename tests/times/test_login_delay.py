# SPDX-License-Identifier: ISC
"""login_delay: who comes too soon is told so, whichever way popper runs, and
whatever becomes of its processes; nobody learns of it without the password."""

import json
import os
import re
import signal
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "serve")]

import house                                                    # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import Inetd, Pop, PopError                     # noqa: E402
from lib.scene import PASSWORD as SECRET, USER, Scene           # noqa: E402

PASSWORD = house.family.PASSWORD
TOO_SOON = r"\[LOGIN-DELAY\] Too soon after the last login, wait 3\d{3} seconds"
ANNOUNCED = b"\r\nLOGIN-DELAY 3600\r\n"
VIRTUAL = ("v0", "v1", "v2")
OWN = {"o0": 7200, "o1": 0, "o2": 86400}       # in their rows


class LoginDelay(house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("vmail", 5000)
        users = cls.host.read("/etc/popper/users").decode()
        cls.host.write("/etc/popper/users", users + "".join(
            "%s:%s:5000:5000::/nonexistent::%s\n"
            % (u, crypt(PASSWORD, "$5$rounds=1000$salt$"),
               "login_delay=%d" % OWN[u] if u in OWN else "")
            for u in (*VIRTUAL, *OWN)), 0o600)

    def setUp(self):
        super().setUp()
        for user in (*VIRTUAL, *OWN):
            self.host.write("/var/mail/" + user, self.mail, 0o660, "vmail",
                            "mail")
        self.host.run(["/bin/rm", "-f", "/run/popper/logins"])

    def too_soon(self, user, port=110, password=PASSWORD, text=TOO_SOON):
        with Pop(self.host.connect(port)) as pop:
            with self.assertRaisesRegex(PopError, text):
                pop.login(user, password)
            if "DELAY" in text:
                pop.at_end()

    def lost(self, user):
        """A session that does not come to its QUIT."""
        pop = self.login(user)
        pop.stat()
        pop.close()
        self.wait_for(lambda: not self.host.call(
            os.listdir, "/run/popper/lock"), "end of the session")

    def ctl(self, *words):
        r = self.host.run(["/usr/sbin/popper", "ctl", *words])
        self.assertEqual(r.returncode, 0, r)
        return r.stdout

    def test_serve(self):
        self.serve(login_delay="1h")
        inetd = Inetd(self.host, 1100)
        self.addCleanup(inetd.stop)
        pop = self.connect()
        self.assertIn(ANNOUNCED, pop.multi("CAPA")[1])
        pop.login("alice", PASSWORD)
        self.assertIn(ANNOUNCED, pop.multi("CAPA")[1])
        with self.assertRaisesRegex(PopError, "IN-USE"):
            self.login("alice")         # that comes first
        pop.quit()
        self.too_soon("alice")
        self.log.wait("login-too-soon .*user=alice ip=127.0.0.1 wait_s=3", self.mark)
        self.log.wait("session-end .*user=alice .*reason=login-delay", self.mark)
        self.too_soon("alice", password="x", text=r"\[AUTH\]")
        self.too_soon("alice", port=1100)
        for user, what in (("alice", "refused"), ("bob", "passed")):
            said = json.loads(self.ctl("--json", "why", user + "@192.0.2.1"))
            self.assertEqual(said["login_delay"], what)
            self.assertEqual(said["login_delay_left_s"] > 0, user == "alice")
        # Who lost the connection may come back, once in that time.
        self.lost("bob")
        self.lost("bob")
        self.too_soon("bob")
        self.ctl("reload")
        self.too_soon("alice")
        self.server.stop()
        self.server = self.SERVER(self.host)
        self.addCleanup(self.server.stop)
        self.too_soon("alice")
        self.unchanged()
        # Over, as soon as the operator says so.
        self.configure(fronts=2)
        self.ctl("reload")
        pop = self.login("alice")
        self.assertNotIn(b"DELAY", pop.multi("CAPA")[1])
        pop.quit()
        self.login("alice").quit()

    def test_shared_processes(self):
        self.serve(login_delay="1h", sessions_per_process=10)
        looks, writes = self.login("v0"), self.login("v1")
        self.assertEqual(len(self.named("popper-shared")), 1)
        self.assertIn(ANNOUNCED, looks.multi("CAPA")[1])
        looks.quit()
        writes.dele(1)
        writes.quit()                   # in a process of its own
        self.too_soon("v0")
        self.too_soon("v1")
        self.lost("v2")
        # The end of one that shares is no QUIT either.
        pop = self.login("v2")
        self.named("popper-shared")[0].kill(signal.SIGKILL)
        self.ended(pop)
        self.too_soon("v2")
        self.assertFalse(self.host.call(os.listdir, "/run/popper/lock"))

    def test_users_own(self):
        """The largest is told before the login, the user's own behind it; with
        one process for many, with one for each, and by a monitor."""
        self.serve(login_delay="1h", login_delay_max="3h",
                   sessions_per_process=10)
        inetd = Inetd(self.host, 1100)
        self.addCleanup(inetd.stop)
        for user, own in (("v0", 3600), ("o0", 7200), ("o1", 0), ("o2", 10800)):
            pop = self.connect()
            self.assertIn(b"\r\nLOGIN-DELAY 10800 USER\r\n",
                          pop.multi("CAPA")[1])
            pop.login(user, PASSWORD)
            self.assertEqual(re.findall(rb"(?m)^LOGIN-DELAY(.*)\r$",
                                        pop.multi("CAPA")[1]),
                             [b" %d" % own])
            pop.quit()
            if not own:
                self.login(user).quit()
                continue
            text = r"\[LOGIN-DELAY\] .*, wait %d\d{3} seconds" % (
                (own - 60) // 1000)
            self.too_soon(user, text=text)
            self.too_soon(user, port=1100, text=text)
            said = json.loads(self.ctl("--json", "why", user + "@192.0.2.1"))
            self.assertEqual((said["login_delay"], said["login_delay_s"]),
                             ("refused", own))
        with Pop(self.host.connect(1100)) as pop:
            pop.login("o1", PASSWORD)
            self.assertIn(b"\r\nLOGIN-DELAY 0\r\n", pop.multi("CAPA")[1])
            pop.quit()
        self.login("o1").quit()

    def test_inetd(self):
        self.configure(login_delay="1h")
        inetd = Inetd(self.host)
        self.addCleanup(inetd.stop)
        pop = self.connect()
        self.assertIn(ANNOUNCED, pop.multi("CAPA")[1])
        pop.login("alice", PASSWORD)
        pop.retr(1)
        pop.dele(1)
        pop.quit()
        self.too_soon("alice")
        self.log.wait("session-end .*user=alice .*reason=login-delay", self.mark)
        self.lost("bob")
        self.login("bob").quit()

    def test_one_process(self):
        scene = Scene(single=True, login_delay="1h")
        self.addCleanup(scene.remove)

        def talk(pop, _):
            self.assertIn(ANNOUNCED, pop.multi("CAPA")[1])
            pop.login(USER, SECRET)
            pop.quit()

        scene.session(talk)
        with self.assertRaisesRegex(PopError, TOO_SOON):
            scene.session(talk)


if __name__ == "__main__":
    unittest.main()
