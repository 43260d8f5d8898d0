# SPDX-License-Identifier: ISC
"""GSSAPI with tickets of a real KDC, whoever serves it: `popper serve`, a popper for
each connection, and one process for all of it."""

import base64
import json
import os
import ssl
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [TESTS, HERE, TESTS + "/tls"]

from lib.host import HOSTNAME, Host                             # noqa: E402
from lib.popper import Inetd, Pop, Serve, conf                  # noqa: E402
from lib.unpack import unpack                                   # noqa: E402
from authority import Authority                                 # noqa: E402
from kdc import PACKAGES, REALM, Kdc                            # noqa: E402

REFUSED = b"-ERR [AUTH] Authentication failed."
USERS = ("ann", "bob", "off", "eve", "dan", "ann/admin")
OTHER = "EXAMPLE.NET"           # it and REALM trust each other
KEYTAB, FRESH = "/etc/popper/keytab", "/etc/popper/fresh"
ROWS = "".join("%s:%s:5000:5000::/nonexistent:%s\n" % row for row in (
    ("ann", "*", ""), ("bob", "{PLAIN}x", ""), ("off", "*", ":nologin"),
    ("dan", "*", "")))
HOUSE = {"peer_check": "no", "auth_fail_delay": 0, "drain_timeout": 1,
         "auth_tries": 3, "auth": "file", "listen": "127.0.0.1:110",
         "plaintext_networks": "127.0.0.0/8",
         "access": "deny user=dan method=gssapi",
         "gssapi_keytab": KEYTAB,
         "tls_certificate": "/etc/popper/cert.pem key=/etc/popper/key.pem"}


def furnish(host):
    """A realm and another, and a ticket for each user."""
    global KDC                          # pylint: disable=global-statement
    trust = ["addprinc -pw %s krbtgt/%s@%s" % (a + b, a, b)
             for a, b in ((REALM, OTHER), (OTHER, REALM))]
    orders = ["addprinc -pw x " + u for u in USERS]
    for service in ("pop", "imap"):
        orders += ["addprinc -randkey %s/%s" % (service, HOSTNAME)]
    orders += ["ktadd -k %s pop/%s" % (KEYTAB, HOSTNAME),
               "ktadd -k /etc/popper/others imap/" + HOSTNAME]
    KDC = Kdc(host, {REALM: trust + orders,
                     OTHER: trust + ["addprinc -pw x ann"]})
    unittest.addModuleCleanup(KDC.stop)
    for user in USERS:
        ticket(user)
    ticket("ann@" + OTHER)


def ticket(user, kept_as=None):
    KDC.ticket(user, "/tmp/cc-" + (kept_as or user).replace("/", "-"), "x", "-f")


def certify(host):
    """The server's certificate, and its key."""
    ca = Authority("Servers")
    unittest.addModuleCleanup(ca.close)
    for name, text in zip(("cert", "key"), ca.make(HOSTNAME)):
        host.write("/etc/popper/%s.pem" % name, text, 0o600)


def setUpModule():
    global HOST, CLIENT                 # pylint: disable=global-statement
    HOST = Host([unpack(*PACKAGES, "python3-gssapi")])
    unittest.addModuleCleanup(HOST.close)
    HOST.add_user("vmail", uid=5000)
    HOST.write("/etc/popper/users", ROWS, 0o600)
    HOST.write("/etc/popper/popper.conf", conf(**HOUSE))
    furnish(HOST)
    certify(HOST)
    HOST.install(os.path.join(HERE, "client.py"), "/etc/client.py")
    CLIENT = HOST.popen(["/usr/bin/python3", "/etc/client.py"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    unittest.addModuleCleanup(CLIENT.stop)


def gss(order, octets=b"", **args):
    CLIENT.stdin.write(json.dumps([order, base64.b64encode(octets).decode(),
                                   args]).encode() + b"\n")
    CLIENT.stdin.flush()
    return base64.b64decode(json.loads(CLIENT.stdout.readline()))


class Core:
    """Whatever the assembly."""

    def connect(self):
        pop = Pop(HOST.connect(self.PORT))
        self.addCleanup(pop.close)
        return pop

    def say(self, pop, octets, before=b""):
        pop.send(before + base64.b64encode(octets) + b"\r\n")
        line = pop.line()
        return base64.b64decode(line[2:]) if line[:2] == b"+ " else line

    def begin(self, pop, user, initial=True, **args):
        """The server's offer of layers, or its refusal."""
        token = gss("start", user=user, **args)
        if not initial:
            pop.send(b"AUTH GSSAPI\r\n")
            self.assertEqual(pop.line(), b"+ ")
        got = self.say(pop, token, b"AUTH GSSAPI " if initial else b"")
        if got[:1] == b"-" or not args.get("mutual", True):
            return got
        self.assertEqual(gss("step", got), b"")
        return self.say(pop, b"")

    def auth(self, pop, user, last=b"\1\0\0\0", **args):
        got = self.begin(pop, user, **args)
        if got[:1] == b"-":
            return got
        self.assertEqual(gss("unwrap", got), b"\1\0\0\0")
        return self.say(pop, gss("wrap", last))

    def accepted(self, user, **args):
        with self.connect() as pop:
            self.assertRegex(self.auth(pop, user, **args), rb"^\+OK ")
            pop.stat()
            pop.quit()

    def line_of(self, mark, reason):
        line, = HOST.syslog.wait(r"\blogin-failed ", mark)
        self.assertRegex(line, r"method=gssapi reason=%s\b" % reason)
        return line

    def refused(self, user, reason, text="", **args):
        mark = HOST.syslog.mark()
        with self.connect() as pop:
            self.assertEqual(self.auth(pop, user, **args), REFUSED)
        self.assertIn(text, self.line_of(mark, reason))

    def test_good(self):
        self.accepted("ann")
        self.accepted("ann", initial=False)
        self.accepted("bob", last=b"\1\0\0\0bob")

    def test_delegated(self):
        """A client gives a ticket to do all in its name: nobody takes it."""
        self.assertGreater(len(gss("start", user="ann", delegate=True)),
                           len(gss("start", user="ann")) + 500)
        self.accepted("ann", delegate=True)

    def stls(self):
        pop = self.connect()
        pop.cmd("STLS")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        pop.sock = context.wrap_socket(pop.sock)
        return pop

    def test_under_tls(self):
        """Where nobody hears it one side's word is enough."""
        for mutual in (True, False):
            with self.stls() as pop:
                self.assertRegex(self.auth(pop, "ann", mutual=mutual), rb"^\+OK ")
                pop.stat()
                pop.quit()
        mark = HOST.syslog.mark()
        with self.stls() as pop:
            self.assertEqual(self.auth(pop, "ann", mutual=False,
                                       last=b"\1\0\0\0bob"), REFUSED)
        self.line_of(mark, "token")

    def test_who_is_refused(self):
        self.refused("eve", "unknown-user")
        self.refused("off", "locked")
        self.refused("dan", "rule")
        self.refused("ann/admin", "token", "no user's")
        self.refused("ann@" + OTHER, "token", "another realm")

    def test_what_is_refused(self):
        self.refused("ann", "token", "somebody else", last=b"\1\0\0\0bob")
        self.refused("ann", "token", "security layer", last=b"\4\0\x10\0")
        self.refused("ann", "token", "layer", last=b"\1")
        self.refused("ann", "token", service="imap@pophost.example.org")
        self.refused("ann", "token", "mutual", mutual=False)

    def test_garbage(self):
        good = gss("start", user="ann")
        for said in (b"", b"\0", b"A" * 2000, good[:-1], good[:-9] + b"123456789",
                     good[:40] + b"\xff" * 40 + good[80:]):
            mark = HOST.syslog.mark()
            with self.connect() as pop:
                self.assertEqual(self.say(pop, said, b"AUTH GSSAPI "
                                          if said else b"AUTH GSSAPI ="), REFUSED)
            self.line_of(mark, "token")

    def test_once_more(self):
        """What was said and accepted once is worth nothing the next time."""
        token = gss("start", user="ann")
        with self.connect() as pop:
            got = self.say(pop, token, b"AUTH GSSAPI ")
            gss("step", got)
            gss("unwrap", self.say(pop, b""))
            last = gss("wrap", b"\1\0\0\0")
            self.assertRegex(self.say(pop, last), rb"^\+OK ")
            pop.quit()
        with self.connect() as pop:
            self.say(pop, token, b"AUTH GSSAPI ")
            self.say(pop, b"")
            mark = HOST.syslog.mark()
            self.assertEqual(self.say(pop, last), REFUSED)
        self.line_of(mark, "token")

    def test_cancelled(self):
        with self.connect() as pop:
            self.begin(pop, "ann")
            pop.send(b"*\r\n")
            self.assertEqual(pop.line(), b"-ERR Authentication cancelled.")
            self.assertRegex(self.auth(pop, "ann"), rb"^\+OK ")
            pop.quit()

    def test_offered(self):
        with self.connect() as pop:
            for command, want in ((b"CAPA", rb"^SASL .*\bGSSAPI\b"),
                                  (b"AUTH", rb"^GSSAPI$")):
                pop.send(command + b"\r\n")
                lines = list(iter(pop.line, b"."))
                self.assertRegex(b"\n".join(lines), b"(?m)" + want)
            pop.login("bob", "x")
            pop.quit()


class InServe(Core, unittest.TestCase):
    PORT = 110

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Serve(HOST).stop)

    def test_silent_clients(self):
        """They keep nobody out."""
        for _ in range(12):
            self.begin(self.connect(), "ann")
        self.accepted("ann")

    def test_new_key(self):
        """What the keytab says counts soon, and old tickets while it has their key."""
        old = HOST.read(KEYTAB)
        self.accepted("ann")
        KDC.admin("ktadd -k %s pop/%s" % (FRESH, HOSTNAME))
        new = HOST.read(FRESH)
        ticket("bob", "late")
        self.refused("late", "token")
        HOST.write(KEYTAB, new, 0o600)
        self.wait_for("late", b"+OK ")
        self.wait_for("ann", REFUSED)
        HOST.write(KEYTAB, old + new[2:], 0o600)        # 2: the format's version
        self.wait_for("ann", b"+OK ")
        self.wait_for("late", b"+OK ")

    def wait_for(self, user, want):
        """There are several processes with the keys: one may be told later."""
        deadline = time.monotonic() + 60
        mark, got = HOST.syslog.mark(), [b""]
        while not got[-1].startswith(want):
            self.assertLess(time.monotonic(), deadline, got[-1])
            time.sleep(0.05)
            with self.connect() as pop:
                got.append(self.auth(pop, user))
        # The next test looks for lines of its own.
        HOST.syslog.wait(r"\blogin-failed ", mark, count=got.count(REFUSED))


class Bare(Core, unittest.TestCase):
    """A popper for each connection."""

    PORT = 1100

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Inetd(HOST, cls.PORT).stop)

    def other_settings(self, **options):
        HOST.write("/etc/popper/popper.conf", conf(**{**HOUSE, **options}))
        self.addCleanup(HOST.write, "/etc/popper/popper.conf", conf(**HOUSE))

    def test_other_realm(self):
        self.other_settings(gssapi_realms=OTHER)
        self.refused("ann", "token", "another realm")
        self.accepted("ann@" + OTHER)
        self.other_settings(gssapi_realms=REALM + " " + OTHER)
        self.accepted("ann")
        self.accepted("ann@" + OTHER)

    def test_other_databases(self):
        """Whoever the first one does not know."""
        self.other_settings(auth="file two:file:/etc/popper/more")
        HOST.write("/etc/popper/more", "eve:*:5000:5000::/nonexistent:\n",
                   0o600)
        self.accepted("eve")
        HOST.add_user("eve", uid=5010, password="y")
        self.other_settings(auth="file pam")
        self.accepted("eve")
        HOST.account("eve").expire = "1"
        HOST.add_user("gone", uid=5011)         # writes them all
        self.refused("eve", "expired")

    def test_check(self):
        def said():
            return HOST.run(["/usr/sbin/popper", "check"]).stdout.decode()
        self.assertNotIn("gssapi", said())
        HOST.run(["/bin/chmod", "644", KEYTAB], check=True)
        self.addCleanup(HOST.run, ["/bin/chmod", "600", KEYTAB])
        self.assertIn("nobody can log in by GSSAPI", said())
        self.other_settings(gssapi_keytab="/etc/popper/others")
        self.assertIn("no key of the service pop", said())
        self.other_settings(gssapi_keytab="/etc/popper/none")
        self.assertIn("nobody can log in by GSSAPI", said())
        self.other_settings(gssapi_keytab="", gssapi_realms=OTHER)
        self.assertIn("gssapi_realms: has no effect", said())


class Single(Core, unittest.TestCase):
    """All in one process, of a user's own."""

    PORT = 1110

    @classmethod
    def setUpClass(cls):
        HOST.add_user("own", uid=5001)
        HOST.mkdir("/home/own/pop", 0o755, "own")
        HOST.write("/home/own/pop/users", ROWS.replace("5000", "5001").
                   replace("/nonexistent", "/home/own"), 0o600, "own")
        for name in ("keytab", "cert.pem", "key.pem"):
            HOST.write("/home/own/pop/" + name, HOST.read("/etc/popper/" + name),
                       0o600, "own")
        HOST.write("/home/own/pop/conf", conf(**{**HOUSE, **{
            "isolation": "single", "passwd_file": "users", "maildrop": "~/mbox",
            "state_dir": "state", "run_dir": "run", "deny_file": "none",
            "gssapi_keytab": "keytab", "tls_certificate": "cert.pem key=key.pem",
            "listen": "127.0.0.1:1110"}}), 0o644,
                   "own")
        server = HOST.popen(["/usr/sbin/popper", "serve", "--config",
                             "/home/own/pop/conf"], user="own")
        cls.addClassCleanup(server.stop)
        HOST.wait_port(cls.PORT)


if __name__ == "__main__":
    unittest.main()
