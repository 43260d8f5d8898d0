# SPDX-License-Identifier: ISC
"""The servers that are compared: how each is furnished and started in a
private host (house.py), and what is known of its answers.  Their configuration
files stand in bench/peers/.
"""

import os
import re
import signal
import subprocess
import time

from house import (CERTIFICATE, KEY, MAILDIR, MBOX, SECRETS, SYSTEM, USERS,
                   VIRTUAL)
from lib.unpack import TOP, unpack
from measure import Group

HERE = os.path.join(TOP, "bench", "peers")
ADDRESS, PORT, TLS_PORT = "127.0.0.1", 110, 995
STOP = 20                       # seconds until processes are killed


def text(name, **words):
    """A file of bench/peers with its @WORDS@ filled in."""
    with open(os.path.join(HERE, name), encoding="ascii") as f:
        out = f.read()
    for word, value in words.items():
        out = out.replace("@%s@" % word.upper(), str(value))
    return out


class Peer:
    """A server.  `kinds`: whose users it knows; `most`: how many strangers
    and how many sessions it can hold as it is configured."""

    kinds = (VIRTUAL, SYSTEM)
    packages = ()
    tls = scram = False         # whether it can
    forms = ()                  # of large maildrops that it is tried with
    logins = True               # whether it is tried with small ones
    sizes = True                # STAT and LIST say what RETR sends
    skips = ()                  # scenarios that would take all day
    canned = False              # knows what it will be asked from the start
    most = {"strangers": 100000, "sessions": 100000}

    def __init__(self, name):
        self.name = name

    def furnish(self, house, tls=False, scram=False):
        """Configuration and accounts; again before each start."""

    def argv(self, house):
        raise NotImplementedError

    def lines(self, house):
        """{word: whole line} of answers beside STAT that are known."""
        return {}


class Floor(Peer):
    forms = (MBOX, MAILDIR)
    canned = True
    # One process, 20,000 descriptors.
    most = {"strangers": 19000, "sessions": 9900}

    def __init__(self, name="floor", wrong=None):
        super().__init__(name)
        self.wrong = wrong

    def argv(self, house):
        out = ["/usr/sbin/floor", "--listen", "%s:%d" % (ADDRESS, PORT),
               "--stat", house.stat, "--count", str(house.count)]
        for path in house.mail:
            out += ["--mail", path]
        return out + (["--wrong", self.wrong] if self.wrong else [])

    def lines(self, house):
        return dict.fromkeys(("greeting", "user", "pass", "uidl", "list",
                              "retr", "top", "dele", "noop", "quit"),
                             "+OK ready")


class Popper(Peer):
    """Of this tree.  Its texts are those of docs/design.md, section 5."""

    tls = scram = True

    def __init__(self, name="popper", options="", forms=()):
        super().__init__(name)
        self.options, self.forms = options, forms

    def furnish(self, house, tls=False, scram=False):
        more = text("popper-tls.conf", cert=CERTIFICATE, key=KEY)
        house.write("/etc/popper/popper.conf", text("popper.conf")
                    + text("popper-%s.conf" % house.kind,
                           users=SECRETS if scram else USERS)
                    + (more if tls else "")
                    + (text("popper-scram.conf") if scram else "")
                    + (text("popper-maildir.conf") if house.form == MAILDIR
                       else "")
                    + self.options)

    def argv(self, house):
        return ["/usr/sbin/popper", "serve"]

    def lines(self, house):
        version = re.search(r"version: '(.*?)'", open(
            os.path.join(TOP, "meson.build"), encoding="utf-8").read())
        where = "pophost.example.org"
        count, octets = house.stat.split()
        return {
            "greeting": "+OK popper (version %s) at %s starting."
                        % (version.group(1), where),
            "user": "+OK Password required.",
            "pass": "+OK Maildrop has %s messages (%s octets)."
                    % (count, octets),
            "stls": "+OK Begin TLS negotiation.",
            "quit": "+OK popper at %s signing off." % where}


NOWAIT = "nowait.1000000"
INETD = ["/usr/sbin/inetd", "-i", "-R", "0", "/etc/inetd.conf"]


class PopperInetd(Popper):
    """From the inetd that starts popa3d: a process for each connection, or
    one server for all of them (wait)."""

    kinds = (SYSTEM,)
    packages = ("popa3d", "openbsd-inetd")
    tls = scram = False

    def __init__(self, name, how=NOWAIT):
        super().__init__(name)
        self.how = how

    def furnish(self, house, tls=False, scram=False):
        super().furnish(house)
        house.write("/etc/inetd.conf", text("inetd.conf", program="popper",
                                            how=self.how))

    def argv(self, house):
        return INETD


# What bench/peers/dovecot-* is called from Dovecot 2.4 on.
DOVECOT_24 = (
    ("disable_plaintext_auth = no", "auth_allow_cleartext = yes"),
    ("service_count = 0", "restart_request_count = unlimited"),
    ("service_count = ", "restart_request_count = "),
    ("ssl_cert = <", "ssl_server_cert_file = "),
    ("ssl_key = <", "ssl_server_key_file = "),
    ("mail_location = mbox:~/mail:INBOX=/var/mail/%u:INDEX=MEMORY",
     "mail_driver = mbox\nmail_path = ~/mail\n"
     "mail_inbox_path = /var/mail/%{user}\nmail_index_path = MEMORY"),
    ("mail_location = maildir:~/Maildir",
     "mail_driver = maildir\nmail_path = ~/Maildir\n"
     "mail_inbox_path = ~/Maildir"),
)
PASSWD_FILE_24 = "".join(
    "%s passwd-file {\n  passwd_file_path = /etc/dovecot/users\n}\n" % db
    for db in ("passdb", "userdb"))


class Dovecot(Peer):
    packages = ("dovecot-pop3d",)
    tls = scram = True

    def __init__(self, name, forms=(), logins=True, **most):
        super().__init__(name)
        self.forms, self.logins, self.most = forms, logins, most

    def furnish(self, house, tls=False, scram=False):
        for name, uid in (("dovecot", 911), ("dovenull", 912)):
            if name not in house.groups:
                house.add_user(name, uid, home="/nonexistent",
                               shell="/usr/sbin/nologin")
        house.run(["cp", "-rT", "/usr/share/dovecot", "/etc/dovecot"],
                  check=True)
        # Not looked into, since ssl = no, but they must be there.
        for name in ("dovecot.pem", "dovecot.key"):
            house.write("/etc/dovecot/private/" + name, "none\n", 0o600)
        version = house.run(["/usr/sbin/dovecot", "--version"]).stdout
        newer = not version.startswith(b"2.3.")
        house.write("/etc/dovecot/limits.inc", text("dovecot-limits.inc"))
        local = self.local(house, tls, scram)
        for old, new in DOVECOT_24 if newer else ():
            local = local.replace(old, new)
        house.write("/etc/dovecot/local.conf", local)
        if house.kind == VIRTUAL:
            # The switch that the file itself tells of.
            path = "/etc/dovecot/conf.d/10-auth.conf"
            house.write(path, house.read(path).replace(
                b"!include auth-system.conf.ext",
                b"!include auth-passwdfile.conf.ext"))
            if newer:           # it is all comments there
                house.write("/etc/dovecot/conf.d/auth-passwdfile.conf.ext",
                            PASSWD_FILE_24)
            house.write("/etc/dovecot/users",
                        house.read(SECRETS if scram else USERS), 0o640,
                        "root", "dovecot")

    def local(self, house, tls, scram):
        """What differs from Debian's files, in the language of 2.3."""
        return (text("dovecot-common.conf")
                + (text("dovecot-tls.conf", cert=CERTIFICATE, key=KEY) if tls
                   else "ssl = no\n")
                + (text("dovecot-scram.conf") if scram else "")
                + text(self.name + ".conf",
                       cores=len(os.sched_getaffinity(0)))
                + (text("dovecot-maildir.conf") if house.form == MAILDIR
                   else ""))

    def argv(self, house):
        return ["/usr/sbin/dovecot", "-F"]


class Popa3d(Peer):
    """Knows system users alone; under inetd, as the package sets it up."""

    kinds = (SYSTEM,)
    packages = ("popa3d", "openbsd-inetd")
    forms = (MBOX,)
    # Line and text go in packets of their own, and the second one waits until
    # the client's kernel acknowledges the first: 44 ms for each message.
    skips = ("fetch", "top")

    def furnish(self, house, tls=False, scram=False):
        if "popa3d" not in house.groups:
            house.add_user("popa3d", 913, home="/var/lib/popa3d",
                           shell="/usr/sbin/nologin")
        house.mkdir("/var/lib/popa3d")
        house.write("/etc/inetd.conf", text("inetd.conf", program="popa3d",
                                            how=NOWAIT))

    def argv(self, house):
        return INETD


class Courier(Peer):
    """Knows Maildirs alone; as its package starts it, but in sight."""

    kinds = (SYSTEM,)
    packages = ("courier-pop",)
    forms = (MAILDIR,)
    logins = False
    skips = ("fetch",)          # as popa3d

    def furnish(self, house, tls=False, scram=False):
        if "courier" not in house.groups:
            house.add_user("courier", 914, home="/var/lib/courier",
                           shell="/usr/sbin/nologin")
        house.mkdir("/run/courier", 0o775, "root", "courier")
        house.mkdir("/run/courier/authdaemon", 0o750, "courier", "courier")
        house.write("/usr/sbin/courier-start", text("courier.sh"), 0o755)

    def argv(self, house):
        return ["/usr/sbin/courier-start"]


class Mailutils(Peer):
    """Knows system users."""

    kinds = (SYSTEM,)
    # It overwrites /usr/sbin/pop3d of courier-pop, whose name comes before
    # its own: Courier is started without that script.
    packages = ("mailutils-pop3d",)
    forms = (MBOX,)
    logins = False
    # STAT forgets a CR of each message, and who asks for UIDL makes it add a
    # field to each, in memory and then in the file.
    sizes = False
    skips = ("fetch", "fetch_pipelined", "fetch_large", "top")

    def furnish(self, house, tls=False, scram=False):
        house.write("/etc/mailutils.conf", text("mailutils.conf"))

    def argv(self, house):
        return ["/usr/sbin/pop3d", "--daemon", "--foreground"]


def all_peers():
    """In the order of the tables."""
    return [
        Popper(forms=(MBOX, MAILDIR)),
        Popper("popper-shared", options="sessions_per_process = 100\n"),
        PopperInetd("popper-inetd"),
        PopperInetd("popper-inetd-wait", "wait"),
        # One login process holds one stranger, and there are 100 of them.
        Dovecot("dovecot-default", forms=(MBOX, MAILDIR), strangers=90,
                sessions=1000),
        Dovecot("dovecot-high", strangers=10000, sessions=5000),
        Dovecot("dovecot-fast", strangers=10000, sessions=5000),
        Dovecot("dovecot-reuse", strangers=10000, sessions=5000),
        # With index files, which small maildrops are better without.
        Dovecot("dovecot-index", forms=(MBOX, MAILDIR), logins=False),
        Courier("courier"),
        Mailutils("mailutils"),
        Popa3d("popa3d"),
        Floor(),
    ]


def archives(peers):
    """Their packages, unpacked as files."""
    return [unpack(*words) for words in
            sorted({p.packages for p in peers if p.packages})]


class Server:
    """A peer at work in a house, measured; ready when this returns."""

    def __init__(self, peer, house, tls=False, scram=False):
        self.peer, self.house = peer, house
        peer.furnish(house, tls, scram)
        self.group = Group.make(house)
        self.process = house.popen(
            peer.argv(house), preexec_fn=self.group.enter,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            house.wait_port(PORT)
            if tls:
                house.wait_port(TLS_PORT)
        except TimeoutError:
            self.stop()
            raise RuntimeError("%s does not listen: %s" % (
                peer.name, self.process.stderr.read().decode())) from None

    @property
    def load_words(self):
        """What the load is told of the answers, as the mail is by now."""
        house = self.house
        out = ["--line", "stat=+OK " + house.stat] if self.peer.sizes \
            else ["--any-size"]
        for word, line in self.peer.lines(house).items():
            out += ["--line", "%s=%s" % (word, line)]
        return out

    def to(self, words):
        """The load's words for where to connect; under TLS, if they say so."""
        return ["--to", "%s:%d" % (
            ADDRESS, TLS_PORT if "--tls" in words else PORT)]

    def stop(self):
        """Until its last process has gone."""
        try:
            self.process.send_signal(signal.SIGTERM)
        except ProcessLookupError:
            pass
        deadline = time.monotonic() + STOP
        while self.process.poll() is None or self.group.pids():
            if time.monotonic() > deadline - STOP / 2:
                for pid in self.group.pids():
                    _kill(pid)
            if time.monotonic() > deadline:
                raise RuntimeError("%s does not end" % self.peer.name)
            time.sleep(0.05)
        self.group.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.process.stderr.close()


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
