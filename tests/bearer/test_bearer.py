# SPDX-License-Identifier: ISC
"""OAUTHBEARER and XOAUTH2: tokens that an authorization server has made, judged by its
keys or by its word; users of a password file and of the host."""

import base64
import json
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, PopError, Serve, conf        # noqa: E402
from lib.unpack import unpack                                   # noqa: E402
import oauth                                                    # noqa: E402

PORT, PORTS = 8080, 8443
REFUSED = b"[AUTH] Authentication failed."
UNDECIDED = b"[SYS/TEMP] Authentication is not available now, try again later."
TOLD = {"OAUTHBEARER": {"status": "invalid_token"},
        "XOAUTH2": {"status": "401", "schemes": "bearer"}}
ROWS = ("ann:*:5000:5000::/nonexistent:\n"
        "bob:{PLAIN}x:5000:5000::/nonexistent:\n"
        "off:*:5000:5000::/nonexistent::nologin\n"
        "bang:!*:5000:5000::/nonexistent:\n")


def message(mechanism, user, token):
    if mechanism == "XOAUTH2":
        text = "user=%s\1auth=Bearer %s\1\1" % (user, token)
    else:
        text = "n,%s,\1host=pop.example.org\1port=110\1auth=Bearer %s\1\1" % (
            "a=" + user if user else "", token)
    return base64.b64encode(text.encode())


class House(unittest.TestCase):
    """A host with an authorization server; how popper is started comes below."""

    OPTIONS = {}
    PACKAGES = ()
    PORT = 110

    @classmethod
    def setUpClass(cls):
        cls.host = Host([unpack(p) for p in cls.PACKAGES])
        cls.addClassCleanup(cls.host.close)
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.key = oauth.Key("one", cls.folder + "/one")
        cls.other = oauth.Key("one", cls.folder + "/other")
        cls.host.add_user("vmail", uid=5000)
        cls.host.write("/etc/popper/users", ROWS, 0o600)
        cls.host.write("/etc/popper/client", "%s:%s\n" % (
            oauth.CLIENT, oauth.SECRET), 0o600)
        cls.furnish()
        cls.host.write("/etc/popper/popper.conf", conf(**{
            "peer_check": "no", "auth_fail_delay": 0, "drain_timeout": 1,
            "auth_tries": 3, "listen": "127.0.0.1:110", "auth": "file",
            "oauth_issuer": oauth.ISSUER, "oauth_audience": "mail",
            **cls.OPTIONS}))
        cls.server.keys = [cls.key]

    @classmethod
    def furnish(cls):
        cls.server = oauth.Server(cls.host, PORT)
        cls.addClassCleanup(cls.server.stop)

    @classmethod
    def start(cls, server):
        server = server(cls.host)
        cls.addClassCleanup(server.stop)

    @classmethod
    def lay_keys(cls, *keys):
        cls.host.write("/etc/popper/jwks.json", json.dumps(
            {"keys": [k.jwk for k in keys]}))

    def setUp(self):
        self.mark = self.host.syslog.mark()

    # -- a client ---------------------------------------------------------

    def connect(self):
        pop = Pop(self.host.connect(self.PORT))
        self.addCleanup(pop.close)
        return pop

    def auth(self, pop, mechanism, user, token, lines=2):
        """None, or the refusal."""
        said = message(mechanism, user, token)
        if lines == 1:
            pop.send(b"AUTH %s %s\r\n" % (mechanism.encode(), said))
        else:
            pop.send(b"AUTH %s\r\n" % mechanism.encode())
            self.assertEqual(pop.line(), b"+ ")
            pop.send(said + b"\r\n")
        line = pop.line()
        if line.startswith(b"+ "):
            self.assertEqual(json.loads(base64.b64decode(line[2:])),
                             TOLD[mechanism])
            pop.send(b"AQ==\r\n" if mechanism == "OAUTHBEARER" else b"\r\n")
            line = pop.line()
            self.assertTrue(line.startswith(b"-ERR "), line)
        if line.startswith(b"-ERR "):
            return line[5:]
        self.assertTrue(line.startswith(b"+OK "), line)
        return None

    def accepted(self, user, token, mechanism="OAUTHBEARER", said=None, lines=2):
        with self.connect() as pop:
            self.assertIsNone(self.auth(pop, mechanism, user if said is None
                                        else said, token, lines))
            pop.stat()
            pop.quit()

    def refused(self, user, token, reason, mechanism="OAUTHBEARER",
                answer=REFUSED):
        mark = self.host.syslog.mark()
        with self.connect() as pop:
            self.assertEqual(self.auth(pop, mechanism, user, token), answer)
        line, = self.host.syslog.wait(r"\blogin-failed ", mark)
        self.assertRegex(line, r"method=%s reason=%s\b" % (
            mechanism.lower(), reason))
        if token:
            self.assertNotIn(token[-20:], line)
        return line


class Core:
    """Whatever the assembly."""

    def test_both_mechanisms_and_forms(self):
        token = self.key.token("ann")
        for mechanism in TOLD:
            for lines in (1, 2):
                with self.subTest(mechanism=mechanism, lines=lines):
                    self.accepted("ann", token, mechanism, lines=lines)
        self.accepted("ann", token, said="")

    def test_refusals(self):
        good = self.key.token("ann")
        now = int(time.time())
        for name, user, token, reason in [
                ("another key", "ann", self.other.token("ann"), "token"),
                ("another user", "bob", good, "token"),
                ("expired", "ann", self.key.token("ann", exp=now - 100), "token"),
                ("not yet", "ann", self.key.token("ann", nbf=now + 200), "token"),
                ("audience", "ann", self.key.token("ann", aud="web"), "token"),
                ("issuer", "ann", self.key.token("ann", iss="x"), "token"),
                ("none", "ann", self.key.token("ann", {"alg": "none"}), "token"),
                ("kid", "ann", self.key.token("ann", {"kid": "two"}), "token"),
                ("unknown", "eve", self.key.token("eve"), "unknown-user"),
                ("closed", "off", self.key.token("off"), "locked"),
                ("locked", "bang", self.key.token("bang"), "locked"),
                ("name", "a b", self.key.token("a b"), "bad-name")]:
            with self.subTest(name):
                self.refused(user, token, reason)
        self.refused("ann", self.other.token("ann"), "token", "XOAUTH2")
        for token, said in ((self.key.token("ann", exp=now - 100), True),
                            (self.key.token("ann", iss="x"), False),
                            (self.other.token("ann"), False)):
            self.assertEqual("user=ann" in self.refused("", token, "token"), said)

    def test_no_message(self):
        for said in (b"AQ==", b"=", b"!!!!", b"aGVsbG8="):
            with self.subTest(said), self.connect() as pop:
                pop.send(b"AUTH OAUTHBEARER %s\r\n" % said)
                self.assertTrue(pop.line().startswith(b"+ eyJ"))
                pop.send(b"*\r\n")
                self.assertEqual(pop.line(), b"-ERR " + REFUSED)

    def test_what_comes_after_a_refusal(self):
        """Nothing but one line, however long; and each refusal counts."""
        bad = message("XOAUTH2", "ann", "x.y.z")
        with self.connect() as pop:
            for said in (b"QUIT", b"x" * 13000, b"*"):
                pop.send(b"AUTH XOAUTH2 %s\r\n" % bad)
                self.assertTrue(pop.line().startswith(b"+ "))
                pop.send(said + b"\r\n")
                self.assertEqual(pop.line(), b"-ERR " + REFUSED)
            pop.at_end()

    def test_long_token(self):
        token = self.key.token("ann", x="y" * 6000)
        self.assertGreater(len(token), 8000)
        self.accepted("ann", token)
        self.refused("ann", "y" * 9100, "token")
        with self.connect() as pop:
            pop.send(b"AUTH OAUTHBEARER " + b"A" * 13000 + b"\r\n")
            self.assertEqual(pop.line(), b"-ERR Line too long.")
            self.assertIsNone(self.auth(pop, "XOAUTH2", "ann", token))
            pop.quit()

    def test_capa(self):
        with self.connect() as pop:
            self.assertRegex(pop.multi("CAPA")[1],
                             rb"(?m)^SASL .*\bOAUTHBEARER XOAUTH2\b")
            pop.quit()


class Opaque:
    """With a server that is asked."""

    def test_introspection(self):
        self.server.tokens["opaque-ann"] = {"active": True, "sub": "ann",
                                            "aud": "mail"}
        self.accepted("ann", "opaque-ann")
        self.refused("bob", "opaque-ann", "token")
        self.refused("ann", "opaque-eve", "token")


class Served(Core, Opaque, House):
    PACKAGES = ("curl",)
    OPTIONS = {"oauth_jwks": "/etc/popper/jwks.json", "oauth_cache_ttl": "1h",
               "oauth_introspection": "http://127.0.0.1:%d/ask" % PORT,
               "oauth_client_file": "/etc/popper/client", "oauth_timeout": 1}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lay_keys(cls.key)
        cls.start(Serve)

    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, self.server, "odd", None)

    def test_curl(self):
        """A client of others."""
        for more in ([], ["--sasl-ir"]):
            r = self.host.run(["curl", "-s", "-S", "-u", "ann:",
                               "--oauth2-bearer", self.key.token("ann"), *more,
                               "pop3://127.0.0.1/"])
            self.assertEqual(r.returncode, 0, r.stderr)
        line = self.host.syslog.wait(r"\blogin .*user=ann", self.mark)[0]
        self.assertIn("user=ann", line)
        r = self.host.run(["curl", "-s", "-S", "-u", "ann:", "--oauth2-bearer",
                           self.other.token("ann"), "pop3://127.0.0.1/"])
        self.assertEqual(r.returncode, 67, r.stderr)    # login denied

    def test_cache_is_of_user_and_token(self):
        self.server.tokens["cached"] = {"active": True, "sub": "ann",
                                        "aud": "mail"}
        for _ in range(3):
            self.accepted("ann", "cached")
        self.assertEqual(self.server.asked.count("cached"), 1)
        self.refused("bob", "cached", "token")
        self.assertEqual(self.server.asked.count("cached"), 2)

    def check(self, *words):
        r = self.host.run(["/usr/sbin/popper", "check", *words])
        return [line for line in r.stdout.decode().splitlines()
                if "oauth_" in line]

    def test_check(self):
        """It tries what a login would."""
        self.assertEqual(self.check(), [])
        self.server.odd = "error"
        line, = self.check()
        self.assertIn("oauth_introspection: nobody can log in with a token: "
                      "http://127.0.0.1:%d/ask: HTTP status 500" % PORT, line)
        self.assertIn(": error: ", line)
        line, = self.check("--quick")           # a start needs no answer
        self.assertIn(": warning: oauth_introspection: nobody can", line)
        self.addCleanup(self.lay_keys, self.key)
        self.server.odd = None
        self.host.write("/etc/popper/jwks.json", '{"keys":[{"kty":"oct"}]}')
        line, = self.check()
        self.assertIn("none of its 1 keys", line)

    def test_bad_server(self):
        """Nobody is let in, nobody is called wrong; passwords go on."""
        for odd in ("garbage", "huge", "redirect", "error"):
            with self.subTest(odd):
                self.server.odd = odd
                line = self.refused("ann", "odd-" + odd, "error",
                                    answer=UNDECIDED)
                self.assertIn("127.0.0.1:%d" % PORT if odd != "garbage" else
                              "oauth_introspection", line)
        self.assertNotIn("/elsewhere", self.server.asked)
        with self.connect() as pop:
            pop.login("bob", "x")
            pop.quit()
        self.accepted("ann", self.key.token("ann"))
        self.server.odd = None
        self.server.tokens["later"] = {"active": True, "sub": "ann",
                                       "aud": "mail"}
        self.accepted("ann", "later")

    def test_hanging_server_keeps_no_password_waiting(self):
        """The best of some: a busy machine only adds."""
        self.server.odd = "hang"
        took = [self.beside_hanging()]
        while min(took) >= 1 and len(took) < 8:
            took.append(self.beside_hanging())
        self.assertLess(min(took), 1)

    def beside_hanging(self):
        """Seconds of a login while tokens wait for one second at least."""
        pops = [self.connect() for _ in range(5)]
        for i, pop in enumerate(pops):
            pop.send(b"AUTH XOAUTH2 %s\r\n" % message(
                "XOAUTH2", "ann", "hang-%d" % i))
        with self.connect() as pop:
            began = time.monotonic()
            pop.login("bob", "x")
            took = time.monotonic() - began
            pop.quit()
        for pop in pops:
            self.assertEqual(pop.line(), b"-ERR " + UNDECIDED)
        return took

    def wait_for(self, token, refusal):
        deadline = time.monotonic() + 60
        while True:
            with self.connect() as pop:
                if self.auth(pop, "XOAUTH2", "ann", token) == refusal:
                    return
            self.assertLess(time.monotonic(), deadline)

    def test_new_file_counts_at_once(self):
        new = oauth.Key("two", self.folder + "/two")
        self.refused("ann", new.token("ann"), "token")
        self.lay_keys(self.key, new)
        self.wait_for(new.token("ann"), None)
        self.accepted("ann", self.key.token("ann"))
        self.lay_keys(self.key)
        self.wait_for(new.token("ann"), REFUSED)

    def test_processes(self):
        """Who judges tokens is neither root nor at home, and knows no user."""
        self.accepted("ann", self.key.token("ann"))
        found = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/maps" % pid, encoding="ascii") as f:
                    maps = f.read()
                if "popper-token.so" not in maps or os.readlink(
                        "/proc/%s/ns/net" % pid) != os.readlink(
                            "/proc/%d/ns/net" % self.host.pid):
                    continue
                with open("/proc/%s/status" % pid, encoding="ascii") as f:
                    status = dict(line.split(":", 1) for line in f)
                root = os.readlink("/proc/%s/root" % pid)
            except OSError:          # gone, or not ours
                continue
            found += 1
            self.assertNotIn("0", status["Uid"].split())
            self.assertEqual(status["Seccomp"].strip(), "2")
            self.assertTrue(root.endswith("/empty"), root)
        self.assertGreater(found, 0)


class Rotated(House):
    """Keys at a URL, with TLS; users of the host, by PAM's account step."""

    OPTIONS = {"oauth_jwks": "https://localhost:%d/jwks" % PORTS,
               "oauth_ca_file": "/etc/popper/ca.pem", "oauth_refetch": 1,
               "oauth_timeout": 2, "auth": "pam"}

    @classmethod
    def furnish(cls):
        oauth.openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-days", "2", "-subj",
                      "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                      "-keyout", cls.folder + "/tls.key", "-out",
                      cls.folder + "/tls.pem")
        with open(cls.folder + "/tls.pem", encoding="ascii") as f:
            cls.host.write("/etc/popper/ca.pem", f.read())
        cls.host.add_user("ann", password="x")
        cls.host.add_user("eve", password="x")
        cls.host.write("/etc/popper/deny", "eve\n")
        cls.server = oauth.Server(cls.host, PORTS, (cls.folder + "/tls.pem",
                                                    cls.folder + "/tls.key"))
        cls.addClassCleanup(cls.server.stop)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start(Serve)

    def test_rotation(self):
        """An unknown key makes it look, but not at each token."""
        token = self.key.token("ann")
        self.accepted("ann", token)
        self.refused("eve", self.key.token("eve"), "denied")
        self.refused("nosuch", self.key.token("nosuch"), "unknown-user")
        new = oauth.Key("two", self.folder + "/two")
        self.server.keys.append(new)
        deadline = time.monotonic() + 60
        while True:
            with self.connect() as pop:
                if self.auth(pop, "OAUTHBEARER", "ann", new.token("ann")) is None:
                    break
            self.assertLess(time.monotonic(), deadline)
        asked, began = len(self.server.asked), time.monotonic()
        strange = self.other.token("ann", {"kid": "strange"})
        for _ in range(10):
            self.refused("ann", strange, "token")
        self.assertLessEqual(len(self.server.asked) - asked,
                             2 + 4 * int(time.monotonic() - began))

    def test_old_keys_serve_on(self):
        """While there are no others; whoever asks for some."""
        token = self.key.token("ann")
        strange = self.other.token("ann", {"kid": "strange"})
        self.addCleanup(setattr, self.server, "odd", None)
        for _ in range(3):      # files that are new make new workers, once
            self.server.odd = None
            self.accepted("ann", token)
            self.server.odd = "error"
            time.sleep(1.1)     # it may look again
            self.refused("ann", strange, "error", answer=UNDECIDED)
            with self.connect() as pop:
                if self.auth(pop, "XOAUTH2", "ann", token) is None:
                    return
        self.fail("the keys are forgotten")

    def test_nobody_looks_up_as_root(self):
        """A table of hosts that root alone can read is of no use."""
        token, hosts = self.key.token("ann"), self.host.read("/etc/hosts")
        ca = self.host.read("/etc/popper/ca.pem")
        for mode, answer in ((0o600, UNDECIDED), (0o644, None)):
            self.host.write("/etc/hosts", hosts, mode)
            self.host.write("/etc/popper/ca.pem", ca)   # workers begin anew
            deadline = time.monotonic() + 60
            while True:
                with self.connect() as pop:
                    if self.auth(pop, "XOAUTH2", "ann", token) == answer:
                        break
                self.assertLess(time.monotonic(), deadline)
        self.host.syslog.wait("auth-error .*localhost", self.mark)


class Bare(Core, Opaque, House):
    """A popper for each connection."""

    OPTIONS = {"oauth_jwks": "/etc/popper/jwks.json",
               "oauth_introspection": "http://127.0.0.1:%d/ask" % PORT,
               "oauth_client_file": "/etc/popper/client"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lay_keys(cls.key)
        cls.start(Inetd)

    def _ended(self):
        """Wait until no popper of the host is left, none about to fork."""
        def at_work(pid):
            try:
                return (os.readlink("/proc/%s/ns/pid" % pid) == self.pids
                        and "popper" in os.readlink("/proc/%s/exe" % pid))
            except OSError:          # gone
                return False

        deadline = time.monotonic() + 60
        while any(map(at_work, filter(str.isdigit, os.listdir("/proc")))):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def _processes(self, login):
        """How many it takes; the host counts them by itself."""
        def now():
            self._ended()
            return int(self.host.run(["sh", "-c", "echo $$"], check=True).stdout)

        self.pids = os.readlink("/proc/%d/ns/pid" % self.host.pid)
        before = now()
        begin = now()
        with self.connect() as pop:
            login(pop)
            pop.quit()
        return now() - begin - (begin - before)

    def test_password_costs_no_more(self):
        """What tokens and exchanges need, who says a password does not get."""
        token = self.key.token("ann")
        password = self._processes(lambda pop: pop.login("bob", "x"))
        self.assertEqual(self._processes(lambda pop: self.assertIsNone(self.auth(
            pop, "XOAUTH2", "ann", token))), password + 2)
        self.assertFalse(self.host.exists("/var/lib/popper/scram-key"))

    def test_bad_server(self):
        self.server.odd = "error"
        self.addCleanup(setattr, self.server, "odd", None)
        self.refused("ann", "odd", "error", answer=UNDECIDED)


class Single(Core, House):
    """All in one process, of a user's own."""

    OPTIONS = {"isolation": "single", "oauth_jwks": "keys", "passwd_file":
               "users", "maildrop": "~/mbox", "state_dir": "state", "run_dir":
               "run", "deny_file": "none", "listen": "127.0.0.1:1110",
               "master_users": "masters"}
    PORT = 1110

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("own", uid=5001)
        cls.host.mkdir("/home/own/pop", 0o755, "own")
        cls.host.write("/home/own/pop/users", ROWS.replace("5000", "5001").
                       replace("/nonexistent", "/home/own"), 0o600, "own")
        cls.host.write("/home/own/pop/masters", "ops:{PLAIN}queen\n", 0o600,
                       "own")
        cls.host.write("/home/own/pop/keys", json.dumps(cls.server.jwks()),
                       0o644, "own")
        cls.host.write("/home/own/pop/conf",
                       cls.host.read("/etc/popper/popper.conf"), 0o644, "own")
        server = cls.host.popen(["/usr/sbin/popper", "serve", "--config",
                                 "/home/own/pop/conf"], user="own")
        cls.addClassCleanup(server.stop)
        cls.host.wait_port(cls.PORT)

    def test_master_user(self):
        for words in (("PASS", "bob*ops"), ("PLAIN", "bob\0ops\0queen")):
            with self.connect() as pop:
                if words[0] == "PASS":
                    pop.login(words[1], "queen")
                else:
                    pop.cmd("AUTH", "PLAIN",
                            base64.b64encode(words[1].encode()).decode())
                pop.quit()
            self.host.syslog.wait(r"\bmaster-login .*user=bob .*method=%s master="
                                  r"ops" % words[0].lower(), self.mark)
        for name, password in (("bob*ops", "x"), ("off*ops", "queen"),
                               ("bob*eve", "queen")):
            with self.connect() as pop:
                with self.assertRaises(PopError):
                    pop.login(name, password)


if __name__ == "__main__":
    unittest.main()
