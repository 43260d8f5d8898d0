# SPDX-License-Identifier: ISC
"""The private host in which servers are compared: its users, their mail, and
what a client must be told about it.

Two kinds of users: `virtual` ones of a password file in Dovecot's form, with
{PLAIN} passwords and one uid for all, and `system` ones, whom pam_unix knows.
"""

import base64
import hashlib
import hmac
import os
import shutil
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

from lib.host import PAM, Account, Host, crypt                  # noqa: E402
from lib.spool import messages                                  # noqa: E402
from lib.unpack import build_dir                                # noqa: E402

VIRTUAL, SYSTEM = "virtual", "system"
MBOX, MAILDIR = "mbox", "maildir"
VMAIL = 5000                    # uid and gid of all virtual users' mail
FIRST_UID = 10001               # of system users
USERS = "/etc/popper/users"     # the password file of virtual users
SECRETS = USERS + ".scram"      # the same with {SCRAM-SHA-256}
PAIRS = "/run/bench/users"      # `name password` a line, for the load
PROGRAMS = ("load", "floor", "sink", "barepam", "bareshake")
HOST = "pophost.example.org"    # bench/secure.h
# Of every server: signed by itself, so that clients take it for the authority.
CERTIFICATE, KEY = "/etc/popper/cert.pem", "/etc/popper/key.pem"

SENDERS = ("alice", "bob", "robot", "zoe")


def mailbox(count, octets):
    """An mbox of `count` messages of about so many octets each: dots and
    From at the start of lines, as mail has them."""
    out = []
    for i in range(count):
        sender = SENDERS[i % len(SENDERS)]
        out.append("From %s@example.net Mon Jan  1 12:%02d:00 2024\n"
                   "From: %s@example.net\nTo: someone@example.org\n"
                   "Subject: Message %d\nDate: Mon, 1 Jan 2024 12:%02d:00"
                   " +0000\nMessage-ID: <%d@example.net>\n\n"
                   % (sender, i % 60, sender, i, i % 60, i))
        out.append(".profile begins with a dot\n..\n.\n>From a quoted one\n")
        room = (i + 1) * octets - sum(len(s) for s in out)
        text = "%06d The quick brown fox jumps over the lazy dog.\n"
        out += [text % (line % 1000000)
                for line in range(-(-room // len(text % 0)))]
        out.append("\n")
    return "".join(out).encode("ascii")


def scram_secret(password, salt=b"salt of a sample", rounds=4096):
    """{SCRAM-SHA-256} in Dovecot's form (RFC 5802)."""
    def keyed(key, text):
        return hmac.digest(key, text, "sha256")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    words = (salt, hashlib.sha256(keyed(salted, b"Client Key")).digest(),
             keyed(salted, b"Server Key"))
    salt, *keys = [base64.b64encode(w).decode() for w in words]
    return "{SCRAM-SHA-256}%d,%s,%s,%s" % (rounds, salt, *keys)


def stuffed(wire):
    """What follows +OK of RETR."""
    out = wire.replace(b"\r\n.", b"\r\n..")
    return (b"." + out if out.startswith(b".") else out) + b".\r\n"


class House(Host):
    """A host with `users` users of one kind and the same mail for each."""

    form = MBOX

    def __init__(self, kind, users, packages=(), count=4, octets=2000,
                 size="4g", store=None):
        super().__init__(packages=packages, size=size, store=store)
        try:
            self.kind, self.users = kind, users
            self.names = ["user%05d" % i for i in range(users)]
            self.password = "sesame"
            self._programs()
            self._lay_patterns(count, octets)
            self._users()
            self.lay_certificate()
            self.lay_mail()
        except BaseException:
            self.close()
            raise

    def _lay_patterns(self, count, octets):
        """What each maildrop will hold, and for the load what RETR gives."""
        self.mbox = mailbox(count, octets)
        found = messages(self.mbox)
        self.count = len(found)
        self.stat = "%d %d" % (self.count, sum(len(m.wire) for m in found))
        self.mail = ["/run/bench/mail.%d" % (i + 1)
                     for i in range(self.count)]
        for path, m in zip(self.mail, found):
            self.write(path, stuffed(m.wire))

    def _programs(self):
        for name in PROGRAMS:
            self.install(os.path.join(build_dir(), "bench", name),
                         "/usr/sbin/" + name)
        # One that forgets takes the place of the log that the tests read.
        self.syslog.stop()
        self.popen(["/usr/sbin/sink", "/dev/log"])

    def _users(self):
        if self.kind == SYSTEM:
            hashed = crypt(self.password)
            for i, name in enumerate(self.names):
                self.groups[name] = [FIRST_UID + i, []]
                self.accounts.append(Account(
                    name, FIRST_UID + i, FIRST_UID + i, "/home/" + name,
                    "/bin/sh", hashed))
            for service in ("dovecot", "popa3d", "pop3", "gnu-pop3d"):
                self.write("/etc/pam.d/" + service, PAM)
        else:
            self.groups["vmail"] = [VMAIL, []]
            self.accounts.append(Account(
                "vmail", VMAIL, VMAIL, "/home", "/usr/sbin/nologin"))
            for path, stored in ((USERS, "{PLAIN}" + self.password),
                                 (SECRETS, scram_secret(self.password))):
                self.write(path, "".join(
                    "%s:%s:%d:%d::/home/%s:/bin/sh:\n"
                    % (n, stored, VMAIL, VMAIL, n) for n in self.names),
                    0o600)
        self._write_accounts()
        self.pairs(PAIRS, self.names)

    def lay_certificate(self, rsa=False):
        """ECDSA P-256, which mail hosts mostly have by now, or RSA of 2048
        bits, which others have."""
        kind = ["rsa:2048"] if rsa else [
            "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        for path in (CERTIFICATE, KEY):
            self.write(path, "", 0o600)
        self.run(["openssl", "req", "-x509", "-nodes", "-newkey", *kind,
                  "-days", "30",
                  "-subj", "/CN=" + HOST, "-addext",
                  "subjectAltName=DNS:" + HOST, "-keyout", KEY,
                  "-out", CERTIFICATE], check=True)

    def uid(self, i):
        return FIRST_UID + i if self.kind == SYSTEM else VMAIL

    def lay_mail(self):
        """Every maildrop as new, and empty home folders."""
        self.call(_lay, [(n, self.uid(i)) for i, n in enumerate(self.names)],
                  self.mbox)

    def pairs(self, path, names):
        """A file of some users for a load: its path."""
        self.write(path, "".join("%s %s\n" % (n, self.password)
                                 for n in names))
        return path


def _lay(users, mbox):
    for name, uid in users:
        path = "/var/mail/" + name
        with open(path + ".~new", "wb") as f:
            f.write(mbox)
        os.chown(path + ".~new", uid, 8)
        os.chmod(path + ".~new", 0o660)
        os.rename(path + ".~new", path)
        home = "/home/" + name
        shutil.rmtree(home, ignore_errors=True)
        os.mkdir(home, 0o700)
        os.chown(home, uid, uid)
