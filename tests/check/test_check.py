# SPDX-License-Identifier: ISC
"""popper check: every mistake is told, each with its place and the fix, and
what is right is not complained about."""

import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.clock import clock_is_kept                             # noqa: E402
from lib.flavour import SANITIZED                               # noqa: E402
from lib.hang import hang_accounts                              # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop                               # noqa: E402

CONF = "/etc/popper/popper.conf"
QUIET = "timeout = 600\nxmit = no\n"
OFFICE = "plaintext_networks = 192.168.0.0/16\n"
MAIL = b"From a@example.org Sat Jan  1 00:00:00 2000\nSubject: x\n\nx\n\n"
FILE = QUIET + "auth = file\nvirtual_user = ann\n"
SCRAM = "4096,c2FsdHNhbHQ=," + ",".join(2 * ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
                                           "GBkaGxwdHh8="])
HASH = "$5$saltsalt$lqhdpDYbZYKfYV2/eZy.OQ8W7TkQNm7YNm2u9wRgKY5"


class Checking(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")
        cls.host.mkdir("/var/lib/popper/empty")

    def setUp(self):
        self.host.call(_tidy)

    def check(self, text, *args, user=None, mode=0o644, owner="root"):
        """Exit status and lines; without TLS and without a network that may do
        without it there would be one more."""
        if "plaintext_networks" not in text:
            text = text.rstrip("\n") + "\n" + OFFICE
        self.host.write(CONF, text, mode, owner)
        r = self.host.run(["/usr/sbin/popper", "check", *args], user=user)
        self.assertEqual(r.stderr, b"")
        return r.returncode, r.stdout.decode().splitlines()

    def complains(self, text, *want, status=78, **kw):
        """Each of want, in order, begins (behind the file) one line, and
        there is no other; a want is (place and severity, a part)."""
        code, lines = self.check(text, **kw)
        self.assertEqual(code, status, lines)
        self.assertEqual(len(lines), len(want) + 1, "\n".join(lines))
        for line, (place, part) in zip(lines, want):
            self.assertTrue(line.startswith(place), line)
            self.assertIn(part, line)
        errors = sum(": error:" in x for x in lines[:-1])
        self.assertIn("%d error" % errors, lines[-1])

    def file(self, path, data="", mode=0o644, owner="root", group=None):
        self.host.write(path, data, mode, owner, group)
        self.addCleanup(self.host.call, os.unlink, path)


class Check(Checking):
    # -- nothing to say ---------------------------------------------------

    def test_a_good_host(self):
        self.complains(QUIET, status=0)

    def test_the_shipped_file(self):
        top = os.path.dirname(os.path.dirname(os.path.dirname(
            os.path.abspath(__file__))))
        with open(top + "/etc/popper.conf", encoding="utf-8") as f:
            text = f.read()
        self.complains(text + "xmit = no\n", status=0)
        # Every row that is commented out there is a row, too.
        rows = [line[1:] for line in text.splitlines()
                if line.startswith("#") and line[1:2].isalpha()
                and " = " in line]
        self.assertGreater(len(rows), 10)
        _, lines = self.check("\n".join(rows))
        self.assertFalse([x for x in lines if "no such option" in x
                          or "does not fit" in x])

    # -- --show -----------------------------------------------------------

    def show(self, word, text):
        self.host.write(CONF, text)
        return self.host.run(["/usr/sbin/popper", "check", word])

    def test_show(self):
        """What the file sets, in the order of the manual page."""
        r = self.show("--show", "auth = file # of ours\ntimeout = 10m\n"
                      "listen = 127.0.0.1:110\nlisten = [::1]:995 tls\n")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        self.assertEqual(r.stdout.decode().splitlines(), [
            "listen = 127.0.0.1:110", "listen = [::1]:995 tls",
            "timeout = 600", "auth = file"])

    def test_show_what_is_wrong(self):
        r = self.show("--show", "xmit = no\ntimeout = soon\n")
        self.assertEqual((r.returncode, r.stdout), (78, b"xmit = no\n"))
        self.assertIn(b":2: error: timeout", r.stderr)

    def test_show_all(self):
        """A file that sets all of it means what an empty one does."""
        r = self.show("--show-all", "")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        rows = r.stdout.decode().splitlines()
        self.assertGreater(len(rows), 80)
        self.assertTrue(all(row[0] == "#" for row in rows))
        text = "".join(row[1:] + "\n" for row in rows)
        again = self.show("--show", text)
        self.assertEqual(again.stdout.decode(), text)
        self.assertEqual((again.returncode, again.stderr), (0, b""))

    def test_no_file_at_all(self):
        self.host.call(os.unlink, CONF)
        r = self.host.run(["/usr/sbin/popper", "check"])
        out = r.stdout.decode().splitlines()
        self.assertEqual(r.returncode, 0, out)
        self.assertIn("not there, the defaults hold", out[-2])
        self.assertIn("STD 53", out[0])

    def test_help_and_usage(self):
        r = self.host.run(["/usr/sbin/popper", "check", "--help"])
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        self.assertIn(b"usage: popper check", r.stdout)
        for args in (["-T", "5"], ["--confg", "x"], ["x"], ["--config"]):
            r = self.host.run(["/usr/sbin/popper", "check", *args])
            self.assertEqual((r.returncode, r.stdout), (64, b""), args)
            self.assertIn(b"popper check: ", r.stderr)

    def test_help_of_every_command(self):
        """Its own, with its own words."""
        for word, flag in (("", b" -T "), ("serve", b" -T "), ("recover", b"--quick"),
                           ("check", b"--quick"), ("passwd", b"--delete"),
                           ("bulletin", b"--dir"), ("ctl", b"--json"),
                           ("uidl", b"--from")):
            r = self.host.run(["/usr/sbin/popper", *word.split(), "--help"])
            self.assertEqual((r.returncode, r.stderr), (0, b""), word)
            self.assertTrue(r.stdout.startswith(
                ("usage: popper " + word).rstrip().encode() + b" "), word)
            self.assertIn(flag, r.stdout, word)
        r = self.host.run(["/usr/sbin/popper", "--version"])
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        self.assertRegex(r.stdout, rb"\Apopper \d+\.\d+")
        self.assertIn(b"PostgreSQL", r.stdout)

    def test_wrong_word(self):
        """Is told where it was typed, a terminal or not."""
        self.host.write(CONF, QUIET)
        for args in (["chekc"], ["-z"], ["-T", "soon"], ["-b"]):
            r = self.host.run(["/usr/sbin/popper", *args])
            self.assertEqual((r.returncode, r.stdout), (64, b""), args)
            self.assertRegex(r.stderr, rb"\Apopper: .*\n\Z", args)

    def test_settings_with_which_nobody_is_served(self):
        """popper serve does not start, rather than listen for nobody."""
        for row, why in (("front_user = nobody-here", b"nobody-here"),
                         ("auth_user = nobody-here", b"nobody-here"),
                         ("auth_user = _popfront", b"the uid of front_user"),
                         ("log = file", b"conf:4: log: file needs log_file")):
            self.host.write(CONF, QUIET + "listen = 127.0.0.1:1\n" + row)
            r = self.host.run(["/usr/sbin/popper", "serve"])
            self.assertEqual(r.returncode, 78, row)
            self.assertRegex(r.stderr, rb"\Apopper: .*" + why, row)
        self.host.write(CONF, QUIET + "front_user = nobody-here\n")
        r = self.host.run(["/usr/sbin/popper"])         # as inetd does
        self.assertEqual((r.returncode, r.stdout), (78, b""))

    def test_named_file_is_missing(self):
        r = self.host.run(["/usr/sbin/popper", "check", "--config",
                           "/etc/popper/none"])
        self.assertEqual(r.returncode, 78)
        self.assertIn(b"/etc/popper/none: error: the configuration file "
                      b"/etc/popper/none cannot be read", r.stdout)

    # -- what is missed at run time alone ---------------------------------

    def without(self, library):
        path = self.host.call(_hide, library)
        self.addCleanup(self.host.call, _show, path)

    def test_library_of_metrics(self):
        metrics = QUIET + "metrics = 127.0.0.1:9110\n"
        self.complains(metrics, status=0)
        self.without("libmicrohttpd.so.12")
        self.complains(QUIET, status=0)
        self.complains(metrics, (CONF + ":3: warning: metrics: there will be "
                                 "none: ", "install libmicrohttpd12"), status=0)

    def test_library_of_loops(self):
        self.without("libevent_core-2.1.so.7")
        self.complains(QUIET, (CONF + ": error: listen: popper serve cannot "
                               "begin: ", "libevent_core"))

    def test_library_of_names(self):
        self.without("libcares.so.2")
        self.complains(QUIET, (CONF + ": warning: peer_check: there will be none",
                               "libcares.so.2"), status=0)
        self.complains(QUIET + "peer_check = no\n", status=0)

    @unittest.skipIf(SANITIZED, "sanitizers are linked with it")
    def test_library_of_hashes(self):
        self.without("libcrypt.so.1")
        self.assertTrue(any("auth: nobody can log in:" in x and "libcrypt.so.1"
                            in x for x in self.check(FILE)[1]))

    def test_library_of_keyed_hashes(self):
        self.without("libsodium.so.23")
        self.complains(QUIET, status=0)
        cached = QUIET + "auth_cache_pam = yes\n"
        self.complains(cached, (CONF + ": warning: auth_cache_ttl: no password "
                                "is remembered", "libsodium.so.23"), status=0)
        self.complains(cached + "auth_cache_ttl = 0\n", status=0)
        self.complains(QUIET + "app_passwords = yes\n",
                       (CONF + ":3: error: app_passwords: nobody can log in",
                        "libsodium.so.23"))

    def test_library_of_pam(self):
        self.without("libpam.so.0")
        self.complains(QUIET, (CONF + ": error: auth: nobody can log in:",
                               "libpam.so.0"))

    def test_groups(self):
        self.complains(QUIET + "ctl_group = mail\ngids_denied = mail 7 adm\n",
                       status=0)
        self.complains(QUIET + "ctl_group =\n", status=0)
        self.complains(
            QUIET + "ctl_group = nosuch\ngids_denied = mail shadwo 0\n",
            (CONF + ":3: warning: ctl_group: there is no group nosuch",
             "root's alone"),
            (CONF + ":4: warning: gids_denied: there is no group shadwo",
             "nobody is refused"), status=0)

    def test_folders_of_sockets(self):
        self.complains(QUIET + "ctl_socket = /run/popper/c\n"
                       "metrics = /run/m\nlog_file = /var/log/p\nlog = file\n",
                       status=0)
        self.complains(
            QUIET + "ctl_socket = /none/c\nmetrics = /etc/passwd/m\n"
            "log = file\nlog_file = /none/p\n",
            (CONF + ":3: warning: ctl_socket: /none/c cannot be made: ", "/none"),
            (CONF + ":4: warning: metrics: /etc/passwd/m cannot be made: "
             "/etc/passwd is not a folder", ""),
            (CONF + ":6: warning: log_file: /none/p cannot be made: ", "/none"),
            status=0)

    # -- values -----------------------------------------------------------

    def test_all_at_once(self):
        self.complains(
            "timeout = 10 minutes\n# fine\nbulletin = /x\nxmit = maybe\n"
            "auth = pan\nxmit = no\n",
            (CONF + ":1: error: timeout:", "such as 600 or 10m"),
            (CONF + ":3: warning: bulletin:", 'did you mean "bulletins"'),
            (CONF + ":4: error: xmit:", "yes or no"),
            (CONF + ":5: error: auth:", 'write pam, file, or ID:TYPE:PLACE'),
            (CONF + ": warning: timeout:", "STD 53 section 3"))

    def test_timeout(self):
        self.complains("xmit = no\ntimeout = 300\n",
                       (CONF + ":2: warning: timeout: 300 seconds;",
                        "timeout = 600"), status=0)

    def test_of_no_effect_in_one_process(self):
        rows = ("front_user = ann", "auth_user = ann", "chroot_dir = /x",
                "fronts = 1", "auth_workers = 1", "auth_timeout = 9",
                "auth_cache_ttl = 1", "auth_cache_size = 1",
                "auth_cache_pam = no", "max_strangers = 2",
                "max_sessions_per_user = 2", "xclient_networks = 192.0.2.1",
                "peer_check = no", "peer_check_timeout = 1",
                "name_servers = 192.0.2.1", "ctl_socket = /x/ctl",
                "ctl_group = users", "metrics = 127.0.0.1:9110")
        text = QUIET + OFFICE + "".join(row + "\n" for row in rows)
        for single in (False, True):
            self.host.write(CONF, text + "isolation = single\n" * single)
            said = self.host.run(["/usr/sbin/popper", "check"]).stdout.decode()
            for row in rows:
                self.assertEqual("warning: %s: has no effect with isolation = "
                                 "single; remove the line\n" % row.split()[0]
                                 in said, single, row)

    def test_combinations(self):
        for text, want in (
                ("isolation = single\n",
                 [(CONF + ":3: error: isolation: single cannot ask PAM", ""),
                  (CONF + ":3: error: isolation: single is for", "root")]),
                ("uid_min = 500\nuid_max = 400\n",
                 [(CONF + ":3: error: uid_min: 500 is above", "exchange")]),
                ("max_sessions = 5\n",
                 [(CONF + ": warning: max_sessions_per_address:", "5")]),
                ("max_sessions = 30\nmax_sessions_per_user = 40\n",
                 [(CONF + ":4: warning: max_sessions_per_user: 40 is more",
                   "30")]),
                ("max_sessions_per_network = 19\n",
                 [(CONF + ":3: warning: max_sessions_per_network: 19 has no "
                   "effect", "max_sessions_per_address, 20")]),
                ("auth_tries = 60\n",
                 [(CONF + ": warning: max_commands_before_login: 100 is too",
                   "124 or more")]),
                ("max_bad_commands = 200\n",
                 [(CONF + ":3: warning: max_bad_commands: 200 has no effect",
                   "100")]),
                ("sessions_per_process = 9\n",
                 [(CONF + ":3: warning: sessions_per_process: has no effect "
                   "with auth = pam", "")]),
                ("auth_user = _popfront\n",
                 [(CONF + ":3: warning: auth_user: it has the uid of "
                   "front_user, 990", "an account for each")]),
                ("deny_file =\n", []),
                ("expire = 0\n", [(CONF + ":3: warning: expire: 0 tells",
                                   "expire_delete = yes")]),
                ("expire_delete = yes\n",
                 [(CONF + ":3: warning: expire_delete: has no effect",
                   "expire = 90")]),
                ("expire = 0\nexpire_delete = yes\n",
                 [(CONF + ":4: warning: expire_delete: each message that was "
                   "fetched is DELETED", "")]),
                ("expire = 7\nexpire_delete = yes\nexpire_clock = any\n",
                 [(CONF + ":4: warning: expire_delete: each QUIT DELETES all "
                   "mail of that user that is older than 7 days, which is "
                   "less than a holiday, read or not", "")]),
                ("expire_clock = any\n",
                 [(CONF + ":3: warning: expire_clock: has no effect", "")]),
                ("expire = 400\nexpire_delete = yes\n",
                 ([] if clock_is_kept() else [
                     (CONF + ": warning: expire_clock: the kernel does not "
                      "say that a time service", "expire_clock = any")]) +
                 [(CONF + ":4: warning: expire_delete: each QUIT", "")]),
                ("expire = 400\nexpire_delete = yes\nexpire_clock = any\n",
                 [(CONF + ":4: warning: expire_delete: each QUIT DELETES all "
                   "mail of that user that is older than 400 days, read or "
                   "not", "")]),
                ("expire = 030\n", [(CONF + ":3: error: expire: ", "0")]),
                ("expire = 40000\n", [(CONF + ":3: error: expire: ", "0")]),
                ("log = file\n", [(CONF + ":3: error: log:", "log_file")]),
                ("log = journal\nlog_format = json\n",
                 [(CONF + ":4: warning: log_format: has no effect", ""),
                  (CONF + ": warning: journal_socket: /run/systemd/journal/"
                   "socket: no log daemon", "")]),
                ("listen = *:110\nlisten = *:110\n",
                 [(CONF + ":4: error: listen:", "twice")]),
                ("listen = *:110 [::1]:1\nlisten = *:2 [::1]:1 *:2\n",
                 [(CONF + ":4: error: listen: [::1]:1 is there twice", ""),
                  (CONF + ":4: error: listen: *:2 is there twice", "")]),
                ("listen = 127.0.0.1:110\nlisten = *:110 :110 [::1]:1\n",
                 [(CONF + ":4: warning: listen: *:110 and 127.0.0.1:110 exclude "
                   "each other", "does not start"),
                  (CONF + ":4: error: listen: :110 is there twice", "")]),
                ("listen = 127.0.0.1:0 127.0.0.1:0\n", []),
                ("listen = 192.0.2.9:110\n",
                 [(CONF + ":3: warning: listen: popper serve cannot listen at "
                   "192.0.2.9:110 (192.0.2.9: Cannot assign", "comes later")]),
                ("".join("listen = *:%d *:%d\n" % (n, n + 50)
                         for n in range(1, 10)),
                 [(CONF + ":11: warning: listen: there are 36 addresses",
                   "32, does not start")]),
                ("listen = *:110 proxi\nlisten = *:111\n",
                 [(CONF + ':3: error: listen: "*:110 proxi" does not fit',
                   'networks=... or max_per_address=N, for "proxi"')]),
                ("listen = *:110 networks=10.0.0.1/8\n",
                 [(CONF + ":3: error: listen:", "write 10.0.0.0/8: there is "
                   'more than 8 bits in "10.0.0.1/8"')]),
                ("listen = *:110\nlisten = *:1110 proxy\nlisten = *:111\n",
                 [(CONF + ":4: error: listen: proxy, but nobody",
                   "proxy_networks = ")]),
                ("proxy_networks = 10.0.0.1\n",
                 [(CONF + ":3: warning: proxy_networks: has no effect",
                   "listen = *:110 proxy")]),
                ("xclient_networks = 10.0.0.1 10.0.0\n",
                 [(CONF + ":3: error: xclient_networks:",
                   'for "10.0.0"')]),
                ("xclient_networks = ::1\nxclient_networks = ::/0\n",
                 [(CONF + ":4: warning: xclient_networks: ::/0 is everybody",
                   "")]),
                ("access = deny user=ann\naccess = deny netwerk=::1\n",
                 [(CONF + ":4: error: access:", "network=")]),
                ("access = deny\naccess = allow group=no-such-group\n",
                 [(CONF + ":4: warning: access: a line before", ""),
                  (CONF + ":4: warning: access: there is no group",
                   "no-such-group")]),
                ("access = deny db=pam\naccess = deny db=file\n",
                 [(CONF + ":4: warning: access: auth has no database file",
                   "")]),
                ("master_users = /nonexistent\n",
                 [(CONF + ":3: error: master_users:", "nobody can log in")]),
                ("master_separator = @\n",
                 [(CONF + ":3: error: master_separator:", "one of *")]),
                ("allow_file = /nonexistent\n",
                 [(CONF + ":3: error: allow_file:", "nobody can log in")]),
                ("passwd_file = /x\n",
                 [(CONF + ":3: warning: passwd_file: has no effect", "")]),
                ("debug = yes\n", [(CONF + ":3: warning: debug:", "")])):
            with self.subTest(text):
                self.complains(QUIET + text, *want, status=78 if any(
                    ": error:" in place for place, _ in want) else 0)

    def test_sessions_that_share(self):
        """What it costs, or what makes it useless."""
        self.file("/etc/popper/users", "joe:%s:5000:5000::::\n" % HASH, 0o600)
        rows = QUIET + "auth = file\nsessions_per_process = 9\n"
        for more, text in (("", "up to 9 sessions share a process: a client "
                            "that takes it over can read the mail of all who "
                            "are logged in there"),
                           ("auth = pam\n", "up to 9 sessions share a process"),
                           ("status_headers = no\n", "has no effect with "
                            "status_headers = no")):
            with self.subTest(more):
                self.complains(rows + more, (
                    CONF + ":4: warning: sessions_per_process: " + text, ""),
                    status=0)

    def test_xmit(self):
        self.file("/etc/popper/users", "joe:%s::::::\n" % HASH, 0o600)
        self.file("/usr/sbin/sendmail", "#!/bin/sh\n", 0o755)
        text = FILE.replace("xmit = no\n", "")
        self.complains(text, (CONF + ": warning: xmit:", "xmit_sender"),
                       status=0)
        self.complains(text + "xmit_sender = %u@example.org\n", status=0)

    def test_xmit_without_a_program(self):
        self.complains(
            "timeout = 600\nxmit_command = /usr/sbin/nothing\n",
            (CONF + ":2: warning: xmit_command: /usr/sbin/nothing", "XMIT"),
            status=0)

    # -- files ------------------------------------------------------------

    def test_configuration_file(self):
        self.complains(QUIET, (CONF + ": error: " + CONF + " has mode 0666",
                               "chmod go-w"), mode=0o666)
        self.complains(QUIET, (CONF + ": error: " + CONF + " belongs to uid",
                               "chown root"), owner="ann")

    def test_its_folder(self):
        self.host.call(os.chmod, "/etc/popper", 0o777)
        self.complains(QUIET, (CONF + ": error: the folder of", "0777"))

    def test_passwd_file(self):
        path = "/etc/popper/users"
        self.complains(FILE, (CONF + ": error: passwd_file:",
                              "popper passwd USER"))
        self.file(path, "joe:%s::::::\n" % HASH, 0o600)
        self.complains(FILE, status=0)
        self.complains(FILE.replace("virtual_user = ann\n", ""),
                       (path + ":1: error:", "virtual_user"))
        self.host.write(path, "# a\n\njoe:*::::::\nnonsense\n", 0o644)
        self.complains(FILE, (CONF + ": error: passwd_file:", "chmod o="),
                       (path + ":4: error:", "user:password:uid:gid"))

    def test_secrets(self):
        """What the mechanisms need that are named, and who has it."""
        on, cram, scram = ("recoverable_secrets = yes\n",
                           "sasl_mechanisms = plain cram-md5\n",
                           "sasl_mechanisms = plain scram-sha-256\n")
        path, where = "/etc/popper/users", "%s:%d: warning: %s:"
        n = FILE.count("\n") + 1
        secrets = where % (CONF, n, "recoverable_secrets")
        words = where % (CONF, n, "sasl_mechanisms")
        self.file(path, "joe:%s::::::\nann:%s::::::\noff:*::::::\n"
                  % (HASH, HASH), 0o600)
        self.complains(FILE + cram, (words, "recoverable_secrets = yes"),
                       status=0)
        self.complains(FILE + scram, (words, "2 users (joe first)"), status=0)
        self.complains(FILE + on, (secrets, "no user has"), status=0)
        self.host.write(path, "joe:{PLAIN}x::::::\nann:%s::::::\n" % HASH, 0o600)
        self.complains(FILE + on, (secrets, "who can read"), status=0)
        self.complains(FILE + scram, (words, "1 user (ann)"), status=0)
        self.complains(FILE + on + cram, (secrets, "who can read"), (
            where % (CONF, n + 1, "sasl_mechanisms"), "1 user (ann)"), status=0)
        self.complains(QUIET + scram, (
            where % (CONF, QUIET.count("\n") + 1, "sasl_mechanisms"),
            "auth = pam"), status=0)
        self.complains(QUIET + "sasl_mechanisms = plain gssapi\n", (
            "%s:%d: error: sasl_mechanisms:" % (CONF, QUIET.count("\n") + 1),
            "options of their own"))
        self.complains(FILE + on + "app_passwords = only\n",
                       (where % (CONF, n + 1, "app_passwords"), "nobody can"),
                       (secrets, "app_passwords = only"), status=0)
        self.host.write(path, "joe:{PLAIN}x::::::\n", 0o600)
        self.complains(FILE + scram, status=0)

    def test_rows_of_the_passwd_file(self):
        """A login is refused (tests/auth, check_test.c) for each of these."""
        bad = [("odd:{ODD}x", "unknown password scheme"),
               ("blank: {PLAIN}x", "not a usable hash"),
               ("sha:{SHA512-CRYPT}" + HASH, "not a hash of {SHA512-CRYPT}"),
               ("scr:{SCRAM-SHA-1}" + SCRAM, "not a usable SCRAM secret"),
               ("cost:$2b$99$abcdefghijklmnopqrstuu", "not a usable hash"),
               (" lead:{PLAIN}x", "no user can have this name"),
               ("joe.lock:{PLAIN}x", "no user can have this name"),
               ("dir:{PLAIN}x::::::userdb_mail=sdbox:/m", "no path of"),
               ("idx:{PLAIN}x::::::userdb_mail=mbox:/m:INDEX=/i", "INDEX"),
               ("off:{PLAIN}x::::::userdb_mail=/srv/50%off", "%o"),
               ("home:{PLAIN}x::::::userdb_mail=%h", "userdb_mail"),
               ("hom2:{PLAIN}x::::::userdb_mail=/m/%h", "no home folder"),
               ("rel:{PLAIN}x::::home", "home is no absolute path"),
               ("nets:{PLAIN}x::::::allow_nets=::1", "allow_nets"),
               ("uid:{PLAIN}x:12x:1000", "no number"),
               ("slow:{PLAIN}x::::::login_delay=1m", "no number of seconds"),
               ("low:{PLAIN}x:999:1000", "uid 999 is not in 1000..60000"),
               ("root:{PLAIN}x:0:0", "uid 0 is not"),
               ("gid:{PLAIN}x:1000:27", "gid 27 is below"),
               ("nogid:{PLAIN}x:1000:", "gid 0 is below"),
               ("shut:!:1000:27", "gid 27 is below")]
        good = ["ann:%s" % HASH, "bob:{PLAIN}x:1000:1000::/home/bob:/bin/sh:",
                "shut:*", "off:!$6$x", "gone:{PLAIN}x::::::nologin",
                "in:{PLAIN}x::::::userdb_mail=mbox:~/m:INBOX=/srv/%u",
                "a#b:{CRYPT}" + HASH, "scram:{SCRAM-SHA-256}" + SCRAM, "", "  ", "\r", "# c", "#c:d",
                "cr:*\r"]
        path = "/etc/popper/users"
        rows = [row for row, _ in bad] + good
        self.file(path, "".join(r + "\n" for r in rows), 0o600)
        self.complains(FILE, *[("%s:%d: error:" % (path, i), part)
                               for i, (_, part) in enumerate(bad, 1)])
        self.host.write(path, "joe:*::::::login_delay=60\n", 0o600)
        self.complains(FILE, (path + ":1: warning: login_delay has no effect",
                              "login_delay_max"), status=0)
        self.complains(FILE + "login_delay_max = 1h\n", status=0)
        self.host.write(path, "joe:*\n", 0o600)
        self.complains(FILE + "maildrop = ~/mbox\n",
                       (path + ":1: error: this user has no maildrop",
                        "no home folder"))

    def test_a_hash_that_takes_hours(self):
        """It is told once for all of its kind, and holds up nothing."""
        slow = "$6$rounds=999999999$slow$" + 86 * "x"
        path = "/etc/popper/users"
        rows = "".join("joe%d:%s::::::\n" % (i, slow) for i in range(3))
        self.file(path, "ann:*\n" + rows, 0o600)
        self.complains(FILE, (path + ":2: warning: to hash one password as this "
                              "one takes more than 3 seconds", "fewer rounds"),
                       status=0)

    def test_what_is_no_file(self):
        """Nobody can log in then, and no mode is to be mended."""
        for rows in ("auth = file\npasswd_file", "deny_file", "allow_file",
                     "master_users", "rpop_file", "shells_file",
                     "app_passwords = yes\napp_password_file"):
            with self.subTest(rows):
                option = rows.split("\n")[-1]
                self.complains(QUIET + rows + " = /etc\n",
                               (CONF + ":%d: error: %s: /etc is not a file"
                                % (3 + rows.count("\n"), option), ""))

    def test_nobody_in_the_passwd_file(self):
        self.file("/etc/popper/users", "# none yet\n", 0o600)
        self.complains(FILE, (CONF + ": warning: passwd_file: nobody can log in "
                              "by /etc/popper/users", "popper passwd"), status=0)

    def test_a_pam_service_in_capitals(self):
        """libpam does not know them, and opens the other one."""
        self.complains(QUIET + "pam_service = PopPer\n", status=0)
        self.complains(QUIET + "pam_service = NoSuch\n",
                       (CONF + ":3: error: pam_service: /etc/pam.d/nosuch",
                        "common-auth"))

    def test_a_value_that_is_too_long(self):
        self.complains(QUIET + "hostname = " + 5000 * "x" + "\n",
                       (CONF + ":3: error: hostname: the value is longer than "
                        "4095 octets", ""))

    def test_nowhere(self):
        self.complains(QUIET + "listen =\n", (
            CONF + ":3: warning: listen: popper serve listens nowhere by itself",
            "listen = *:110"), status=0)

    def test_accounts(self):
        self.complains(QUIET + "front_user = nosuch\n",
                       (CONF + ":3: error: front_user:", "adduser"))
        self.complains(QUIET + "front_user = root\n",
                       (CONF + ":3: error: front_user:", "root"))
        self.complains(QUIET + "front_user = 61110\n", status=0)
        self.file("/etc/popper/users", "joe:*::::::\n", 0o600)
        self.complains(FILE.replace("= ann", "= mail"),
                       (CONF + ":4: error: virtual_user:", "uid_min"))
        self.complains(FILE.replace("= ann", "= nosuch"),
                       (CONF + ":4: error: virtual_user:", "name an account"))
        self.complains(FILE.replace("= ann", "= 5000:27"),
                       (CONF + ":4: error: virtual_user:", "gids_denied"))

    def test_other_files(self):
        self.complains(QUIET + "deny_file = /etc/popper/deni\n",
                       (CONF + ":3: error: deny_file:", "does not exist"))
        self.file("/etc/popper/deny", "joe\n", 0o646)
        self.complains(QUIET, (CONF + ": error: deny_file:", "0646"))
        self.host.write("/etc/popper/deny", "")
        self.complains(QUIET + "rpop_file = deny\n", status=0)
        self.complains(QUIET + "rpop_file = nothing\n",
                       (CONF + ":3: error: rpop_file:", "does not exist"))
        self.complains(QUIET + "tls_client_ca = deny\n",
                       (CONF + ": error: tls_client_users:",
                        "does not exist"),
                       (CONF + ":3: warning: tls_client_ca:",
                        "set tls_certificate"))
        self.complains(QUIET + "pam_service = nosuch\n",
                       (CONF + ":3: error: pam_service: /etc/pam.d/nosuch",
                        "common-auth"))
        self.complains(QUIET + "shells_file = /etc/noshells\n",
                       (CONF + ":3: error: shells_file:", "shell_check = no"))

    def test_folders(self):
        self.file("/var/lib/popper/empty/core", "x")
        self.complains(QUIET, (CONF + ": error: chroot_dir:", '"core"'))
        self.host.mkdir("/var/lib/mine", 0o755, "ann")
        self.complains(QUIET + "state_dir = /var/lib/mine\nchroot_dir = "
                       "/var/lib/none\n",
                       (CONF + ":4: warning: chroot_dir:", "makes it"),
                       (CONF + ":3: error: state_dir:", "chown root"))
        self.complains(QUIET + "chroot_dir = /var/none/here\n",
                       (CONF + ":3: error: chroot_dir: /var/none/here cannot be "
                        "made, since /var/none does not exist", ""))
        self.complains(QUIET + "temp_dir = /var/tmp/none\n", (
            CONF + ": error: chroot_dir:", "core"),
            (CONF + ":3: error: temp_dir:", "does not exist"))

    def test_folders_in_which_nothing_can_be_made(self):
        self.host.mkdir("/srv/ro")
        self.addCleanup(self.host.call, os.rmdir, "/srv/ro")
        self.host.run(["mount", "-t", "tmpfs", "-o", "ro,mode=755", "none",
                       "/srv/ro"], check=True)
        self.addCleanup(self.host.run, ["umount", "/srv/ro"], check=True)
        readonly = "Read-only file system"
        for option in ("state_dir", "run_dir", "temp_dir"):
            code, lines = self.check(QUIET + option + " = /srv/ro\n")
            self.assertEqual(code, 78, option)
            self.assertIn(CONF + ":3: error: " + option, lines[0])
            self.assertIn(readonly, lines[0])
        for option in ("state_dir", "run_dir", "chroot_dir"):
            self.complains(QUIET + option + " = /srv/ro/x\n", (
                CONF + ":3: error: " + option + ": /srv/ro/x cannot be made: ",
                readonly))
        self.complains(QUIET + "log = file\nlog_file = /srv/ro/log\n"
                       "ctl_socket = /srv/ro/ctl\n",
                       (CONF + ":5: warning: ctl_socket: /srv/ro/ctl cannot be "
                        "made: ", readonly),
                       (CONF + ":4: warning: log_file: /srv/ro/log cannot be "
                        "made: ", readonly), status=0)

    def test_paths_that_are_too_long(self):
        self.complains(QUIET + "run_dir = /run/" + 100 * "x" + "\n",
                       (CONF + ":3: warning: run_dir: /run/xxx", "makes it"),
                       (CONF + ":3: warning: run_dir: popper ctl will not reach",
                        "set ctl_socket"), status=0)
        self.complains(QUIET + "state_dir = " + 600 * "/x" + "\n",
                       (CONF + ":3: error: state_dir: its path is longer than "
                        "1023 octets", ""))

    def test_sockets_whose_place_is_taken(self):
        self.file("/run/taken")
        for rows, text in (("ctl_socket", "popper serve makes none"),
                           ("metrics", "popper serve makes none"),
                           ("log_socket", "lines are lost"),
                           ("log = journal\njournal_socket", "lines are lost")):
            option = rows.split("\n")[-1]
            self.complains(QUIET + rows + " = /run/taken\n",
                           ("%s:%d: warning: %s: /run/taken is " % (
                               CONF, 3 + rows.count("\n"), option), text),
                           status=0)

    def test_files_of_the_log(self):
        """As popper opens them, but that nothing is made."""
        self.file("/var/lib/log", "", 0o600, "ann")
        self.host.call(os.symlink, "log", "/var/lib/link")
        self.addCleanup(self.host.call, os.unlink, "/var/lib/link")
        for rows in ("trace_file", "log = file\nlog_file"):
            where = "%s:%d: error: %s: popper will not use it: " % (
                CONF, 3 + rows.count("\n"), rows.split("\n")[-1])
            for path, text in (("log", "not ours alone"), ("link", "symbolic link"),
                               ("popper", "Is a directory")):
                self.complains(QUIET + rows + " = /var/lib/" + path + "\n",
                               (where + "/var/lib/" + path, text))
        self.complains(QUIET + "log = file\nlog_file = /var/lib/new\n", status=0)
        self.assertFalse(self.host.exists("/var/lib/new"))
        self.complains(QUIET + "log_file = /var/lib/log\n",
                       (CONF + ":3: warning: log_file: has no effect", ""),
                       status=0)

    def test_folder_of_the_trace_file(self):
        self.complains(QUIET + "trace_file = /var/lib/none/trace\n",
                       (CONF + ":3: warning: trace_file:", "cannot be made"),
                       status=0)

    # -- mail -------------------------------------------------------------

    def test_spool_folder(self):
        self.addCleanup(self.host.call, os.chmod, "/var/mail", 0o2775)
        self.host.call(os.chmod, "/var/mail", 0o755)
        locks = "maildrop: nobody whose mail is in /var/mail can log in"
        self.complains(QUIET, (CONF + ": warning: " + locks,
                               "chown root:mail /var/mail"), status=0)
        self.complains(QUIET + "maildrop_else =\n",
                       (CONF + ": error: " + locks, "chmod 2775 /var/mail"))
        self.file("/var/mail/ann", MAIL, 0o660, "ann")
        self.complains(QUIET, (CONF + ": error: " + locks, "mode 0755"))
        self.complains(QUIET + "maildrop = /var/mail/%1/%u\n",
                       (CONF + ":3: warning: maildrop: the folder /var/mail",
                        "the group mail"), status=0)
        self.host.call(os.chmod, "/var/mail", 0o1777)
        self.complains(QUIET, status=0)
        self.host.call(os.chmod, "/var/mail", 0o777)
        self.complains(QUIET, (CONF + ": error: maildrop:", "everybody"))
        self.complains(QUIET + "maildrop = /var/nosuch/%u\n",
                       (CONF + ":3: error: maildrop:", "/var/nosuch"))
        self.complains(QUIET + "maildrop = /etc/passwd/%u\n",
                       (CONF + ":3: error: maildrop: /etc/passwd is not a "
                        "folder", ""))
        self.complains(QUIET + "maildrop = ~/mbox\n", status=0)

    def test_spool_folder_of_a_user(self):
        """A session has his rights and no others; those of virtual users are one."""
        self.file("/etc/popper/users", "joe:%s::::::\n" % HASH, 0o600)
        self.host.mkdir("/srv/mail", 0o2775, "ann", "mail")
        self.addCleanup(self.host.call, shutil.rmtree, "/srv/mail")
        self.file("/srv/mail/joe", MAIL, 0o660, "ann")
        row = "maildrop = /srv/mail/%u\n"
        self.complains(FILE + row, status=0)
        self.complains(QUIET + row, (CONF + ":3: error: maildrop: nobody whose "
                                     "mail is in /srv/mail can log in",
                                     "chown root:mail /srv/mail"))
        self.complains(FILE.replace("= ann", "= 5000:5000") + row,
                       (CONF + ":5: error: maildrop: nobody whose mail",
                        "chown 5000:5000 /srv/mail"))

    def test_mail_of_an_older_popper(self):
        self.file("/var/mail/.ann.pop", MAIL, 0o600, "ann")
        self.file("/var/mail/.bob.pop", "", 0o600, "ann")
        self.complains(QUIET, (CONF + ": warning: maildrop: /var/mail/.ann.pop",
                               "%d octets of mail of ann" % len(MAIL)),
                       status=0)
        self.host.call(os.symlink, "/etc/passwd", "/var/mail/.eve.pop")
        self.addCleanup(self.host.call, os.unlink, "/var/mail/.eve.pop")
        code, lines = self.check(QUIET)
        self.assertEqual(code, 78)
        self.assertTrue(any("/var/mail/.eve.pop" in x and "error" in x
                            for x in lines))

    def test_in_a_hashed_spool(self):
        for path in ("/var/mail/a", "/var/mail/a/n", "/var/mail/a/n/x"):
            self.host.mkdir(path, 0o2775, "root", "mail")
        self.file("/var/mail/a/n/.ann.pop", MAIL, 0o600, "ann")
        self.file("/var/mail/a/n/x/.too_deep.pop", MAIL, 0o600, "ann")
        self.complains(QUIET + "maildrop = /var/mail/%1/%2/%u\n",
                       (CONF + ":3: warning: maildrop: /var/mail/a/n/.ann.pop",
                        "of ann"), status=0)

    def test_accounts_that_nobody_tells(self):
        """A child asks, which may wait for ever; the rest is judged without."""
        hang_accounts(self, self.host)
        self.host.write(CONF, FILE + "gids_denied = shadwo\n" + OFFICE)
        p = self.host.popen(["/usr/sbin/popper", "check"],
                            stdout=subprocess.PIPE)
        end = time.monotonic() + 120
        kids = []
        while not kids and time.monotonic() < end:
            with open("/proc/%d/task/%d/children" % ((p.inner(),) * 2),
                      encoding="ascii") as f:
                kids = f.read().split()
        os.kill(int(kids[0]), signal.SIGKILL)
        out = p.communicate(timeout=120)[0].decode().splitlines()
        self.assertEqual(p.wait(), 78)
        self.assertRegex(out[0], "error: front_user: whether there is the account "
                         "_popfront: it ended without a word; no account and")
        self.assertRegex(out[1], "error: passwd_file: ")
        self.assertEqual(len(out), 3, out)

    def test_quick(self):
        """What is in the spool and in the folder of journals is not looked at;
        all else is."""
        self.file("/var/mail/.ann.pop", MAIL, 0o600, "ann")
        self.host.mkdir("/var/lib/popper/journal", 0o700)
        self.file("/var/lib/popper/journal/0123-ann", "x", 0o600)
        self.host.write(CONF, FILE + "gids_denied = shadwo\n" + OFFICE)
        for words, seen in (([], 2), (["--quick"], 0)):
            r = self.host.run(["/usr/sbin/popper", "check", *words])
            out = r.stdout.decode()
            self.assertEqual(r.returncode, 78)
            self.assertIn("shadwo", out)
            self.assertEqual(("/var/mail/.ann.pop" in out)
                             + ("1 maildrop in " in out), seen, out)
        r = self.host.run(["/usr/sbin/popper", "check", "--quick", "--show"])
        self.assertEqual(r.returncode, 64)

    def test_names_drive_no_terminal(self):
        """ESC, its twins of eight bits (raw and in UTF-8), and a letter."""
        self.file("/var/mail/.\x1b[2J\udc9b2J\x9b2J\xe9.pop", MAIL, 0o600, "ann")
        self.complains(QUIET, (CONF + ": warning: maildrop: /var/mail/"
                               ".?[2J?2J??2J\xe9.pop:", "octets"), status=0)

    def test_mail_in_two_places(self):
        """Of who was served from his Maildir; his home is not looked at."""
        self.host.mkdir("/var/lib/popper/maildirs", 0o755)
        self.addCleanup(self.host.call, os.rmdir, "/var/lib/popper/maildirs")
        for user in ("ann", "bob", "eve"):
            self.file("/var/lib/popper/maildirs/" + user)
        self.file("/var/mail/ann", MAIL, 0o660, "ann")
        self.file("/var/mail/bob", "", 0o660, "ann")
        self.complains(QUIET, (CONF + ": warning: maildrop_else: 1 user had",
                               "as in /var/mail/ann"),
                       (CONF + ": error: state_dir:", "chmod 700"))
        self.host.call(os.chmod, "/var/lib/popper/maildirs", 0o700)
        self.complains(QUIET + "maildrop_else =\n", status=0)
        self.complains(QUIET + "maildrop = ~/mbox\n", status=0)

    def test_open_journals(self):
        self.host.mkdir("/var/lib/popper/journal", 0o700)
        self.file("/var/lib/popper/journal/1-2-ann", "x", 0o600)
        self.file("/var/lib/popper/journal/owner.1-2-ann", "x", 0o600)
        # A user's name may end in anything.
        self.file("/var/lib/popper/journal/1-2-eve.id", "x", 0o600)
        self.file("/var/lib/popper/journal/reserve", "x", 0o600)
        self.file("/var/lib/popper/journal/1-2-bob", "", 0o600)
        self.file("/var/lib/popper/journal/owner.1-2-bob", "x", 0o600)
        self.complains(QUIET, (CONF + ": warning: state_dir: 2 maildrops in",
                               "popper recover"), status=0)

    def test_kept_journal(self):
        self.host.mkdir("/var/lib/popper/journal", 0o700)
        self.file("/var/lib/popper/journal/kept.1.1-2-ann", "x", 0o600)
        self.complains(QUIET, (CONF + ": warning: state_dir: journal/kept.1.",
                               "then remove it"), status=0)

    def test_our_folders_are_private(self):
        for name in ("journal", "index"):
            path = "/var/lib/popper/" + name
            self.host.mkdir(path, 0o755)
            self.addCleanup(self.host.call, shutil.rmtree, path, True)
            self.complains(QUIET, (CONF + ": error: state_dir: " + path,
                                   "chmod 700 " + path))
            self.host.call(os.chmod, path, 0o700)
            self.complains(QUIET, status=0)
            self.host.call(os.rmdir, path)
        self.file(path, "", 0o600)
        self.complains(QUIET, (CONF + ": error: state_dir: " + path,
                               "is not a folder"))

    def test_no_journal_is_open_after_a_session(self):
        self.host.write(CONF, QUIET + "peer_check = no\nauth_fail_delay = 0\n")
        self.file("/var/mail/ann", MAIL + MAIL, 0o660, "ann", "mail")
        inetd = Inetd(self.host, 110)
        self.addCleanup(inetd.stop)
        with Pop(self.host.connect(110)) as pop:
            pop.login(b"ann", b"ann")
            pop.dele(1)
            pop.quit()
        folder = "/var/lib/popper/journal"
        self.addCleanup(self.host.call, shutil.rmtree, folder)
        self.assertTrue([x for x in self.host.call(os.listdir, folder)
                         if x.startswith("owner.")])
        self.complains(QUIET, status=0)

    def test_bulletins(self):
        folder = "/var/lib/bulletins"
        text = QUIET + "bulletins = " + folder + "\n"
        self.complains(text, (CONF + ":3: error: bulletins:", folder))
        self.host.mkdir(folder)
        self.file(folder + "/1.good", MAIL)
        self.complains(text, status=0)
        self.host.write(folder + "/2.bad", "Subject: no From_ line\n\nx\n")
        self.host.write(folder + "/3.closed", MAIL, 0o600)
        code, lines = self.check(text)
        self.assertEqual(code, 0)
        self.assertEqual([x.split(":")[0] for x in lines[:-1]],
                         [folder + "/2.bad", folder + "/3.closed"])
        self.host.call(os.chmod, folder, 0o700)
        code, lines = self.check(text)
        self.assertEqual(code, 78)
        self.assertTrue(any("chmod a+rx" in x for x in lines))
        self.host.call(os.chmod, folder, 0o755)
        self.host.call(os.unlink, folder + "/2.bad")
        self.host.call(os.unlink, folder + "/3.closed")
        self.host.call(os.chmod, "/var/lib", 0o700)
        self.addCleanup(self.host.call, os.chmod, "/var/lib", 0o755)
        self.complains(text, (CONF + ":3: error: bulletins: users do not get "
                              "them: open " + folder, "each folder above it"))
        self.host.call(os.chmod, "/var/lib", 0o755)
        self.host.call(os.chmod, folder, 0o775)
        self.complains(text, (CONF + ":3: warning: bulletins:", "its group"),
                       status=0)

    def test_bulletins_of_virtual_users(self):
        """Nobody but their account need read them."""
        folder = "/var/lib/bulletins-of-ann"
        self.host.mkdir(folder, 0o700, "ann")
        self.addCleanup(self.host.call, shutil.rmtree, folder)
        self.file("/etc/popper/users", "joe:%s::::::\n" % HASH, 0o600)
        row = "bulletins = " + folder + "\n"
        self.complains(FILE + row, status=0)
        self.complains(QUIET + row, (CONF + ":3: error: bulletins: users do not",
                                     "Permission denied"))

    def test_boards(self):
        self.file("/etc/popper/boards", "board a {\n maildrp = /x\n}\n")
        code, lines = self.check(QUIET + "bboards = boards\n")
        self.assertEqual(code, 78, lines)
        self.assertTrue(lines[0].startswith("boards:2: error:"), lines)

    # -- another user -----------------------------------------------------

    def test_not_root(self):
        code, lines = self.check(QUIET, user="ann")
        self.assertEqual(code, 0, lines)
        self.assertTrue(lines[0].startswith(
            CONF + ": warning: isolation: split needs root"), lines)

    def test_of_who_serves_himself(self):
        """He need not be root: what he may not, popper may not."""
        self.host.mkdir("/srv/pop", 0o755, "ann")
        self.addCleanup(self.host.call, shutil.rmtree, "/srv/pop")
        text = (QUIET + "isolation = single\nauth = file\nstate_dir = /srv/pop\n"
                "maildrop = /srv/pop/%u\nrun_dir = /srv/pop/run\n")
        self.host.write("/srv/pop/users", "joe:%s:1001:1001::::\n" % HASH, 0o600,
                        "ann")
        where = "passwd_file = /srv/pop/users\nlisten = 127.0.0.1:%d\n"
        run = (CONF + ":7: warning: run_dir: /srv/pop/run", "makes it")
        self.complains(text + where % 1110, run, status=0, user="ann")
        self.complains(text + where % 110,
                       (CONF + ":9: warning: listen: popper serve cannot listen "
                        "at 127.0.0.1:110 ", "Permission denied"), run, status=0,
                       user="ann")
        self.host.write("/srv/pop/users", "", 0o600)
        self.complains(text.replace("state_dir = /srv/pop", "state_dir = /srv")
                       + where % 1110,
                       (CONF + ":8: error: passwd_file: ", "Permission denied"),
                       (CONF + ":5: error: state_dir: popper can make nothing "
                        "there: ", "Permission denied"), run, user="ann")

    def test_control_octets_do_not_reach_the_terminal(self):
        self.file("/var/mail/.a\x1b[2J.pop", MAIL, 0o600, "ann")
        _, lines = self.check(QUIET + "\x1b[2J = 1\n")
        self.assertNotIn("\x1b", "\n".join(lines))


def _hide(name):
    """That library, on the whole host; what it was called."""
    for folder, _, names in os.walk("/usr/lib"):
        if name in names:
            path = os.path.join(folder, name)
            os.rename(path, path + ".hidden")
            return path
    raise FileNotFoundError(name)


def _show(path):
    os.rename(path + ".hidden", path)


def _tidy():
    os.makedirs("/etc/popper", exist_ok=True)
    os.chmod("/etc/popper", 0o755)


if __name__ == "__main__":
    unittest.main()
