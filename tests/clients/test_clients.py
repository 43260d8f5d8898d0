# SPDX-License-Identifier: ISC
"""Real POP3 clients fetch the nasty messages from the real server.

What they give is compared with digests that lib/spool.py computes from the
spool.  A client may change a message on its own account (line ends, a
field of its own); what each does is said at its class and done to the expected
octets by its expected(): nothing else may differ.
"""

import hashlib
import os
import poplib
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty, spool                                    # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Pop, Serve                               # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

PASSWORD = "wonder land"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def lf(wire):
    """With the line ends of a local file."""
    return wire.replace(b"\r\n", b"\n")


def without_status(disk):
    """A stored message without what popper itself may write into it."""
    header, blank, body = disk.partition(b"\n\n")
    lines = [line for line in re.findall(rb"[^\n]*\n|[^\n]+", header + b"\n")
             if not line.lower().startswith(b"status:")]
    return b"".join(lines) + blank[:1] + body


class Client:
    """One client's tests.  The subclass fetches all messages, in order."""

    packages = ()
    # Messages that this client rewrites in ways of its own, by name: why.
    # They are fetched like the others, but not compared.
    rewrites = {}

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack(p) for p in cls.packages])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password=PASSWORD)
        cls.host.add_user("reader", 1002)
        cls.host.write("/etc/popper/popper.conf", "peer_check = no\n"
                       "max_sessions_per_address = 1000\n")
        server = Serve(cls.host)
        cls.addClassCleanup(server.stop)

    def setUp(self):
        self.host.spool("alice", nasty.mbox())
        self.sent = spool.messages(self.host.spool("alice"))
        self.assertGreaterEqual(len(self.sent) - len(self.rewrites), 20)
        self.host.run(["sh", "-c", "rm -rf /home/reader/* /home/reader/.??*"],
                      check=True)

    def user(self, argv, **kw):
        """Run the client as an ordinary user."""
        r = self.host.run(argv, user="reader", timeout=120, **kw)
        self.assertEqual(r.returncode, 0, r.stderr[-2000:])
        return r.stdout

    def folder(self, path):
        """The files of a folder, by name."""
        def body():
            out = []
            for name in sorted(os.listdir(path)):
                with open(os.path.join(path, name), "rb") as f:
                    out.append((name, f.read()))
            return out
        return self.host.call(body)

    def expected(self, wire):
        """What this client makes of the octets that it is sent."""
        return lf(wire)

    def compare(self, got):
        self.assertEqual(len(got), len(self.sent))
        faults = []
        for (name, _), m, mine in zip(nasty.NASTY, self.sent, got):
            if name in self.rewrites:
                continue
            want = self.expected(m.wire)
            if digest(want) != digest(mine):
                faults.append("%s (%d octets, not %d): at %d want %r, got %r"
                              % (name, len(mine), len(want),
                                 *first_difference(want, mine)))
        if faults:
            self.fail("\n" + "\n".join(faults))

    def test_fetch_and_keep(self):
        self.compare(self.fetch(keep=True))
        left = spool.messages(self.host.spool("alice"))
        self.assertEqual([without_status(m.disk) for m in left],
                         [without_status(m.disk) for m in self.sent])

    def test_fetch_and_delete(self):
        self.compare(self.fetch(keep=False))
        self.assertEqual(self.host.spool("alice"), b"")


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
              min(len(a), len(b)))
    start = max(0, at - 30)
    return at, a[start:at + 40], b[start:at + 40]


class Suspicious(Client, unittest.TestCase):
    """Our own client, which also checks sizes, stuffing and line ends."""

    def expected(self, wire):
        return wire

    def fetch(self, keep):
        with Pop(self.host.connect(110)) as pop:
            n, octets = pop.login("alice", PASSWORD)
            self.assertEqual((n, octets), pop.stat())
            sizes = pop.list()
            self.assertEqual(octets, sum(sizes.values()))
            self.assertEqual([sizes[i] for i in range(1, n + 1)],
                             [len(m.wire) for m in self.sent])
            self.assertEqual(len(set(pop.uidl().values())), n)
            got = [pop.retr(i) for i in range(1, n + 1)]
            if not keep:
                for i in range(1, n + 1):
                    pop.dele(i)
            pop.quit()
        return got


class Curl(Client, unittest.TestCase):
    """curl gives every octet as it came."""

    packages = ("curl",)
    url = "pop3://127.0.0.1/%s"

    def expected(self, wire):
        return wire

    def curl(self, path, *args):
        return self.user(["curl", "-s", "-S", "-u", "alice:" + PASSWORD,
                          *args, self.url % path])

    def fetch(self, keep):
        numbers = [int(line.split()[0]) for line in
                   self.curl("").splitlines()]
        # One process: it keeps the connection from one file to the next.
        files = [a for n in numbers
                 for a in ("-o", "%03d" % n, self.url % n)]
        self.user(["sh", "-c", 'cd ~ && exec "$0" "$@"', "curl", "-s", "-S",
                   "-u", "alice:" + PASSWORD, *files])
        got = [data for _, data in self.folder("/home/reader")]
        if not keep:
            # A session each, so the first message goes every time.
            for _ in numbers:
                self.curl("", "-X", "DELE 1", "-I")
        return got


class Fetchmail(Client, unittest.TestCase):
    """fetchmail may add a Received field (off by --invisible), and adds the
    blank line when a message is all header."""

    packages = ("fetchmail",)
    rewrites = dict.fromkeys(
        ("very-long-line", "long-dots", "block-border"),
        "it puts rubbish into lines that are longer than its buffer")

    def expected(self, wire):
        return wire if b"\r\n\r\n" in wire else wire + b"\r\n"

    def fetch(self, keep):
        self.host.write("/home/reader/mda", "#!/bin/sh\n"
                        "n=$(ls ~/in | wc -l)\n"
                        "exec cat > ~/in/$(printf %03d $n)\n", 0o755)
        self.host.write(
            "/home/reader/rc",
            'poll 127.0.0.1 protocol pop3 no dns username "alice" '
            'password "%s"\n'
            "  no rewrite no mimedecode no dropstatus no stripcr %s\n"
            '  mda "/home/reader/mda"\n'
            % (PASSWORD, "keep" if keep else "no keep"), 0o600, "reader")
        self.user(["sh", "-c", "mkdir -p ~/in && exec fetchmail -d0 -a "
                   "--invisible --sslproto '' -f ~/rc -i ~/ids "
                   "--pidfile ~/pid"])
        return [data for _, data in self.folder("/home/reader/in")]


class Mpop(Client, unittest.TestCase):
    """mpop writes local line ends (a Maildir) and no field of its own when
    received_header is off."""

    packages = ("mpop",)

    def fetch(self, keep):
        self.host.write(
            "/home/reader/rc",
            'account x\nhost 127.0.0.1\nport 110\nuser alice\npassword "%s"\n'
            "auth user\ntls off\nreceived_header off\nkeep %s\n"
            "uidls_file ~/uidls\ndelivery maildir ~/in\n"
            % (PASSWORD, "on" if keep else "off"), 0o600, "reader")
        self.user(["sh", "-c", "mkdir -p ~/in/new ~/in/cur ~/in/tmp && "
                   "exec mpop -C ~/rc -a -q"])
        # Names begin with the time; what follows counts up within it.
        return [data for _, data in self.folder("/home/reader/in/new")]


class Getmail(Client, unittest.TestCase):
    """getmail parses each message with Python's email package and prints it
    again: a CR alone becomes a line end, an empty field gets a blank, a
    message that is all header gets a blank line; a Return-Path is added."""

    packages = ("getmail6",)
    rewrites = {
        "folded": "a line of blanks is taken out of a folded field",
        "end-of-mime": "the parts are put together anew",
    }

    def expected(self, wire):
        text = re.sub(rb"\r\n?", b"\n", lf(wire))
        header, blank, body = text.partition(b"\n\n")
        header = re.sub(rb"(?m)^([A-Za-z-]+:)$", rb"\1 ", header)
        return header + blank + body + (b"" if blank else b"\n")

    def fetch(self, keep):
        self.host.write("/home/reader/mda", "#!/bin/sh\n"
                        "n=$(ls ~/in | wc -l)\n"
                        "exec cat > ~/in/$(printf %03d $n)\n", 0o755)
        self.host.write(
            "/home/reader/rc",
            "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\n"
            "username = alice\npassword = %s\n"
            "[destination]\ntype = MDA_external\npath = /home/reader/mda\n"
            "unixfrom = false\n"
            "[options]\nread_all = true\ndelete = %s\ndelivered_to = false\n"
            "received = false\nverbose = 0\n"
            % (PASSWORD, "false" if keep else "true"), 0o600, "reader")
        self.user(["sh", "-c", "mkdir -p ~/in ~/g && "
                   "exec getmail --getmaildir=$HOME/g --rcfile=$HOME/rc"])
        return [data.removeprefix(b"Return-Path: <unknown>\n")
                for _, data in self.folder("/home/reader/in")]


class Poplib(Client, unittest.TestCase):
    """Python's poplib gives lines; it refuses those above 2048 octets unless
    told otherwise."""

    def expected(self, wire):
        return wire

    def fetch(self, keep):
        def body():
            poplib._MAXLINE = 1 << 20
            pop = poplib.POP3("127.0.0.1", 110, timeout=60)
            pop.user("alice")
            pop.pass_(PASSWORD)
            got = []
            for i in range(1, pop.stat()[0] + 1):
                got.append(b"".join(line + b"\r\n" for line in pop.retr(i)[1]))
                if not keep:
                    pop.dele(i)
            pop.quit()
            return got
        return self.host.in_network(body)


class NetPop3(Client, unittest.TestCase):
    """Perl's Net::POP3 gives lines that end with LF."""

    packages = ("perl",)

    SCRIPT = r"""
use Net::POP3;
my ($password, $keep) = @ARGV;
my $pop = Net::POP3->new("127.0.0.1", Timeout => 60) or die "connect";
my $n = $pop->login("alice", $password);
defined $n or die "login";
mkdir "$ENV{HOME}/in";
for my $i (1 .. $n) {
	open my $f, ">:raw", sprintf("%s/in/%03d", $ENV{HOME}, $i) or die;
	my $lines = $pop->get($i) or die "get $i";
	print $f @$lines;
	close $f;
	if (!$keep) { $pop->delete($i) or die "delete $i"; }
}
$pop->quit or die "quit";
"""

    def fetch(self, keep):
        self.user(["perl", "-e", self.SCRIPT, PASSWORD, "1" if keep else ""])
        return [data for _, data in self.folder("/home/reader/in")]


if __name__ == "__main__":
    unittest.main()
