# SPDX-License-Identifier: ISC
"""A hostile local user: eve prepares all that she can before ann, or she
herself, logs in.

What has to hold: ann's login is as it was, or gets one -ERR with a code in a
bounded time; nothing of others is read, changed or made; eve gets no octet of
theirs.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.popper import Pop, PopError                            # noqa: E402
from scene import CODE, FROM, LONG, Scene, facts, message, tree       # noqa: E402

SECRET = b"the secret of somebody else"
ANN = message(b"for ann", SECRET + b"\n")
EVE = message(b"for eve")
SHADOW = "/etc/shadow"


# -- what eve can lay somewhere, run with her rights -----------------------

def lay_file(path):
    with open(path, "wb") as f:
        f.write(message(b"laid by eve"))


def lay_empty(path):
    with open(path, "wb"):
        pass


def lay_huge(path):
    with open(path, "wb") as f:
        f.truncate(64 << 20)


def lay_old(path):
    lay_file(path)
    os.utime(path, (0, 0))


def lay_future(path):
    lay_file(path)
    os.utime(path, (1 << 33, 1 << 33))


def lay_pid(path):
    """A lock in the name of the first process of all."""
    with open(path, "wb") as f:
        f.write(b"1\n")


def lay_mark(path):
    """As popper's own lock of an UPDATE that was cut short."""
    with open(path, "wb") as f:
        f.write(b"0\npopper update on pophost.example.org\n")


def lay_link(path):
    os.symlink("/home/eve/target", path)
    with open("/home/eve/target", "wb") as f:
        f.write(message(b"behind a link"))


def lay_dangling(path):
    os.symlink("/home/ann/made-by-popper", path)


def lay_shadow(path):
    os.symlink(SHADOW, path)


def lay_loop(path):
    os.symlink(path, path)


def lay_fifo(path):
    os.mkfifo(path, 0o666)


def lay_folder(path):
    os.mkdir(path)
    with open(path + "/full", "wb"):
        pass


def lay_hard(path):
    lay_file("/var/mail/eve-own")
    os.link("/var/mail/eve-own", path)


KINDS = [lay_file, lay_empty, lay_huge, lay_old, lay_future, lay_pid, lay_mark,
         lay_link, lay_dangling, lay_shadow, lay_loop, lay_fifo, lay_folder,
         lay_hard]


class Local(Scene):
    def clear(self, mode="2775", group="mail"):
        super().clear(mode, group)
        self.host.write("/home/ann/private", SECRET, 0o600, "ann")

    def others(self, *more):
        return {path: self.host.call(facts, path) for path in
                (SHADOW, "/home/ann/private", *more)}

    def lay(self, kind, path):
        """By eve; False where she may not."""
        try:
            self.host.call(kind, path, user="eve")
        except PermissionError:
            return False
        return True

    def bulletin(self, name="5"):
        self.host.mkdir("/var/lib/bulletins")
        self.host.write("/var/lib/bulletins/" + name, FROM % b"root"
                        + b"To: all\nSubject: bulletin\n\nnews\n\n")

    def each(self, name, check, kinds=KINDS):
        """check(kind, laid?) for every kind of thing under that name of the
        spool's folder, in both of the modes that such folders have."""
        for mode, group in (("2775", "mail"), ("1777", "root")):
            for kind in kinds:
                with self.subTest(mode=mode, kind=kind.__name__):
                    self.clear(mode, group)
                    laid = self.lay(kind, "/var/mail/" + name)
                    # In the closed folder she gets nothing done at all.
                    self.assertEqual(laid, mode == "1777")
                    self.mark = self.host.syslog.mark()
                    check(kind, laid)

    # -- in the spool's folder ---------------------------------------------

    def test_lock_of_ann(self):
        def check(_, laid):
            want = self.put("ann", ANN)
            before = self.others("/var/mail/ann")
            if laid:
                self.refused("ann", b"[IN-USE]", "drop-in-use.*ann.lock")
                self.assertEqual(self.others("/var/mail/ann"), before)
            else:
                self.assertEqual(self.session("ann"), want)
                self.no_locks()
        # Each takes a lock_timeout.
        self.each("ann.lock", check, KINDS if LONG else [
            lay_old, lay_mark, lay_dangling, lay_fifo, lay_folder])

    def test_old_temporary_drop_of_ann(self):
        def check(kind, laid):
            want = self.put("ann", ANN)
            before = self.others()
            self.assertEqual(self.session("ann"), want)
            self.assertEqual(self.others(), before)
            self.assertNotIn(b"eve", self.host.spool("ann"))
            # What lies there with something in it is told, once a login.
            if laid and kind in (lay_file, lay_huge, lay_link, lay_shadow,
                                 lay_hard):
                self.host.syslog.wait(r"drop-legacy.*\.ann\.pop is left alone",
                                      self.mark)
            self.no_locks()
        self.each(".ann.pop", check)

    def test_spool_of_ann(self):
        """She has no mail yet, and eve is first with her name."""
        def check(_, laid):
            before = self.others()
            if laid:
                self.refused("ann", b"[SYS/PERM]", "drop-failed.*/var/mail")
            else:
                self.assertEqual(self.session("ann"), [])
            self.assertEqual(self.others(), before)
            self.assertFalse(self.host.exists("/home/ann/made-by-popper"))
        self.each("ann", check)

    # -- eve's own spool ---------------------------------------------------

    def test_spool_of_eve(self):
        cases = {
            "link to ann's": "ln -s ann eve",
            "link to shadow": "ln -s /etc/shadow eve",
            "link to nothing of ann's": "ln -s /home/ann/made-by-popper eve",
            "hard link": "ln ann eve",
            "hard link to her own": "cp ann eve; chown eve eve; ln eve eve2",
            "fifo": "mkfifo eve; chown eve eve",
            "folder": "mkdir eve; chown eve eve",
            "device": "mknod eve c 1 5; chown eve eve; chmod 666 eve",
            "owned by ann": "cp ann eve; chown ann eve; chmod 666 eve",
            "mode 0": "cp ann eve; chown eve eve; chmod 0 eve",
            "no mailbox": "head -c 5000 /dev/urandom > eve; chown eve eve",
        }
        for name, script in cases.items():
            with self.subTest(name):
                self.clear("1777", "root")
                self.put("ann", ANN)
                self.root("cd /var/mail; rm -f eve eve2;" + script)
                before = self.others("/var/mail/ann")
                left = self.host.call(tree, "/var/mail")
                reply = self.refused("eve", b"[SYS/PERM]",
                                     "drop-failed.*/var/mail/eve")
                self.assertNotIn(b"eve", reply)
                self.assertEqual(self.others("/var/mail/ann"), before)
                self.assertEqual(self.host.call(tree, "/var/mail"), left)

    def test_swapped_while_eve_logs_in(self):
        """The name turns from her file into a link and back, all the time."""
        self.clear("1777", "root")
        self.put("ann", ANN)
        self.host.spool("eve", EVE)
        before = self.others("/var/mail/ann")
        racer = self.host.popen(["python3", "-c", """
import os
os.chdir('/var/mail')
os.rename('eve', '.own')
while True:
    for source in ('.own', 'ann', '/etc/shadow'):
        try:
            os.unlink('eve')
        except OSError:
            pass
        try:
            if source == '.own':
                os.link(source, 'eve')
            else:
                os.symlink(source, 'eve')
        except OSError:
            pass
"""], user="eve")
        try:
            for _ in range(400 if LONG else 40):
                try:
                    found = self.session("eve")
                except PopError as e:
                    # At QUIT the name was another file's: her own doing.
                    self.assertRegex(e.args[0], CODE)
                    continue
                if isinstance(found, list):
                    self.assertNotIn(SECRET, b"".join(found))
        finally:
            racer.stop(9)
        self.assertEqual(self.others("/var/mail/ann"), before)

    # -- eve's home --------------------------------------------------------

    def test_popbull(self):
        """With a bulletin to receive; whatever stands for the number."""
        self.configure(bulletins="/var/lib/bulletins")
        self.bulletin()
        cases = {
            "link to ann's": "ln -s /home/ann/private .popbull",
            "link to nothing of ann's": "ln -s /home/ann/new .popbull",
            "link to shadow": "ln -s /etc/shadow .popbull",
            "hard link": "ln /home/ann/private .popbull",
            "fifo": "mkfifo .popbull; chown eve .popbull",
            "folder": "mkdir .popbull; chown eve .popbull",
            "full folder": "mkdir -p .popbull/x; chown -R eve .popbull",
            "huge": "truncate -s 8G .popbull; chown eve .popbull",
            "NULs": "head -c 99 /dev/zero > .popbull; chown eve .popbull",
            "far ahead": "echo 999999999999999999 > .popbull;"
                         " chown eve .popbull",
            "too long": "seq -s '' 99 > .popbull; chown eve .popbull",
            "ann's": "echo 1 > .popbull; chown ann .popbull; chmod 600"
                     " .popbull",
            "home missing": "cd /; rm -r /home/eve",
            "home unreadable": "chmod 0 .",
            "home not hers": "chown ann .",
            "home a link": "cd /; mv /home/eve /home/eve2;"
                           " ln -s eve2 /home/eve",
            "home a link to ann's": "cd /; rm -r /home/eve;"
                                    " ln -s ann /home/eve",
            "home a file": "cd /; rm -r /home/eve; echo > /home/eve",
            "home a fifo": "cd /; rm -r /home/eve; mkfifo /home/eve",
        }
        for name, script in cases.items():
            with self.subTest(name):
                self.root("rm -rf /home/eve2 /home/eve")
                self.clear()
                self.bulletin()
                self.host.spool("eve", EVE)
                self.root("cd /home/eve;" + script)
                before = self.others()
                seen = self.host.call(tree, "/home/ann")
                # The number may be lost, her mail never is.
                for _ in range(2):
                    found = self.session("eve")
                    self.assertIsInstance(found, list, found)
                    self.assertIn(b"Subject: for eve", found[0])
                    self.assertLessEqual(len(found), 2)
                self.assertEqual(self.session("eve", delete=[1])[1:],
                                 found[1:])
                self.assertNotIn(b"for eve", b"".join(self.session("eve")))
                self.assertEqual(self.others(), before)
                self.assertEqual(self.host.call(tree, "/home/ann"), seen)
                self.no_locks()

    def test_home_is_full(self):
        self.configure(bulletins="/var/lib/bulletins")
        self.bulletin()
        self.bulletin("6")
        self.host.spool("eve", EVE + EVE)
        self.root("mount -t tmpfs -o size=16k,mode=700,uid=%d none /home/eve;"
                  " echo 5 > /home/eve/.popbull; chown eve /home/eve/.popbull;"
                  " head -c 99999 /dev/zero > /home/eve/full || true"
                  % self.host.account("eve").uid)
        self.addCleanup(self.root, "umount /home/eve")
        for _ in range(2):
            found = self.session("eve", delete=[1])
            self.assertIsInstance(found, list, found)
        self.assertNotIn(b"for eve", self.host.spool("eve"))
        self.root("rm /home/eve/full")
        self.session("eve")
        got = self.session("eve")
        self.assertEqual(len(got), 1, got)
        self.assertIn(b"bulletin", got[0])

    # -- a maildrop in the home --------------------------------------------

    def test_drop_in_home(self):
        self.configure(maildrop="~/mail/mbox")
        self.root("mkdir -p /srv/shared; chown root:staff /srv/shared;"
                  " chmod 2775 /srv/shared")
        cases = {
            "mbox: link to ann's": "mkdir mail; ln -s /var/mail/ann mail/mbox",
            "mbox: fifo": "mkdir mail; mkfifo mail/mbox",
            "mbox: folder": "mkdir -p mail/mbox",
            "mail: link to ann's home": "ln -s /home/ann mail",
            "mail: link to /etc": "ln -s /etc mail",
            "mail: link to spools": "ln -s /var/mail mail",
            "mail: link to a folder of staff": "ln -s /srv/shared mail",
            "mail: link to root's home": "ln -s /root mail",
            "mail: link to popper's state": "ln -s /var/lib/popper mail",
            "mail: file": "echo > mail",
            "mail: fifo": "mkfifo mail",
            "mail: loop": "ln -s mail mail",
        }
        places = ("/etc", "/var/mail", "/srv/shared", "/root", "/home/ann")
        for name, script in cases.items():
            with self.subTest(name):
                self.clear()
                self.put("ann", ANN)
                self.host.run(["sh", "-c", "cd /home/eve;" + script],
                              user="eve", check=True)
                before = self.others("/var/mail/ann")
                seen = [self.host.call(tree, p) for p in places]
                found = self.session("eve")
                if isinstance(found, list):
                    self.assertEqual(found, [])
                self.assertEqual(self.others("/var/mail/ann"), before)
                self.assertEqual([self.host.call(tree, p) for p in places],
                                 seen)

    def test_no_lock_in_a_folder_of_others(self):
        """Where eve points her drop, the monitor's group must not let her
        make files that she could not make herself: at no moment."""
        self.configure(maildrop="~/mail/mbox", bulletins="/var/lib/bulletins")
        self.bulletin()
        self.root("mkdir -p /srv/shared; chown root:staff /srv/shared;"
                  " chmod 2775 /srv/shared; rm -f /srv/shared/*;"
                  " ln -s /srv/shared /home/eve/mail;"
                  " echo 1 > /home/eve/.popbull; chown eve /home/eve/.popbull")
        before = self.host.call(os.stat, "/srv/shared").st_mtime_ns
        pop = self.pop("eve")
        self.assertEqual(pop.stat()[0], 1)
        with self.assertRaises(PopError):
            pop.quit()
        pop.close()
        self.inetd.wait()
        self.assertEqual(self.host.call(tree, "/srv/shared"), {})
        self.assertEqual(self.host.call(os.stat, "/srv/shared").st_mtime_ns,
                         before)

    def test_lock_in_home(self):
        """Games with the lock hurt nobody but eve."""
        self.configure(maildrop="~/mbox")
        cases = {
            "fifo": (lay_fifo, False), "folder": (lay_folder, False),
            "link to ann's": (lay_dangling, False),
            "link to shadow": (lay_shadow, False),
            "future": (lay_future, False), "old": (lay_old, True),
        }
        if LONG:
            cases.update({
                "loop": (lay_loop, False), "fresh": (lay_file, False),
                "first process": (lay_pid, False),
            })
        for name, (kind, works) in cases.items():
            with self.subTest(name):
                self.clear()
                self.host.write("/home/eve/mbox", EVE, 0o600, "eve")
                self.lay(kind, "/home/eve/mbox.lock")
                before = self.others()
                found = self.session("eve")
                if works:
                    self.assertEqual(len(found), 1)
                    self.no_locks("/home/eve")
                else:
                    self.assertRegex(found, rb"^\[(IN-USE|SYS/PERM)\]")
                self.assertEqual(self.others(), before)
                self.assertFalse(self.host.exists("/home/ann/made-by-popper"))

    # -- the trace file -----------------------------------------------------

    def test_trace_file(self):
        """A trace file that somebody else could have laid is not written,
        and nobody's login suffers."""
        self.root("mkdir -p /srv/open /srv/eve /srv/closed;"
                  " chmod 1777 /srv/open; chown eve /srv/eve")
        want = self.put("ann", ANN)
        kinds = {lay_file, lay_link, lay_dangling, lay_shadow, lay_loop,
                 lay_fifo, lay_folder}
        self.clear("1777", "root")
        self.put("ann", ANN)
        for folder in ("/srv/open", "/srv/eve"):
            for kind in sorted(kinds, key=lambda k: k.__name__):
                with self.subTest(folder=folder, kind=kind.__name__):
                    path = folder + "/trace"
                    self.root("rm -rf %s /var/mail/eve-own" % path)
                    self.assertTrue(self.lay(kind, path))
                    self.trace_refused(path, want)
        for script in ("ln -s /etc/shadow trace", "mkfifo trace",
                       "mkdir trace", "echo > trace; chmod 666 trace",
                       "echo > trace; chown eve trace", "mknod trace c 1 3"):
            with self.subTest(script):
                self.root("cd /srv/closed; rm -rf trace;" + script)
                self.trace_refused("/srv/closed/trace", want)
        self.root("rm -rf /srv/closed/trace")
        self.configure(trace_file="/srv/closed/trace", status_headers="no")
        self.assertEqual(self.session("ann"), want)
        st = self.host.call(os.stat, "/srv/closed/trace")
        self.assertEqual((st.st_mode & 0o7777, st.st_uid), (0o600, 0))
        self.assertIn(b"login", self.host.read("/srv/closed/trace"))

    def trace_refused(self, path, want):
        self.configure(trace_file=path, status_headers="no")
        before = self.others()
        laid = self.host.call(os.lstat, path)
        mark = self.host.syslog.mark()
        self.assertEqual(self.session("ann"), want)
        self.assertEqual(self.others(), before)
        now = self.host.call(os.lstat, path)
        self.assertEqual((now.st_size, now.st_mode, now.st_mtime_ns),
                         (laid.st_size, laid.st_mode, laid.st_mtime_ns))
        self.assertFalse(self.host.exists("/home/ann/made-by-popper"))
        self.assertEqual(len(self.host.syslog.wait(
            "trace.*" + path, mark)), 1)

    # -- names -------------------------------------------------------------

    def test_hashed_spools(self):
        self.configure(maildrop="/var/mail/%1/%2/%u")
        self.root("mkdir -p /var/mail/a/n /var/mail/e/v;"
                  " chown -R root:mail /var/mail; chmod -R 2775 /var/mail")
        self.host.write("/var/mail/a/n/ann", ANN, 0o660, "ann", "mail")
        self.host.write("/var/mail/e/v/eve", EVE, 0o660, "eve", "mail")
        self.assertIn(SECRET, self.session("ann")[0])
        self.assertEqual(len(self.session("eve", delete=[1])), 1)
        self.assertEqual(self.host.read("/var/mail/e/v/eve"), b"")
        self.no_locks("/var/mail/e/v")
        # A folder that is not there: no mail, or a refusal, never a guess.
        self.root("rm -r /var/mail/e")
        self.refused("eve", b"[SYS/PERM]", "drop-failed.*/var/mail/e/v")

    def test_two_names_one_drop(self):
        """The session lock belongs to the drop, however it is spelled."""
        self.host.write("/etc/popper/users", "one:{PLAIN}one:%d:%d::/home/ann:"
                        ":userdb_mail=mbox:/var/mail/ann\n"
                        "two:{PLAIN}two:%d:%d::/home/ann:"
                        ":userdb_mail=mbox:/var/spool/mail/ann"
                        "\n" % ((self.host.account("ann").uid,
                                 self.host.account("ann").gid) * 2), 0o600)
        self.configure(auth="file")
        want = self.put("ann", ANN)
        first = self.pop("one")
        with self.subTest("in use"):
            with Pop(self.host.connect(110)) as other:
                other.cmd("USER", "two")
                with self.assertRaises(PopError) as caught:
                    other.cmd("PASS", "two")
                reply = caught.exception.args[0]
                other.at_end()
            self.assertTrue(reply.startswith(b"[IN-USE]"), reply)
        self.assertEqual([first.retr(1)], want)
        first.quit()
        self.inetd.wait()
        self.assertEqual(len(self.session("two")), 1)


if __name__ == "__main__":
    import unittest
    unittest.main()
