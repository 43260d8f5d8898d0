# SPDX-License-Identifier: ISC
"""The host's accounts through the real pam_unix, in a private host: who gets
in, who does not, and that a stranger cannot tell why."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import logins                                                   # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

YESCRYPT = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"

# What pam.d says: the plain stack of the house, Debian's own (which hides
# reasons behind pam_deny), both with nullok.
STACKS = {
    "plain": "auth required pam_unix.so nullok\n"
             "account required pam_unix.so\n",
    "debian": "auth [success=1 default=ignore] pam_unix.so nullok\n"
              "auth requisite pam_deny.so\n"
              "auth required pam_permit.so\n"
              "account [success=1 new_authtok_reqd=done default=ignore] "
              "pam_unix.so\n"
              "account requisite pam_deny.so\n"
              "account required pam_permit.so\n",
}

# A module that asks for the password and then says who it really was.
RENAMER = r"""
#include <security/pam_modules.h>
#include <security/pam_ext.h>

#include <stddef.h>

int
pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
	const char *password;

	(void)flags;
	if (argc != 1 ||
	    pam_get_authtok(h, PAM_AUTHTOK, &password, NULL) != PAM_SUCCESS)
		return PAM_AUTH_ERR;
	return pam_set_item(h, PAM_USER, argv[0]);
}

int
pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)h, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}
"""

# user, password, reason
REFUSED = [
    (b"nosuch", b"wonderland", "unknown-user"),
    (b"alice", b"wonderlanD", "bad-password"),
    (b"alice", b"wonderland" + b"x" * 600, "bad-password"),
    (b"alice", b"", "empty-password"),
    (b"expired", b"wonderland", "expired"),
    (b"mustchange", b"wonderland", "expired"),
    (b"locked", b"wonderland", "locked"),
    (b"starred", b"wonderland", "bad-password"),
    (b"blank", b"", "empty-password"),
    (b"blank", b"wonderland", "empty-password"),
    (b"noshell", b"wonderland", "shell"),
    (b"root", b"wonderland", "uid"),
    (b"toor", b"wonderland", "uid"),
    (b"low", b"wonderland", "uid"),
    (b"high", b"wonderland", "uid"),
    (b"sudoer", b"wonderland", "gid"),
    (b"groupless", b"wonderland", "gid"),
    (b"denied", b"wonderland", "denied"),
    (b"-alice", b"wonderland", "bad-name"),
    (b"../alice", b"wonderland", "bad-name"),
]


class Pam(logins.Logins, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house()
        add = cls.host.add_user
        add("alice", password="wonderland",
            groups=["users", "sudo", "shadow", "mail"])
        add("yes", hashed=crypt("wonderland", YESCRYPT))
        add("expired", password="wonderland").expire = "100"
        add("mustchange", password="wonderland").last_change = "0"
        add("locked", hashed="!" + crypt("wonderland"))
        add("starred", hashed="*")
        add("blank", hashed="")
        add("noshell", password="wonderland", shell="/usr/sbin/nologin")
        add("low", uid=100, gid=1900, password="wonderland")
        add("high", uid=60001, gid=1900, password="wonderland")
        add("toor", uid=0, gid=0, password="wonderland")
        add("sudoer", gid=27, password="wonderland")
        add("groupless", gid=0, password="wonderland")
        add("denied", password="wonderland")
        cls.host.account("root").hashed = crypt("wonderland")
        cls.host.add_group("clerks", 1800, ["alice"])
        cls.host.write("/etc/popper/deny", "# not by mail\ndenied\n")

    def setUp(self):
        self.host.write("/etc/pam.d/popper", STACKS["plain"])
        logins.configure(self.host)

    def test_good_passwords(self):
        self.accepted(b"alice", b"wonderland")
        self.accepted(b"yes", b"wonderland")

    def test_rules_hear_of_all_groups(self):
        """Of those, too, that gids_denied and gid_min keep from the session."""
        logins.configure(self.host, access="deny group=docker,staff")
        self.accepted(b"alice", b"wonderland")
        logins.configure(self.host, access="deny group=docker,sudo")
        self.refused(b"alice", b"wonderland", "rule")

    def test_app_passwords(self):
        """PAM is not told them, and says whether the account is open."""
        logins.configure(self.host, app_passwords="yes")
        for user in ("alice", "starred", "locked", "expired", "noshell"):
            r = self.host.run(["/usr/sbin/popper", "passwd", "app", "add",
                               user, "phone"])
            self.assertEqual((r.returncode, r.stderr), (0, b""))
            password = r.stdout.strip()
            reason = {"noshell": "shell"}.get(user, user)
            if user in ("alice", "starred"):
                self.accepted(user.encode(), password)
            else:
                self.refused(user.encode(), password, reason)
        self.accepted(b"alice", b"wonderland")

    def test_every_refusal(self):
        self.all_refused(REFUSED)

    def test_every_refusal_in_debians_stack(self):
        self.host.write("/etc/pam.d/popper", STACKS["debian"])
        self.accepted(b"alice", b"wonderland")
        self.all_refused(REFUSED[:9])

    def test_the_sample(self):
        """etc/pam.d/popper with what Debian's common files hold."""
        top = os.path.dirname(os.path.dirname(os.path.dirname(
            os.path.abspath(__file__))))
        for part in ("auth", "account"):
            self.host.write("/etc/pam.d/common-" + part, "".join(
                line + "\n" for line in STACKS["debian"].split("\n")
                if line.startswith(part)))
        with open(os.path.join(top, "etc/pam.d/popper"), "rb") as f:
            self.host.write("/etc/pam.d/popper", f.read())
        self.accepted(b"alice", b"wonderland")
        self.refused(b"alice", b"wrong", "bad-password")

    def test_a_yes_without_a_question_is_a_no(self):
        self.host.write("/etc/pam.d/popper", "auth required pam_permit.so\n"
                        "account required pam_permit.so\n")
        self.refused(b"alice", b"wonderland", "empty-password")

    def rename_to(self, name):
        module = "/usr/lib/popper-test/pam_rename.so"
        if not self.host.exists(module):
            with tempfile.TemporaryDirectory() as d:
                with open(d + "/m.c", "w", encoding="ascii") as f:
                    f.write(RENAMER)
                subprocess.run(["gcc", "-shared", "-fPIC", "-o", d + "/m.so",
                                d + "/m.c", "-lpam"], check=True)
                self.host.install(d + "/m.so", module)
        self.host.write("/etc/pam.d/popper", "auth required %s %s\n"
                        "account required pam_permit.so\n" % (module, name))

    def test_all_rules_hold_for_the_name_that_pam_returns(self):
        for name, reason in (("denied", "denied"), ("toor", "uid"),
                             ("sudoer", "gid"), ("noshell", "shell"),
                             ("blank", "empty-password"),
                             ("nosuch", "unknown-user")):
            with self.subTest(name=name):
                self.rename_to(name)
                self.refused(b"alice", b"wonderland", reason)
        self.rename_to("yes")
        mark = self.host.syslog.mark()
        self.accepted(b"alice", b"wonderland")
        self.host.syslog.wait(r"\blogin .*user=yes\b", mark)

    def test_no_pam_configuration_lets_nobody_in(self):
        self.host.call(os.unlink, "/etc/pam.d/popper")
        self.refused(b"alice", b"wonderland", "bad-password")

    def test_the_wildcard_shell(self):
        old = self.host.read("/etc/shells")
        self.addCleanup(self.host.write, "/etc/shells", old)
        self.host.write("/etc/shells", b"/POPPER/ANY/SHELL\n")
        self.accepted(b"noshell", b"wonderland")

    def test_shells_need_not_be_asked(self):
        logins.configure(self.host, shell_check="no")
        self.accepted(b"noshell", b"wonderland")

    def test_a_deny_file_of_others_lets_nobody_in(self):
        """Who could write it decides who may log in."""
        self.addCleanup(self.host.write, "/etc/popper/deny", "denied\n")
        self.host.write("/etc/popper/deny", "denied\n", mode=0o666)
        _, text = self.attempt(b"alice", b"wonderland")
        self.assertIsNotNone(text)
        self.host.syslog.wait("deny: mode 0666")

    def test_control_octets_in_a_name_stay_in_their_line(self):
        mark = self.host.syslog.mark()
        with Pop(self.host.connect(110)) as pop:
            with self.assertRaises(PopError):
                pop.cmd("USER", b"x\x1b[2Jy")
        self.refused(b'a"=\\b', b"wonderland", "unknown-user",
                     '"a\\x22=\\x5cb"')
        for line in self.host.syslog.lines[mark:]:
            self.assertNotIn("\x1b", line)

    def test_the_work_is_done_for_unknown_names_too(self):
        """Without the fixed time the hash must still be seen."""
        logins.configure(self.host, auth_fail_delay=0)
        hashed = crypt("wonderland", YESCRYPT)
        for a in self.host.accounts:
            a.hashed = a.hashed.replace(crypt("wonderland"), hashed)
        self.host.add_group("again", 1801)     # writes the accounts anew
        self.alike(b"yes", [b"nosuch", b"root", b"denied", b"locked", b"-x"])


if __name__ == "__main__":
    unittest.main()
