# SPDX-License-Identifier: ISC
"""Right passwords that popper serve remembers: what is not done again, and what
is done all the same."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import PopError                                 # noqa: E402

# Far more of a processor's time than all else that a login is.
HEAVY = "$6$rounds=400000$salt$"
TICK = os.sysconf("SC_CLK_TCK")
USERS = "/etc/popper/users"


class Cache(house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("dora", 1004, password="x")
        cls.hashed, costs = {}, []
        for password in ("wonderland", "new", "wonderland"):
            began = time.process_time()
            cls.hashed[password] = crypt(password, HEAVY)
            costs.append(time.process_time() - began)
        cls.cost = min(costs)           # a busy machine only adds

    def row(self, password, more=""):
        self.host.write(USERS, "dora:%s:1004:1004::/home/dora::%s\n"
                        % (self.hashed[password], more), 0o600)

    def shadow(self, password="wonderland", **facts):
        a = self.host.account("dora")
        a.hashed, a.expire = self.hashed[password], ""
        for key, value in facts.items():
            setattr(a, key, value)
        self.host.add_group("again", 1800)      # writes the accounts

    def spent(self):
        """Seconds of processor of all who judge passwords.  The warden has the
        time of workers that it has buried: it may bury none meanwhile."""
        while True:
            judges = self.judges()
            try:
                ticks = sum(self.ticks(pid) for pid in judges)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if judges == self.judges():
                return ticks / TICK

    def judges(self):
        """The warden and its workers, and who of them is dead."""
        return [pid for m in self.named("popper-warden") for pid in (
            m.pid, *map(int, m.read("task/%d/children" % m.pid).split()))]

    @staticmethod
    def ticks(pid):
        """With those of its children that it has buried."""
        with open("/proc/%d/stat" % pid, "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return sum(int(x) for x in fields[11:15])

    def try_login(self, password):
        """(did it succeed, was it hashed), as soon as no worker is busy."""
        before = self.spent()
        pop = self.connect()
        pop.cmd("USER", "dora")
        try:
            pop.cmd("PASS", password)
            good = True
        except PopError:
            good = False
        pop.close()
        self.no_sessions()
        self.wait_for(lambda: not self.pam or not self.named("popper-worker"),
                      "end of the worker")
        return good, self.spent() - before > self.cost / 2

    def serve(self, *rows, **options):
        self.pam = options.get("auth") == "pam"
        super().serve(*rows, **options)

    def changed(self, password, want):
        """Within a second of a change, and not much later."""
        end = time.monotonic() + 60
        while self.try_login(password) != want:
            if time.monotonic() > end:
                self.fail("%s: still not %s" % (password, want))

    # -- a password file --------------------------------------------------

    def test_hashed_once(self):
        self.row("wonderland")
        self.serve()
        self.assertEqual(self.try_login("wonderland"), (True, True))
        for _ in range(4):              # by both fronts
            self.assertEqual(self.try_login("wonderland"), (True, False))
        self.assertEqual(self.try_login("wonderlanD"), (False, True))
        self.assertEqual(self.try_login("wonderlanD"), (False, True))
        self.assertEqual(self.try_login("wonderland"), (True, False))
        self.in_log(6, 5)

    def in_log(self, logins, cached):
        """The login lines say which of them were not hashed."""
        self.log.wait(" login ", self.mark, count=logins)
        self.assertEqual(len(self.log.find(
            " login .* uid=1004 db=.* cached=yes method=pass$", self.mark)),
            cached)

    def test_off(self):
        self.row("wonderland")
        self.serve(auth_cache_ttl=0)
        for _ in range(2):
            self.assertEqual(self.try_login("wonderland"), (True, True))
        self.in_log(2, 0)

    def test_its_time_ends(self):
        self.row("wonderland")
        self.serve(auth_cache_ttl=1)
        self.try_login("wonderland")
        time.sleep(1)
        self.assertEqual(self.try_login("wonderland"), (True, True))

    def test_a_change_is_heeded(self):
        self.row("wonderland")
        self.serve()
        self.try_login("wonderland")
        self.row("new")
        self.changed("wonderland", (False, True))
        self.assertEqual(self.try_login("new"), (True, True))
        self.assertEqual(self.try_login("new"), (True, False))
        self.row("new", "nologin")
        self.changed("new", (False, False))
        self.log.wait("login-failed .*reason=locked", self.mark)

    def app(self, *args):
        r = self.host.run(["/usr/sbin/popper", "passwd", "app", *args])
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout.decode().strip()

    def test_an_app_password_counts_at_once(self):
        self.row("wonderland")
        self.serve(app_passwords="yes")
        self.try_login("wonderland")
        phone = self.app("add", "dora", "phone")
        self.changed(phone, (True, False))
        self.log.wait("app-password .*user=dora .*app=phone", self.mark)
        # Noted by a worker in its cage.
        self.assertNotIn("\t-\t-\t-", self.app("list"))
        self.app("remove", "dora")
        self.changed(phone, (False, True))

    def test_a_new_authenticator_has_forgotten(self):
        self.row("wonderland")
        self.serve()
        self.try_login("wonderland")
        self.named("popper-auth")[0].kill()
        self.log.wait("role-died", self.mark)
        self.wait_for(lambda: self.count() == house.ROLES, "new auth")
        self.assertEqual(self.try_login("wonderland"), (True, True))

    # -- PAM --------------------------------------------------------------

    def test_pam_is_asked_each_time(self):
        self.shadow()
        self.serve(auth="pam")
        for _ in range(2):
            self.assertEqual(self.try_login("wonderland"), (True, True))

    def test_pam(self):
        self.shadow()
        self.serve(auth="pam", auth_cache_pam="yes")
        self.assertEqual(self.try_login("wonderland"), (True, True))
        self.assertEqual(self.try_login("wonderland"), (True, False))
        self.assertEqual(self.try_login("wonderlanD"), (False, True))
        self.shadow(expire="100")       # PAM's account step says so
        self.assertEqual(self.try_login("wonderland"), (False, False))
        self.log.wait("login-failed .*reason=expired", self.mark)
        self.shadow()
        self.assertEqual(self.try_login("wonderland"), (True, False))
        self.shadow("new")
        self.assertEqual(self.try_login("wonderland"), (False, True))
        self.assertEqual(self.try_login("new"), (True, True))
        self.assertEqual(self.try_login("new"), (True, False))
        self.in_log(5, 3)


if __name__ == "__main__":
    unittest.main()
