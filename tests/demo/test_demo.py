# SPDX-License-Identifier: ISC
"""The demo of make run, in a clone that only its owner can enter: served to a
client, as root and as an ordinary user, and ended by Ctrl-C without an error."""

import os
import re
import ssl
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.host import Host                                       # noqa: E402
from lib.popper import Pop                                      # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CLONE = "/srv/clone"
# What `make run` does behind the build.
MAKEFILE = ".PHONY: run\nrun:\n\t@exec python3 demo/serve.py /usr/sbin/popper\n"


class Demo(unittest.TestCase):
    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)
        self.host.add_user("ann")
        # A host on which no package has made accounts for popper.
        passwd = self.host.read("/etc/passwd").splitlines(True)
        self.host.write("/etc/passwd", b"".join(
            row for row in passwd if not row.startswith(b"_pop")))

    def clone(self, owner):
        self.host.mkdir(CLONE, 0o700, owner)
        self.host.mkdir(CLONE + "/demo", 0o755, owner)
        with open(TOP + "/demo/serve.py", "rb") as f:
            self.host.write(CLONE + "/demo/serve.py", f.read(), 0o755, owner)
        self.host.write(CLONE + "/Makefile", MAKEFILE, 0o644, owner)

    def start(self, user):
        """make run on a terminal: the process, our end of the terminal."""
        ours, its = os.openpty()
        self.addCleanup(os.close, ours)
        p = self.host.popen(["setsid", "--ctty", "--wait", "make", "-s", "-C",
                             CLONE, "run"], user=user, stdin=its, stdout=its,
                            stderr=its)
        os.close(its)
        self.addCleanup(p.stop)
        try:
            self.host.wait_port(1110)
        except TimeoutError:
            p.stop()
            self.fail(_rest(ours))
        return p, ours

    def end(self, p, terminal):
        """Ctrl-C; what stood on the terminal."""
        os.write(terminal, b"\x03")
        self.assertEqual(p.wait(60), 0)
        return _rest(terminal)

    def trusting(self):
        return ssl.create_default_context(cadata=self.host.read(
            CLONE + "/run/cert.pem").decode())

    def visit_tls(self):
        return self.visit(pop=Pop(self.trusting().wrap_socket(
            self.host.connect(1995), server_hostname="127.0.0.1")))

    def visit_stls(self):
        pop = Pop(self.host.connect(1110))
        pop.cmd("STLS")
        pop.sock = self.trusting().wrap_socket(
            pop.sock, server_hostname="demo.localhost")
        return self.visit(pop=pop)

    def visit(self, password="popper", delete=False, pop=None):
        """The subjects, in a session as a client has it."""
        pop = pop or Pop(self.host.connect(1110))
        pop.login("demo", password)
        mail = [pop.retr(n) for n in pop.list()]
        if delete:
            pop.dele(1)
        pop.quit()
        return [re.search(rb"^Subject: (.*?)\r$", m, re.M).group(1)
                for m in mail]

    def tour(self, owner, user, uid):
        self.clone(owner)
        demo = self.start(user)
        first = self.visit(delete=True)
        self.assertGreater(len(first), 5)
        self.assertIn(b"Welcome to popper", first)      # the bulletin
        self.assertEqual(self.visit(), first[1:])
        for visit in (self.visit_tls, self.visit_stls):
            self.assertEqual(visit(), first[1:])
        st = self.host.call(os.stat, CLONE + "/run/mail/demo")
        self.assertEqual((st.st_uid, st.st_mode & 0o777), (uid, 0o600))
        out = self.end(*demo)
        self.assertNotIn("Error", out)
        for word in ("telnet", "curl", "mail program", "1110", "demo"):
            self.assertIn(word, out)
        # Nothing in the log that a newcomer would have to look up.
        self.assertEqual(set(re.findall(r"popper\[\d+\]: (\S+)", out))
                         - {"login", "session-end"},
                         {"listening", "stopped"}, out)
        # Again, and the mail is there again.
        demo = self.start(user)
        self.assertEqual(len(self.visit()), len(first))
        self.end(*demo)

    def test_as_root(self):
        self.tour("root", None, 61111)

    def test_as_an_ordinary_user(self):
        self.tour("ann", "ann", self.host.account("ann").uid)

    def test_its_configuration_is_good(self):
        self.clone("root")
        demo = self.start(None)
        r = self.host.run(["/usr/sbin/popper", "check", "--config",
                           CLONE + "/run/popper.conf"])
        self.assertNotIn(b" error: ", r.stdout)
        self.assertEqual(r.returncode, 0)
        self.end(*demo)


def _rest(terminal):
    """What stands on it, when all other ends are closed."""
    out = b""
    try:
        while data := os.read(terminal, 4096):
            out += data
    except OSError:
        pass
    return out.decode()


if __name__ == "__main__":
    unittest.main()
