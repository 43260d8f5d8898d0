# SPDX-License-Identifier: ISC
"""Real POP3 clients fetch the nasty messages from the real server: in the clear,
after STLS and under TLS from the first octet, with a certificate that they verify.
Each of them also logs in by each mechanism that it and the server have, in one of
these ways, drawn by a seed; in the long run in all of them.

What they give is compared with digests that lib/spool.py computes from the
spool.  A client may change a message on its own account (line ends, a
field of its own); what each does is said at its class and done to the expected
octets by its expected(): nothing else may differ.
"""

import base64
import hashlib
import json
import os
import poplib
import random
import re
import ssl
import subprocess
import sys
import tempfile
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, TESTS + "/bearer", TESTS + "/gssapi", TESTS + "/tls"]

from lib import nasty, spool                                    # noqa: E402
from lib.host import HOSTNAME, Host                             # noqa: E402
from lib.popper import Pop, Serve                               # noqa: E402
from lib.unpack import unpack                                   # noqa: E402
from authority import Authority, fingerprint                    # noqa: E402
import kdc                                                      # noqa: E402
import oauth                                                    # noqa: E402

PASSWORD = "wonder land"
NAME = "localhost"              # what clients know of the server
CONF = "/etc/popper/popper.conf"
CA, WRONG_CA = "/etc/popper/ca.pem", "/etc/popper/wrong-ca.pem"
CLEAR, STLS, TLS = "clear", "stls", "tls"
PORTS = {CLEAR: 110, STLS: 110, TLS: 995}
LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or random.randrange(1 << 32))
KEPT = "/home/keep/own.pem"     # alice's certificate, with its key
TICKET = "/home/keep/ticket"    # and a ticket of hers
TOKEN = None                    # and a token
KEYTAB = "gssapi_keytab = /etc/popper/keytab\n"

CONFIGURED = """peer_check = no
auth = file
utf8_messages = as-is
listen = 127.0.0.1:110
listen = 127.0.0.1:995 tls
tls_certificate = /etc/popper/cert.pem key=/etc/popper/key.pem
max_sessions_per_address = 1000
"""
MECHANISMS = """sasl_mechanisms = plain login cram-md5 scram-sha-256 scram-sha-1
recoverable_secrets = yes
oauth_issuer = %s
oauth_audience = mail
oauth_jwks = /etc/popper/jwks.json
tls_client_ca = clients.pem
tls_client_users = client-users
metrics = 127.0.0.1:9110
""" % oauth.ISSUER + KEYTAB

# One host for all of them: to make one takes longer than to fetch mail.
HOST = None


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def certificates(host):
    """Two authorities, and what the first one says of the server."""
    with tempfile.TemporaryDirectory() as folder:
        new = ("-nodes", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-days", "30")
        for name in ("ca", "wrong-ca"):
            openssl("req", "-x509", *new, "-subj", "/CN=" + name, "-addext",
                    "keyUsage=critical,keyCertSign,cRLSign", "-keyout",
                    "%s/%s.key" % (folder, name), "-out",
                    "%s/%s.pem" % (folder, name))
        openssl("req", *new[:5], "-subj", "/CN=" + NAME, "-keyout",
                folder + "/key.pem", "-out", folder + "/request")
        with open(folder + "/names", "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:%s,IP:127.0.0.1\n" % NAME)
        openssl("x509", "-req", "-in", folder + "/request", "-CA",
                folder + "/ca.pem", "-CAkey", folder + "/ca.key", "-days",
                "30", "-extfile", folder + "/names", "-out",
                folder + "/cert.pem")
        for name, mode in (("ca", 0o644), ("wrong-ca", 0o644),
                           ("cert", 0o644), ("key", 0o600)):
            with open("%s/%s.pem" % (folder, name), encoding="ascii") as f:
                host.write("/etc/popper/%s.pem" % name, f.read(), mode)


def credentials(host):
    """A token for alice, a certificate and a ticket: what else she logs in with."""
    global TOKEN
    with tempfile.TemporaryDirectory() as folder:
        key = oauth.Key("one", folder + "/key")
        TOKEN = key.token("alice")
    host.write("/etc/popper/jwks.json", json.dumps({"keys": [key.jwk]}))
    ca = Authority("Clients")
    unittest.addModuleCleanup(ca.close)
    own = ca.make("Alice")
    host.write("/etc/popper/clients.pem", ca.pem)
    host.write("/etc/popper/client-users",
               "alice %s\n" % fingerprint(own[0]))
    host.write(KEPT, "".join(own), 0o600, "reader")
    services = ["pop/" + NAME, "pop/" + HOSTNAME]
    realm = kdc.Kdc(host, {kdc.REALM: [
        "addprinc -pw x alice", *("addprinc -randkey " + s for s in services),
        "ktadd -k /etc/popper/keytab " + " ".join(services)]})
    unittest.addModuleCleanup(realm.stop)
    realm.ticket("alice", TICKET)
    host.run(["/bin/chown", "reader", TICKET], check=True)


def make_host(module, packages=()):
    """With the clients of this file."""
    global HOST
    known = {p for c in vars(module).values()
             if isinstance(c, type) and issubclass(c, Client) for p in c.packages}
    HOST = Host(packages=[unpack(*sorted(known), *packages)])
    unittest.addModuleCleanup(HOST.close)
    HOST.add_user("alice", 1001, password=PASSWORD)
    HOST.add_user("reader", 1002)
    HOST.mkdir("/home/keep")
    HOST.write("/etc/popper/users", "alice:{PLAIN}%s:1001:1001::/home/alice\n"
               % PASSWORD, 0o600)
    certificates(HOST)
    return HOST


def serve(conf):
    HOST.write(CONF, conf)
    server = Serve(HOST)
    unittest.addModuleCleanup(server.stop)


def setUpModule():
    credentials(make_host(sys.modules[__name__], kdc.PACKAGES))
    print("mechanisms: POPPER_SEED=%d" % SEED)
    serve(CONFIGURED + MECHANISMS)


def configure(text):
    """For who comes from now on."""
    HOST.write(CONF, text)
    HOST.run(["/usr/sbin/popper", "ctl", "reload"], check=True)


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
    ways = (CLEAR, STLS, TLS)
    # APOP, and those of SASL, that it has: what it calls them, None: the same.  One
    # that the server lacks is not asked for.
    mechanisms = {}
    # Its GSSAPI asks for mutual authentication; else it counts under TLS alone.
    mutual = True
    # Messages that this client rewrites in ways of its own, by name: why.
    # They are fetched like the others, but not compared.
    rewrites = {}
    # Those that it does not take at all, nor what comes behind them: why.
    without = {}

    def setUp(self):
        self.host = HOST
        self.way, self.ca = self.ways[0], CA
        self.sasl = self.mechanism = None
        self.lay()

    def lay(self, mail=nasty.NASTY):
        mail = [(name, text) for name, text in mail if name not in self.without]
        self.names = [name for name, _ in mail]
        self.host.spool("alice", nasty.mbox(mail))
        self.sent = spool.messages(self.host.spool("alice"))
        self.assertEqual(len(self.sent), len(mail))
        self.host.run(["sh", "-c", "rm -rf /home/reader/* /home/reader/.??*"],
                      check=True)

    def user(self, argv, env=None, **kw):
        """Run the client as an ordinary user."""
        if self.sasl == "GSSAPI":
            env = {"KRB5CCNAME": "FILE:" + TICKET}
        r = self.host.run(argv, user="reader", timeout=120, env=env, **kw)
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
        for name, m, mine in zip(self.names, self.sent, got):
            if name in self.rewrites:
                continue
            want = self.expected(m.wire)
            if digest(want) != digest(mine):
                faults.append("%s (%d octets, not %d): at %d want %r, got %r"
                              % (name, len(mine), len(want),
                                 *first_difference(want, mine)))
        if faults:
            self.fail("\n" + "\n".join(faults))

    def port(self):
        return PORTS[self.way]

    def test_secured(self):
        for self.way in self.ways[1:]:
            with self.subTest(self.way):
                self.lay()
                self.compare(self.fetch(keep=True))

    def lay_mda(self):
        """A delivery agent that makes a file of each message.  A child that ends
        before getmail waits for it, it waits for in vain."""
        self.host.write("/home/reader/mda", "#!/bin/sh\n"
                        "until grep -q '^State:.S' /proc/$PPID/status\n"
                        "do sleep 0.01; done\nn=$(ls ~/in | wc -l)\n"
                        "exec cat > ~/in/$(printf %03d $n)\n", 0o755)

    def offered(self):
        with Pop(self.host.connect(110)) as pop:
            _, lines = pop.multi("CAPA")
        apop = ["APOP"] if pop.greeting.endswith(b">") else []
        return apop + re.search(rb"(?m)^SASL (.*)\r$",
                                lines).group(1).decode().split()

    def ways_of(self, mechanism, offered, chance):
        """A certificate is for who is under TLS; and of what was said before STLS
        nothing counts, the timestamp of APOP neither."""
        never = [("APOP", STLS), ("EXTERNAL", CLEAR)]
        if not self.mutual:
            never += [("GSSAPI", CLEAR)]
        ways = [w for w in self.ways if mechanism in [*offered, "EXTERNAL"] and
                (mechanism, w) not in never]
        return ways if LONG or not ways else [chance.choice(ways)]

    def test_mechanisms(self):
        chance = random.Random("%d %s" % (SEED, type(self).__name__))
        offered = self.offered()
        for name, its_name in self.mechanisms.items():
            for self.way in self.ways_of(name, offered, chance):
                with self.subTest(mechanism=name, way=self.way):
                    self.fetch_by(name, its_name or name)

    def fetch_by(self, name, its_name):
        self.lay(nasty.NASTY[:2])
        before = self.logins(name), self.logins()
        self.sasl, self.mechanism = name, its_name
        self.compare(self.fetch(keep=True))
        by_it, all_of_them = self.logins(name), self.logins()
        # Nor has it tried another one.
        self.assertGreater(by_it, before[0])
        self.assertEqual(by_it - before[0], all_of_them - before[1])

    def logins(self, mechanism=""):
        """How many popper has counted, good or bad, of this mechanism or all."""
        with self.host.connect(9110) as sock:
            sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        return sum(int(n) for method, n in re.findall(
            r'(?m)^popper_logins_total{.*method="([^"]*)".*} (\d+)', text)
                   if not mechanism or method == mechanism.lower())

    def test_fetch_and_keep(self):
        self.compare(self.fetch(keep=True))
        left = spool.messages(self.host.spool("alice"))
        self.assertEqual([without_status(m.disk) for m in left],
                         [without_status(m.disk) for m in self.sent])

    def test_fetch_and_delete(self):
        self.compare(self.fetch(keep=False))
        self.assertEqual(self.host.spool("alice"), b"")


class Thorough(Client):
    """What the long run has besides."""

    def test_wrong_authority(self):
        """They do verify."""
        self.ca = WRONG_CA
        for self.way in set(self.ways) - {CLEAR}:
            with self.subTest(self.way):
                self.lay()
                with self.assertRaises((AssertionError, OSError)):
                    self.compare(self.fetch(keep=True))


def response(mechanism):
    """AUTH in one line, for clients that know nothing of it."""
    said = {"PLAIN": "\0alice\0" + PASSWORD, "EXTERNAL": "",
            "OAUTHBEARER": "n,a=alice,\1auth=Bearer %s\1\1" % TOKEN,
            "XOAUTH2": "user=alice\1auth=Bearer %s\1\1" % TOKEN}[mechanism]
    return "AUTH %s %s" % (
        mechanism, base64.b64encode(said.encode()).decode() or "=")


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
              min(len(a), len(b)))
    start = max(0, at - 30)
    return at, a[start:at + 40], b[start:at + 40]


class Suspicious(Thorough if LONG else Client, unittest.TestCase):
    """Our own client, which also checks sizes, stuffing and line ends."""

    def expected(self, wire):
        return wire

    ways = (CLEAR,)         # tests/tls has it under TLS

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


class Curl(Thorough if LONG else Client, unittest.TestCase):
    """curl gives every octet as it came."""

    packages = ("curl",)
    # It says OAUTHBEARER where it is told XOAUTH2.
    mechanisms = {"APOP": "+APOP", **dict.fromkeys((
        "PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "GSSAPI", "OAUTHBEARER"))}
    mutual = False          # for POP3 it has no way to ask for it (7.88)

    def expected(self, wire):
        return wire

    def argv(self):
        shown = {"EXTERNAL": ["-u", "alice:", "-E", KEPT],
                 "OAUTHBEARER": ["-u", "alice", "--oauth2-bearer", TOKEN],
                 "GSSAPI": ["-u", ":", "--delegation", "none"]}
        return ["curl", "-s", "-S",
                *shown.get(self.mechanism, ["-u", "alice:" + PASSWORD]),
                *{CLEAR: [], STLS: ["--ssl-reqd", "--cacert", self.ca],
                  TLS: ["--cacert", self.ca]}[self.way],
                *(["--login-options", "AUTH=" + self.mechanism]
                  if self.mechanism else [])]

    def url(self, path):
        return "pop3%s://%s/%s" % ("s" if self.way == TLS else "", NAME, path)

    def curl(self, path, *args):
        return self.user([*self.argv(), *args, self.url(path)])

    def fetch(self, keep):
        numbers = [int(line.split()[0]) for line in
                   self.curl("").splitlines()]
        # One process: it keeps the connection from one file to the next.
        files = [a for n in numbers
                 for a in ("-o", "%03d" % n, self.url(n))]
        self.user(["sh", "-c", 'cd ~ && exec "$0" "$@"', *self.argv(),
                   *files])
        got = [data for _, data in self.folder("/home/reader")]
        if not keep:
            # A session each, so the first message goes every time.
            for _ in numbers:
                self.curl("", "-X", "DELE 1", "-I")
        return got


class Fetchmail(Thorough if LONG else Client, unittest.TestCase):
    """fetchmail may add a Received field (off by --invisible), and adds the
    blank line when a message is all header."""

    packages = ("fetchmail",)
    rewrites = dict.fromkeys(
        ("very-long-line", "long-dots", "block-border"),
        "it puts rubbish into lines that are longer than its buffer")
    mechanisms = {"APOP": "apop", "CRAM-MD5": "pop3 auth cram-md5",
                  "GSSAPI": "pop3 auth gssapi"}

    def expected(self, wire):
        return wire if b"\r\n\r\n" in wire else wire + b"\r\n"

    def fetch(self, keep):
        self.lay_mda()
        self.host.write(
            "/home/reader/rc",
            'poll localhost protocol %s no dns username "alice" '
            'password "%s"\n'
            "  no rewrite no mimedecode no dropstatus no stripcr %s\n"
            '  mda "/home/reader/mda"\n'
            % (self.mechanism or "pop3", PASSWORD, "keep" if keep else "no keep"),
            0o600, "reader")
        verify = "--sslcertck --sslcertfile %s " % self.ca
        self.user(["sh", "-c", "mkdir -p ~/in && exec fetchmail -d0 -a "
                   + {CLEAR: "--sslproto '' ",
                      STLS: "--sslproto tls1.2+ " + verify,
                      TLS: "--ssl --service 995 " + verify}[self.way] +
                   "--invisible -f ~/rc -i ~/ids --pidfile ~/pid"])
        return [data for _, data in self.folder("/home/reader/in")]


class Mpop(Thorough if LONG else Client, unittest.TestCase):
    """mpop writes local line ends (a Maildir) and no field of its own when
    received_header is off."""

    packages = ("mpop",)
    mechanisms = dict.fromkeys((
        "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1",
        "SCRAM-SHA-256", "EXTERNAL", "GSSAPI", "OAUTHBEARER", "XOAUTH2"))

    def fetch_by(self, name, its_name):
        """Who can bind SCRAM to TLS, as it can from 1.4.19 on, must when the
        server can: without -PLUS that would be an attack (RFC 5802)."""
        if name.startswith("SCRAM") and self.way != CLEAR and \
                b"-plus" in self.host.run(["mpop", "--version"]).stdout:
            name = its_name = name + "-PLUS"
        super().fetch_by(name, its_name)

    def shown(self):
        if self.mechanism == "EXTERNAL":
            return "tls_cert_file %s\ntls_key_file %s\n" % (KEPT, KEPT)
        return 'password "%s"\n' % (
            TOKEN if "OAUTH" in (self.mechanism or "") else PASSWORD)

    def fetch(self, keep):
        tls = "tls on\ntls_starttls %s\ntls_trust_file %s\n" % (
            "on" if self.way == STLS else "off", self.ca)
        self.host.write(
            "/home/reader/rc",
            'account x\nhost localhost\nport %d\nuser alice\n%s'
            "auth %s\n%sreceived_header off\nkeep %s\n"
            "uidls_file ~/uidls\ndelivery maildir ~/in\n"
            % (self.port(), self.shown(), (self.mechanism or "user").lower(),
               "tls off\n" if self.way == CLEAR else tls,
               "on" if keep else "off"), 0o600, "reader")
        self.user(["sh", "-c", "mkdir -p ~/in/new ~/in/cur ~/in/tmp && "
                   "exec mpop -C ~/rc -a -q"])
        # Names begin with the time; what follows counts up within it.
        return [data for _, data in self.folder("/home/reader/in/new")]


class Getmail(Thorough if LONG else Client, unittest.TestCase):
    """getmail parses each message with Python's email package and prints it
    again: a CR alone becomes a line end, an empty field gets a blank, a
    message that is all header gets a blank line; a Return-Path is added.
    It has GSSAPI for IMAP alone (use_kerberos)."""

    packages = ("getmail6",)
    ways = (CLEAR, TLS)     # it has no STLS
    mechanisms = {"APOP": None}
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
        self.lay_mda()
        self.host.write(
            "/home/reader/rc",
            "[retriever]\ntype = %s\nserver = localhost\nport = %d\n"
            "username = alice\npassword = %s\nuse_apop = %s\n"
            "[destination]\ntype = MDA_external\npath = /home/reader/mda\n"
            "unixfrom = false\n"
            "[options]\nread_all = true\ndelete = %s\ndelivered_to = false\n"
            "received = false\nverbose = 0\n"
            % ("SimplePOP3Retriever" if self.way == CLEAR else
               "SimplePOP3SSLRetriever\nca_certs = " + self.ca, self.port(),
               PASSWORD, "true" if self.mechanism else "false",
               "false" if keep else "true"), 0o600, "reader")
        self.user(["sh", "-c", "mkdir -p ~/in ~/g && "
                   "exec getmail --getmaildir=$HOME/g --rcfile=$HOME/rc"])
        return [data.removeprefix(b"Return-Path: <unknown>\n")
                for _, data in self.folder("/home/reader/in")]


class Poplib(Thorough if LONG else Client, unittest.TestCase):
    """Python's poplib gives lines; it refuses those above 2048 octets unless
    told otherwise.  It has no AUTH: a program that wants it says the lines."""

    mechanisms = dict.fromkeys(("APOP", "PLAIN", "EXTERNAL", "OAUTHBEARER",
                                "XOAUTH2"))

    def expected(self, wire):
        return wire

    def connect(self):
        if self.way == CLEAR:
            return poplib.POP3("127.0.0.1", 110, timeout=60)
        context = ssl.create_default_context(
            cadata=self.host.read(self.ca).decode())
        if self.mechanism == "EXTERNAL":
            with tempfile.NamedTemporaryFile() as f:
                f.write(self.host.read(KEPT))
                f.flush()
                context.load_cert_chain(f.name)
        if self.way == TLS:
            return poplib.POP3_SSL("127.0.0.1", 995, context=context,
                                   timeout=60)
        pop = poplib.POP3("127.0.0.1", 110, timeout=60)
        pop.stls(context)
        return pop

    def fetch(self, keep):
        def body():
            poplib._MAXLINE = 1 << 20
            pop = self.connect()
            if self.mechanism == "APOP":
                pop.apop("alice", PASSWORD)
            elif self.mechanism:
                pop._shortcmd(response(self.mechanism))
            else:
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


class NetPop3(Thorough if LONG else Client, unittest.TestCase):
    """Perl's Net::POP3 gives lines that end with LF; under TLS, as they came."""

    packages = ("perl", "libio-socket-ssl-perl", "libauthen-sasl-perl",
                "libdigest-hmac-perl", "libgssapi-perl")
    mechanisms = dict.fromkeys(("APOP", "PLAIN", "LOGIN", "CRAM-MD5",
                                "EXTERNAL", "GSSAPI"))

    SCRIPT = r"""
use Net::POP3;
use Authen::SASL qw(Perl);
my ($password, $keep, $way, $ca, $mechanism, $own) = @ARGV;
my $shows = $mechanism eq "EXTERNAL";
my $nameless = $shows || $mechanism eq "GSSAPI";
my @tls = (SSL_ca_file => $ca, SSL_verify_mode => 1,
    $shows ? (SSL_cert_file => $own, SSL_key_file => $own) : ());
my $pop = Net::POP3->new("localhost", Timeout => 60,
    $way eq "tls" ? (SSL => 1, @tls) : ()) or die "connect";
if ($way eq "stls") { $pop->starttls(@tls) or die "starttls"; }
my $n;
if ($mechanism eq "APOP") {
	$n = $pop->apop("alice", $password);
} elsif ($mechanism) {
	$pop->auth(Authen::SASL->new(mechanism => $mechanism, callback => {
	    user => $nameless ? "" : "alice", pass => $password })) or die $pop->message;
	$n = ($pop->popstat)[0];
} else {
	$n = $pop->login("alice", $password);
}
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

    def expected(self, wire):
        return lf(wire) if self.way == CLEAR else wire

    def fetch(self, keep):
        self.user(["perl", "-e", self.SCRIPT, PASSWORD, "1" if keep else "",
                   self.way, self.ca, self.mechanism or "", KEPT])
        return [data for _, data in self.folder("/home/reader/in")]


class Neomutt(Thorough if LONG else Client, unittest.TestCase):
    """neomutt fetches into a Maildir, with local line ends; it wants a terminal."""

    packages = ("neomutt",)
    rewrites = {"nul": "it ends a line at a NUL"}
    # SASL has no name among its authenticators: libgsasl takes the best one.
    # Under TLS that is -PLUS, for which it has no binding (20220429), and then
    # it fails; popper.conf(5) tells.  GSSAPI is before all: it has tests of its own.
    mechanisms = {"APOP": None, "OAUTHBEARER": None, "SCRAM-SHA-256": "any"}
    RC = """
set pop_host="pop%s://alice@localhost:%d/" pop_pass="%s" pop_delete=%s
set pop_authenticators="%s" ssl_starttls=%s ssl_force_tls=%s
set ssl_ca_certificates_file=%s certificate_file=""
set pop_oauth_refresh_command="%s"
set mbox_type=Maildir spool_file=~/in folder=~ header_cache=""
set wait_key=no quit=yes sleep_time=0
"""

    def ways_of(self, mechanism, offered, chance):
        return [CLEAR] if mechanism == "SCRAM-SHA-256" else \
            super().ways_of(mechanism, offered, chance)

    @classmethod
    def setUpClass(cls):
        text = HOST.read(CONF).decode()
        cls.addClassCleanup(configure, text)
        configure(text.replace(KEYTAB, ""))

    def add(self, option):
        text = self.host.read(CONF).decode()
        self.addCleanup(configure, text)
        configure(text + option)

    def test_unbound(self):
        """Where -PLUS is not offered it has SCRAM under TLS, too."""
        self.add("channel_binding = no\n")
        for self.way in (STLS, TLS):
            with self.subTest(self.way):
                self.fetch_by("SCRAM-SHA-256", "any")

    def test_tickets(self):
        self.add(KEYTAB)
        for self.way in self.ways_of("GSSAPI", self.offered(), random.Random(SEED)):
            with self.subTest(self.way):
                self.fetch_by("GSSAPI", "any")
        # Offered, and it has no ticket: it tries nothing else.
        with self.assertRaises(AssertionError):
            self.fetch_by("PLAIN", "any")

    def fetch(self, keep):
        def yes(x):
            return "yes" if x else "no"
        self.host.write("/home/reader/rc", self.RC % (
            "s" if self.way == TLS else "", self.port(), PASSWORD,
            yes(not keep), "" if self.mechanism == "any"
            else self.mechanism or "user",
            yes(self.way == STLS), yes(self.way != CLEAR), self.ca,
            "echo " + TOKEN if self.mechanism == "OAUTHBEARER" else ""),
            0o600, "reader")
        self.user(["script", "-qec", "cd ~ && mkdir -p in/new in/cur in/tmp "
                   "none/new none/cur none/tmp && TERM=xterm timeout "
                   "--foreground 100 neomutt -n -F ~/rc -f ~/none "
                   "-e 'push <fetch-mail><quit>'", "/home/reader/terminal"])
        return self.host.call(_by_age, "/home/reader/in/new")


def _by_age(folder):
    """The names say nothing of their order."""
    files = sorted(os.scandir(folder), key=lambda e: e.stat().st_ctime_ns)
    out = []
    for e in files:
        with open(e.path, "rb") as f:
            out.append(f.read())
    return out


class SClient(Thorough if LONG else Client, unittest.TestCase):
    """openssl s_client: all that a session says, at once."""

    packages = ("openssl",)
    ways = (TLS, STLS)
    mechanisms = dict.fromkeys(("PLAIN", "EXTERNAL", "OAUTHBEARER", "XOAUTH2"))

    def expected(self, wire):
        return wire

    def fetch(self, keep):
        n = len(self.sent)
        said = [*([response(self.mechanism)] if self.mechanism else
                  ["USER alice", "PASS " + PASSWORD]),
                *("RETR %d" % i for i in range(1, n + 1)),
                *("DELE %d" % i for i in range(1, n + 1) if not keep), "QUIT"]
        out = self.user(
            ["openssl", "s_client", "-quiet", "-verify_return_error",
             "-verify_quiet", "-CAfile", self.ca, "-verify_hostname", NAME,
             "-connect", "%s:%d" % (NAME, self.port()),
             *(["-cert", KEPT] if self.mechanism == "EXTERNAL" else []),
             *(["-starttls", "pop3"] if self.way == STLS else [])],
            input="".join(line + "\r\n" for line in said).encode())
        replies = re.findall(rb"\+OK[^\n]*\n", out)
        self.assertTrue(out.endswith(replies[-1]))
        texts = re.findall(rb"(?s)\+OK [^\n]*octets[^\n]*\r\n(.*?)\r\n\.\r\n(?=\+OK)",
                           out[out.index(b"+OK", out.index(b"Maildrop") + 1):])
        return [re.sub(rb"(?m)^\.\.", b".", text + b"\r\n") for text in texts]


if __name__ == "__main__":
    unittest.main()
