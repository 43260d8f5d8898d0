# SPDX-License-Identifier: ISC
"""Real servers from Debian: the same maildrop shown by one of them, then by
popper, must have the same unique-ids after popper uidl import.
"""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, conf                         # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

LONG = os.environ.get("POPPER_LONG")
OLD = 1110
DIR = "/home/ann/Maildir/"
COURIER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "bench", "peers", "courier.sh")
DELIVERED = (b"Return-Path: <a@x>\nDelivered-To: ann@example.org\n"
             b"Received: from a.example.org\n\tby b id %d; Mon, 1 Jan 2024 10:00:00\n"
             b"Date: Mon, 1 Jan 2024 10:00:00 +0000\nMessage-ID: <%d@x>\n"
             b"Subject: %d\n\ntext %d\n\n")
MAIL = nasty.mbox(nasty.NASTY[:3]) + b"".join(
    b"From a@x Mon Jan  1 10:00:%02d 2024\n" % n + DELIVERED % (n, n, n, n)
    for n in range(10, 30))
DOVECOT = """
protocols = pop3
ssl = no
log_path = /tmp/dovecot.log
mail_privileged_group = mail
pop3_uidl_format = %(form)s
"""
LISTENS = """
service pop3-login {
  inet_listener pop3 {
    %(listen)s = 127.0.0.1
    port = %(port)d
  }
}
"""
OLDER = DOVECOT + LISTENS + """
disable_plaintext_auth = no
mail_location = %(mail)s
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
"""
# From Dovecot 2.4 on.
NEWER = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
""" + DOVECOT + LISTENS + """
auth_allow_cleartext = yes
%(mail)s
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
"""
LONG_WORDS = {"%08Xu": "%{uid | hex(8)}", "%08Xv": "%{uidvalidity | hex(8)}",
              "%u": "%{uid}", "%v": "%{uidvalidity}", "%m": "%{md5}",
              "%f": "%{filename}", "%g": "%{guid}"}


class Move(unittest.TestCase):
    packages = None             # of the old server
    maildir = False             # it knows those alone
    argv = None                 # one process a connection, as under inetd

    @classmethod
    def setUpClass(cls):
        if cls.packages is None:
            raise unittest.SkipTest("for those that have an old server")
        cls.host = Host(packages=[unpack(*cls.packages)])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")
        cls.host.write("/etc/popper/popper.conf", conf(
            peer_check="no", **{"maildrop": "~/Maildir/"} if cls.maildir else {}))
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def old_server(self):
        return Inetd(self.host, OLD, self.argv)

    def old_ids(self):
        """As the old server says them, in order."""
        server = self.old_server()
        try:
            with Pop(self.host.connect(OLD)) as pop:
                pop.cmd("USER", "ann")
                pop.cmd("PASS", "ann")
                ids = pop.uidl()
                pop.retr(2)
                pop.cmd("QUIT")
        finally:
            server.stop()
        return [ids[n] for n in sorted(ids)]

    def our_ids(self):
        with Pop(self.host.connect(110)) as pop:
            pop.login("ann", "ann")
            ids = pop.uidl()
            pop.quit()
        return [ids[n] for n in sorted(ids)]

    def moves(self, *args, said=None):
        text = b"".join(b"%d %s\r\n" % (i + 1, said[i])
                        for i in range(len(said)))
        for words in (("--fresh", "import", "ann"), ("import", *args, "ann")):
            self.host.run(["/usr/sbin/popper", "uidl", *words],
                          input=text if words[-2] == "import" and not args
                          else b"", check=True)
        self.assertEqual(self.our_ids(), said)
        self.host.run(["/usr/sbin/popper", "uidl", "verify", "ann"],
                      input=text, check=True)

    def moves_live(self, said):
        """Asked by popper, which finds the messages by their headers."""
        server = self.old_server()
        try:
            for words, text in ((("--fresh", "import", "ann"), b""),
                                (("--from", "pop3://ann@127.0.0.1:%d" % OLD,
                                  "import", "ann"), b"ann\n")):
                self.host.run(["/usr/sbin/popper", "uidl", *words], input=text,
                              check=True)
        finally:
            server.stop()
        self.assertEqual(self.our_ids(), said)

    def mail(self, mail):
        if not self.maildir:
            self.host.spool("ann", mail)
            return
        self.host.run(["rm", "-rf", DIR], check=True)
        for folder in ("", "cur", "new", "tmp"):
            self.host.mkdir(DIR + folder, 0o700, "ann", "ann")
        texts = re.split(rb"(?:\n|\A)From .*\n", mail)[1:]
        for n, text in enumerate(texts):
            name = "17000000%02d.M1P1.mx,S=%d" % (n, len(text))
            self.host.write(DIR + ("new/%s" if n % 2 else "cur/%s:2,S") % name,
                            text, mode=0o600, owner="ann", group="ann")

    def before(self, mail=MAIL):
        """The old server's ids; popper's are others."""
        self.mail(mail)
        said = self.old_ids()
        self.assertEqual(len(said), 23)
        self.assertEqual(len(set(said) & set(self.our_ids())), 0)
        return said


class Dovecot(Move):
    packages = ("dovecot-pop3d",)
    form = "%08Xu%08Xv"
    # before 2.4, and since
    location = ("mbox:~/mail:INBOX=/var/mail/%u",
                "mail_driver = mbox\nmail_path = ~/mail\n"
                "mail_inbox_path = /var/mail/%{user}")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, uid in (("dovecot", 911), ("dovenull", 912)):
            cls.host.add_user(name, uid, home="/nonexistent",
                              shell="/usr/sbin/nologin")
        cls.host.write("/etc/dovecot/users", "ann:{PLAIN}ann:%d:%d::/home/ann\n"
                       % (cls.host.account("ann").uid,
                          cls.host.account("ann").gid))

    def old_server(self):
        version = self.host.run(["/usr/sbin/dovecot", "--version"]).stdout
        newer = not version.startswith(b"2.3.")
        form = self.form
        if newer:
            form = re.sub("%08X.|%.", lambda m: LONG_WORDS[m[0]], form)
        self.host.write("/etc/dovecot/dovecot.conf",
                        (NEWER if newer else OLDER) % {
                            "mail": self.location[newer], "form": form,
                            "listen": "listen" if newer else "address",
                            "port": OLD})
        p = self.host.popen(["/usr/sbin/dovecot", "-F"])
        self.host.wait_port(OLD)
        return p

    def test_move(self):
        said = self.before()
        self.moves(said=said)
        self.moves("--from", "uid", said=said)
        if LONG:
            self.moves_live(said)

    @unittest.skipUnless(LONG, "long run only (make test-long)")
    def test_forms(self):
        for self.form in ("%08Xv%08Xu", "%v.%u", "UID%u-%v", "%u"):
            said = self.before()
            self.moves("--from", "uid", "--format", self.form, said=said)
        self.form = "%m"
        said = self.before()
        self.moves("--from", "md5", said=said)


@unittest.skipUnless(LONG, "long run only (make test-long)")
class DovecotFiles(Dovecot):
    maildir = True
    location = ("maildir:~/Maildir",
                "mail_driver = maildir\nmail_path = ~/Maildir")

    def test_move(self):
        said = self.before()
        self.moves(said=said)
        self.moves("--from", "dovecot", said=said)
        self.moves_live(said)

    def test_forms(self):
        for self.form in ("%08Xv%08Xu", "%v.%u", "UID%u-%v", "%u"):
            said = self.before()
            self.moves("--from", "dovecot", "--format", self.form, said=said)

    def test_names(self):
        """Dovecot's %f and %g are what popper shows by itself."""
        self.host.run(["/usr/sbin/popper", "uidl", "--fresh", "import", "ann"],
                      input=b"", check=True)
        for self.form in ("%f", "%g"):
            self.mail(MAIL)
            self.assertEqual(self.old_ids(), self.our_ids())


@unittest.skipUnless(LONG, "long run only (make test-long)")
class Courier(Move):
    packages = ("courier-pop",)
    maildir = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("courier", 914, home="/var/lib/courier",
                          shell="/usr/sbin/nologin")
        cls.host.mkdir("/run/courier", 0o775, "root", "courier")
        cls.host.mkdir("/run/courier/authdaemon", 0o750, "courier", "courier")
        cls.host.install(COURIER, "/usr/sbin/courier-start")
        cls.host.write("/etc/pam.d/pop3", cls.host.read("/etc/pam.d/popper"))
        cls.host.write("/etc/courier/pop3d", re.sub(
            rb"(?m)^PORT=.*$", b"PORT=%d" % OLD,
            cls.host.read("/etc/courier/pop3d")))

    def old_server(self):
        p = self.host.popen(["/usr/sbin/courier-start"])
        self.host.wait_port(OLD)
        return p

    def test_move(self):
        said = self.before()
        self.moves(said=said)
        self.moves("--from", "courier", said=said)
        self.moves_live(said)


@unittest.skipUnless(LONG, "long run only (make test-long)")
class Popa3d(Move):
    packages = ("popa3d",)
    argv = ("/usr/sbin/popa3d",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("popa3d", 913, home="/var/lib/popa3d",
                          shell="/usr/sbin/nologin")
        cls.host.mkdir("/var/lib/popa3d")
        cls.host.write("/etc/pam.d/popa3d", cls.host.read("/etc/pam.d/popper"))

    def test_move(self):
        said = self.before()
        self.moves("--from", "popa3d", said=said)
        self.moves(said=said)
        self.moves_live(said)


@unittest.skipUnless(LONG, "long run only (make test-long)")
class GNU(Move):
    packages = ("mailutils-pop3d",)
    argv = ("/usr/sbin/pop3d", "--inetd")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("/etc/pam.d/gnu-pop3d", cls.host.read("/etc/pam.d/popper"))
        cls.host.write("/etc/pam.d/pop3d", cls.host.read("/etc/pam.d/popper"))

    def test_move(self):
        said = self.before()
        self.moves(said=said)
        self.moves("--from", "x-uidl", said=said)


if __name__ == "__main__":
    unittest.main()
