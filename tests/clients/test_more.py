# SPDX-License-Identifier: ISC
"""More clients, in the ways of test_clients.py: libraries of other languages, of
which each also deletes a part of the mail, and mail programs.  Those that need much
room are for the long run.
"""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import test_clients as base                                     # noqa: E402
from lib import spool                                           # noqa: E402
from lib.popper import Pop                                      # noqa: E402
from test_clients import (CLEAR, LONG, NAME, PASSWORD, STLS, TLS, lf,  # noqa: E402
                          without_status)

FOR_LONG = unittest.skipUnless(LONG, "long run only (make test-long)")
QUOTED = PASSWORD.replace(" ", "%20")


def setUpModule():
    base.make_host(sys.modules[__name__])
    base.serve(base.CONFIGURED)


def from_mbox(host, path):
    return [m.disk for m in spool.messages(host.read(path))]


def without(fields, text):
    return re.sub(rb"(?m)^(?:%s): .*\n" % fields, b"", text)


class Another(base.Thorough if LONG else base.Client):
    """Of mechanisms enough is tried in the other file."""

    test_mechanisms = None

    def environment(self):
        """Who asks OpenSSL for authorities finds this one."""
        return {"SSL_CERT_FILE": self.ca}


class Library(Another):
    """A script, which is told the way, the port, the password, the authorities and
    which messages to delete (none, all, odd).  It makes in/NNN of each message, and
    says `N UIDL`."""

    script = ""
    argv = ()                   # behind which its file stands
    file = "script"
    knows_uidl = True
    expected = staticmethod(lambda wire: wire)

    def talk(self, which):
        self.host.write("/home/reader/" + self.file, self.script, 0o644, "reader")
        out = self.user(["sh", "-c", 'cd ~ && mkdir in && exec "$@"', "sh", *self.argv,
                         self.file, self.way, str(self.port()), PASSWORD, self.ca,
                         which], self.environment())
        return [data for _, data in self.folder("/home/reader/in")], \
            dict(re.findall(rb"(?m)^(\d+) (\S+)\r?$", out))

    def fetch(self, keep):
        return self.talk("none" if keep else "all")[0]

    def test_delete_some(self):
        with Pop(self.host.connect(110)) as pop:
            pop.login("alice", PASSWORD)
            before = pop.uidl()
            pop.quit()
        got, uidl = self.talk("odd")
        self.compare(got)
        if self.knows_uidl:
            self.assertEqual(uidl, {b"%d" % n: uid for n, uid in before.items()})
        left = spool.messages(self.host.spool("alice"))
        self.assertEqual([without_status(m.disk) for m in left],
                         [without_status(m.disk) for m in self.sent[1::2]])
        with Pop(self.host.connect(110)) as pop:
            pop.login("alice", PASSWORD)
            self.assertEqual(list(pop.uidl().values()),
                             [uid for n, uid in before.items() if n % 2 == 0])
            pop.quit()


class Ruby(Library, unittest.TestCase):
    """Ruby's net/pop, which has no STLS."""

    packages = ("ruby",)
    ways = (CLEAR, TLS)
    argv = ("ruby",)
    script = r"""
require "net/pop"
way, port, password, ca, which = ARGV
pop = Net::POP3.new("localhost", port.to_i)
pop.enable_ssl(OpenSSL::SSL::VERIFY_PEER, ca) if way == "tls"
pop.start("alice", password)
pop.each_mail { |m|
  File.binwrite("in/%03d" % m.number, m.pop)
  raise "size" if File.size("in/%03d" % m.number) != m.length
  puts "#{m.number} #{m.uidl}"
  m.delete if which == "all" || (which == "odd" && m.number.odd?)
}
pop.finish
"""


class Tcl(Library, unittest.TestCase):
    """Tcl's package pop3 gives lines with local ends; a CR is one, too.  After STLS it
    wants ciphers that are gone."""

    packages = ("tcl", "tcllib", "tcl-tls")
    ways = (CLEAR, TLS)
    without = dict.fromkeys(("big", "mebibyte", "very-long-line",
                             "block-border"), "they take it seconds")
    argv = ("tclsh",)
    script = r"""
package require pop3
package require tls
lassign $argv way port password ca which
tls::init -cafile $ca -require 1 -ssl2 0 -ssl3 0 -tls1 0 -tls1.1 0
set more {}
if {$way eq "tls"} { set more {-socketcmd tls::socket} }
set c [pop3::open {*}$more localhost alice $password $port]
set n [lindex [pop3::status $c] 0]
puts [pop3::uidl $c]
for {set i 1} {$i <= $n} {incr i} {
	set f [open [format in/%03d $i] wb]
	puts -nonewline $f [lindex [pop3::retrieve $c $i] 0]
	close $f
	if {$which eq "all" || ($which eq "odd" && $i % 2)} { pop3::delete $c $i }
}
pop3::close $c
"""

    @staticmethod
    def expected(wire):
        return re.sub(rb"\r\n?", b"\n", wire)


class PerlClient(Library, unittest.TestCase):
    """Perl's Mail::POP3Client, which has no STLS."""

    packages = ("perl", "libmail-pop3client-perl", "libio-socket-ssl-perl")
    ways = (CLEAR, TLS)
    argv = ("perl",)
    script = r"""
use Mail::POP3Client;
use IO::Socket::SSL;
my ($way, $port, $password, $ca, $which) = @ARGV;
IO::Socket::SSL::set_defaults(SSL_ca_file => $ca, SSL_verify_mode => 1);
my $pop = Mail::POP3Client->new(USER => "alice", PASSWORD => $password, HOST =>
    "localhost", PORT => $port, USESSL => $way eq "tls") or die;
$pop->Alive && $pop->Count >= 0 or die $pop->Message;
for my $i (1 .. $pop->Count) {
	open my $f, ">:raw", sprintf("in/%03d", $i) or die;
	$pop->HeadAndBodyToFile($f, $i) or die;
	close $f;
	print $pop->Uidl($i), "\n";
	$pop->Delete($i) if $which eq "all" || ($which eq "odd" && $i % 2);
}
$pop->Close or die;
"""


class MailBox(Library, unittest.TestCase):
    """Perl's Mail::Box::POP3 parses what it fetches: a field without a body gets a
    blank, a header without one a line behind it, and a blank line before MIME's
    first border goes."""

    packages = ("perl", "libmail-box-pop3-perl", "libio-socket-ssl-perl")
    ways = (CLEAR, TLS)
    argv = ("perl",)
    script = r"""
use Mail::Transport::POP3;
use Mail::Box::POP3;
use Mail::Box::POP3s;
use IO::Socket::SSL;
my ($way, $port, $password, $ca, $which) = @ARGV;
IO::Socket::SSL::set_defaults(SSL_ca_file => $ca, SSL_verify_mode => 1);
my $box = ($way eq "tls" ? "Mail::Box::POP3s" : "Mail::Box::POP3")->new(
    username => "alice", password => $password, server_name => "localhost",
    server_port => $port, access => "rw", keep_dups => 1) or die;
my $i = 0;
for my $m ($box->messages) {
	$i++;
	my $uid = $m->unique;
	open my $f, ">:raw", sprintf("in/%03d", $i) or die;
	$m->print($f);
	close $f;
	print "$i $uid\n";
	$m->delete if $which eq "all" || ($which eq "odd" && $i % 2);
}
$box->close or die;
"""

    @staticmethod
    def expected(wire):
        text = lf(wire)
        header, blank, body = text.partition(b"\n\n")
        return re.sub(rb"(?m)^([A-Za-z-]+:)$", rb"\1 ", header) + \
            (blank + body or b"\n")

    rewrites = {"end-of-mime": "the parts are put together anew",
                "blank-lines-at-end": "the last one goes",
                "only-blank-lines": "the last one goes"}


@FOR_LONG
class Twisted(Library, unittest.TestCase):
    """Twisted's POP3Client, which by itself would say STLS with TLS 1.0 alone."""

    packages = ("python3-twisted",) if LONG else ()
    argv = ("python3", "-W", "ignore")
    script = r"""
import sys
from twisted.internet import defer, endpoints, protocol, reactor, ssl
from twisted.mail.pop3 import AdvancedPOP3Client
way, port, password, ca, which = sys.argv[1:]
with open(ca) as f:
    authority = ssl.Certificate.loadPEM(f.read())
options = ssl.optionsForClientTLS("localhost", authority)

class Client(AdvancedPOP3Client):
    allowInsecureLogin = True
    MAX_LENGTH = 1 << 20
    done = False

    def serverGreeting(self, greeting):
        super().serverGreeting(greeting)
        fetch(self).addErrback(failed).addBoth(
            lambda _: self.transport.loseConnection())

    def connectionLost(self, reason):
        super().connectionLost(reason)
        if not self.done:
            failed(reason)
        reactor.stop()

def failed(why):
    print(why.getErrorMessage(), file=sys.stderr)
    global status
    status = 1

@defer.inlineCallbacks
def fetch(pop):
    if way == "stls":
        yield pop.startTLS(options)
    yield pop.user(b"alice")
    yield pop.password(password.encode())
    uids = yield pop.listUID()
    sizes = yield pop.listSize()
    for i, uid in enumerate(uids):
        lines = yield pop.retrieve(i)
        with open("in/%03d" % (i + 1), "wb") as f:
            assert f.write(b"".join(line + b"\r\n" for line in lines)) == sizes[i]
        print(i + 1, uid.decode())
        if which == "all" or (which == "odd" and i % 2 == 0):
            yield pop.delete(i)
    yield pop.quit()
    pop.done = True

class Factory(protocol.ClientFactory):
    protocol = Client

    def clientConnectionFailed(self, connector, reason):
        failed(reason)
        reactor.stop()

status = 0
if way == "tls":
    reactor.connectSSL("localhost", int(port), Factory(), options)
else:
    reactor.connectTCP("localhost", int(port), Factory())
reactor.run()
sys.exit(status)
"""


@FOR_LONG
class Php(Library, unittest.TestCase):
    """PHP's imap, which is UW's c-client; it ends lines at a NUL, and says STLS with
    TLS 1.0 alone."""

    packages = ("php-imap", "php-cli") if LONG else ()
    ways = (CLEAR, TLS)
    argv = ("sh", "-c", 'exec /usr/bin/php[0-9]* "$@"', "php", "-n", "-d",
            "extension=imap.so")         # the release is in its name
    rewrites = {"nul": "it ends a line at a NUL"}
    knows_uidl = False
    script = r"""<?php
[, $way, $port, $password, $ca, $which] = $argv;
$box = imap_open("{localhost:$port/pop3/" . ($way == "tls" ? "ssl" : "notls") . "}INBOX",
    "alice", $password) or exit(1);
foreach (range(1, imap_num_msg($box)) as $i) {
	file_put_contents(sprintf("in/%03d", $i), imap_fetchheader($box, $i,
	    FT_PREFETCHTEXT | FT_INTERNAL) . imap_body($box, $i, FT_INTERNAL));
	if ($which == "all" || ($which == "odd" && $i % 2))
		imap_delete($box, $i);
}
imap_close($box, CL_EXPUNGE) or exit(1);
imap_errors();
"""


@FOR_LONG
class Java(Library, unittest.TestCase):
    """Jakarta Mail, when it was Java's own."""

    packages = ("default-jdk-headless", "libmail-java") if LONG else ()
    argv = ("java", "-cp",
            "/usr/share/java/javax.mail.jar:/usr/share/java/javax.activation.jar")
    file = "Fetch.java"
    script = r"""
import com.sun.mail.pop3.POP3Folder;
import java.io.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Properties;
import javax.mail.*;
import javax.net.ssl.*;

public class Fetch {
    static SSLSocketFactory factory(String ca) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (InputStream f = new FileInputStream(ca)) {
            store.setCertificateEntry("ca",
                CertificateFactory.getInstance("X.509").generateCertificate(f));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    public static void main(String[] a) throws Exception {
        boolean tls = a[0].equals("tls");
        String name = tls ? "pop3s" : "pop3", mail = "mail." + name + ".";
        Properties p = new Properties();
        p.put(mail + "ssl.checkserveridentity", "true");
        p.put(mail + "ssl.socketFactory", factory(a[3]));
        p.put(mail + "starttls.required", a[0].equals("stls") ? "true" : "false");
        p.put(mail + "starttls.enable", a[0].equals("stls") ? "true" : "false");
        Store store = Session.getInstance(p).getStore(name);
        store.connect("localhost", Integer.parseInt(a[1]), "alice", a[2]);
        POP3Folder box = (POP3Folder)store.getFolder("INBOX");
        box.open(Folder.READ_WRITE);
        for (Message m : box.getMessages()) {
            int i = m.getMessageNumber();
            try (OutputStream f = new FileOutputStream(String.format("in/%03d", i))) {
                m.writeTo(f);
            }
            System.out.println(i + " " + box.getUID(m));
            if (a[4].equals("all") || a[4].equals("odd") && i % 2 == 1)
                m.setFlag(Flags.Flag.DELETED, true);
        }
        box.close(true);
        store.close();
    }
}
"""


class Program(Another):
    """One that puts all into a folder or a file."""

    def expected(self, wire):
        return lf(wire)

    def in_order(self, got):
        """Of who keeps none."""
        def subject(text):
            return re.search(rb"^Subject: (.*?)\r?\n", text, re.M).group(1)
        place = {subject(m.wire): i for i, m in enumerate(self.sent)}
        return sorted(got, key=lambda text: place[subject(text)])


class Fdm(Program, unittest.TestCase):
    """fdm says what comes next before it has the last answer; it puts a field in
    front of each message."""

    packages = ("fdm",)
    rewrites = {"nul": "it ends a line at a NUL"}

    def fetch(self, keep):
        self.host.write(
            "/home/reader/conf", 'account "a" pop3%s server "localhost" port %d '
            'user "alice" pass "%s" %s %s\naction "in" maildir "%%h/in"\n'
            'match all action "in"\n'
            % ("s" if self.way == TLS else "", self.port(), PASSWORD,
               "starttls" if self.way == STLS else "", "keep" if keep else ""),
            0o600, "reader")
        self.user(["sh", "-c", "exec fdm -f ~/conf -l fetch"], self.environment())
        return self.in_order(
            [re.sub(rb"\AReceived: .*\n(?:\t.*\n)*", b"", data)
             for _, data in self.folder("/home/reader/in/new")])


class Nmh(Program, unittest.TestCase):
    """nmh's inc.  It keeps what it fetches whatever it is told, but for -notruncate."""

    packages = ("nmh",)
    without = dict.fromkeys(("very-long-line", "block-border"),
                            "it gives up at a line of 64 KiB")
    rewrites = {"nul": "it ends a line at a NUL",
                "long-dots": "it cuts a line of more than 8 KiB"}

    def fetch(self, keep):
        self.host.write("/home/reader/.mh_profile", "Path: Mail\n", 0o600, "reader")
        self.host.write("/home/reader/.netrc", "machine localhost login alice "
                        'password "%s"\n' % PASSWORD, 0o600, "reader")
        self.user(["sh", "-c", 'mkdir -p ~/Mail/inbox && exec /usr/bin/mh/inc "$@"',
                   "sh", "-silent", "-host", NAME, "-port", str(self.port()),
                   "-user", "alice", "-notruncate" if keep else "-truncate",
                   *{CLEAR: ["-notls"], STLS: ["-tls"],
                     TLS: ["-initialtls"]}[self.way]], self.environment())
        return [data for name, data in self.folder("/home/reader/Mail/inbox")
                if name.isdigit()]

    def folder(self, path):
        return sorted(super().folder(path), key=lambda f: (len(f[0]), f[0]))


class Mutt(Program, unittest.TestCase):
    """mutt fetches into a Maildir; it wants a terminal."""

    packages = ("mutt",)
    rewrites = {"nul": "it ends a line at a NUL"}
    RC = """
set pop_host="pop%s://alice@localhost:%d/" pop_pass="%s" pop_delete=%s
set pop_authenticators=user ssl_starttls=%s ssl_force_tls=%s
set ssl_ca_certificates_file=%s certificate_file="" ssl_verify_dates=yes
set mbox_type=Maildir spoolfile=~/in folder=~ header_cache=""
set wait_key=no quit=yes sleep_time=0
"""

    def fetch(self, keep):
        self.host.write("/home/reader/rc", self.RC % (
            "s" if self.way == TLS else "", self.port(), PASSWORD,
            "no" if keep else "yes", "yes" if self.way == STLS else "no",
            "no" if self.way == CLEAR else "yes", self.ca), 0o600, "reader")
        self.user(["script", "-qec", "cd ~ && mkdir -p in/new in/cur in/tmp "
                   "none/new none/cur none/tmp && TERM=xterm timeout "
                   "--foreground 100 mutt -n -F ~/rc -f ~/none "
                   "-e 'push <fetch-mail><quit>'", "/home/reader/terminal"])
        return self.in_order([data for _, data in
                              self.folder("/home/reader/in/new")])


class SNail(Program, unittest.TestCase):
    """s-nail copies to an mbox."""

    packages = ("s-nail",)
    rewrites = {
        **dict.fromkeys(("empty-body", "blank-lines-at-end", "only-blank-lines"),
                        "the last blank line goes"),
        **dict.fromkeys(("content-length-too-long", "content-length-too-short",
                         "status-present"), "it leaves out what is an mbox's"),
        "from-no-date": "it quotes what may be a From_ line",
        "mixed-ends": "it takes two CRs away"}

    def fetch(self, keep):
        self.user(["s-nail", "-n", "-#", "-S", "v15-compat=yes", "-S",
                   "tls-ca-file=" + self.ca, "-S", "tls-ca-no-defaults", "-S",
                   "tls-verify=strict",
                   *(["-S", "pop3-use-starttls"] if self.way == STLS else []),
                   "-f", "pop3%s://alice:%s@localhost:%d" % (
                       "s" if self.way == TLS else "", QUOTED, self.port())],
                  input=b"copy * /home/reader/box\n" +
                  (b"exit\n" if keep else b"delete *\nquit\n"))
        return from_mbox(self.host, "/home/reader/box")


@FOR_LONG
class Movemail(Program, unittest.TestCase):
    """GNU mailutils' movemail appends to an mbox, with fields of that; STLS it says
    where it is offered."""

    packages = ("mailutils",) if LONG else ()
    ways = (STLS, TLS)
    test_wrong_authority = None         # it believes all
    rewrites = {
        "very-long-line": "it loses octets of a line that is longer than its buffer",
        **dict.fromkeys(("folded", "status-present"), "a field gets a blank"),
        **dict.fromkeys(("quoted-from", "from-inside", "from-no-date"), "it quotes"),
        **dict.fromkeys(("header-only", "empty-body"), "it gets a blank line"),
        "mixed-ends": "it takes two CRs away"}

    def fetch(self, keep):
        self.host.write("/home/reader/conf", "tls-file-checks {}\ntls {\n"
                        "ssl-ca-file %s;\n}\n" % self.ca)
        self.user(["movemail.mailutils", "--config-file=/home/reader/conf",
                   *(["--preserve"] if keep else []),
                   "pop%s://alice:%s@localhost:%d" % (
                       "s" if self.way == TLS else "", QUOTED, self.port()),
                   "/home/reader/box"])
        return [without(rb"X-UID|X-IMAPbase", text) for text in
                from_mbox(self.host, "/home/reader/box")]


@FOR_LONG
class Emacs(Program, unittest.TestCase):
    """Emacs' pop3.el, by which Gnus fetches mail, puts two fields of its own into each
    message of an mbox.  In a batch its STLS asks somebody."""

    packages = ("emacs-nox",) if LONG else ()
    ways = (TLS,)
    rewrites = {**dict.fromkeys(("content-length-too-long",
                                 "content-length-too-short"), "it puts its own behind"),
                "header-only": "it gets a blank line"}
    without = dict.fromkeys(("big", "mebibyte"), "they take it seconds")
    SCRIPT = """
(setq pop3-mailhost "localhost" pop3-port %d pop3-maildrop "alice"
      pop3-password "%s" pop3-password-required nil pop3-stream-type 'ssl
      pop3-leave-mail-on-server %s gnutls-trustfiles '("%s")
      gnutls-verify-error t network-security-level 'low)
(pop3-movemail "~/box")
"""

    def fetch(self, keep):
        self.host.write("/home/reader/script", self.SCRIPT % (
            self.port(), PASSWORD, "t" if keep else "nil", self.ca))
        self.user(["emacs-nox", "--batch", "-Q", "-l", "pop3", "-l",
                   "/home/reader/script"])
        return [without(rb"Content-Length|X-UIDL", text) for text in
                from_mbox(self.host, "/home/reader/box")]


if __name__ == "__main__":
    unittest.main()
