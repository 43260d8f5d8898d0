# SPDX-License-Identifier: ISC
"""What a client said of its language and of UTF-8 before the login holds after
it, whatever processes serve it; Python's client asks for both."""

import email
import email.policy
import os
import poplib
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "serve"),
                os.path.join(TESTS, "roles")]

import family                                                   # noqa: E402
import house                                                    # noqa: E402

PASSWORD = family.PASSWORD


class Ways:
    """One server for all; the maildrop is laid anew for each test."""

    options = {}
    user = "alice"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("vmail", 5000)
        cls.host.write("/etc/popper/users", cls.host.read(
            "/etc/popper/users").decode() +
            "shared:{PLAIN}%s::::/home/shared\n" % PASSWORD, 0o600)
        cls.host.write("/etc/popper/popper.conf", family.conf(
            **{**family.OPTIONS, "virtual_user": "vmail", "language": "it",
               "max_sessions_per_address": 100, **cls.options}))
        cls.server = cls.SERVER(cls.host)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.setUp_mail()

    def setUp_mail(self):
        owner = () if self.user == "alice" else ("vmail", "mail")
        self.host.write("/var/mail/" + self.user, self.mail, 0o660,
                        *(owner or ("alice", "mail")))

    def talk(self, *lines):
        """The texts of all replies, of a session that is sent in one piece."""
        sock = self.host.connect(110)
        self.addCleanup(sock.close)
        sock.sendall(b"".join(s.encode() + b"\r\n" for s in lines))
        said = b""
        while data := sock.recv(65536):
            said += data
        return said.decode().split("\r\n")[1:-1]

    def login(self, *lines, before=()):
        got = self.talk(*before, "USER " + self.user, "PASS " + PASSWORD,
                        *lines)
        return got[len(before) + 1:]

    def test_language_outlives_the_login(self):
        got = self.login("DELE 9", "LANG fr", "DELE 9", "QUIT",
                         before=("LANG de", "UTF8"))
        self.assertRegex(got[0], r"^\+OK Im Postfach liegen 3 Nachrichten")
        self.assertEqual(got[1:4], [
            "-ERR Die Nachricht 9 gibt es nicht.",
            "+OK fr La langue est maintenant le français.",
            "-ERR Le message 9 n'existe pas."])
        self.assertRegex(got[4], "vous dit au revoir")

    def test_who_says_nothing_hears_english(self):
        self.assertEqual(self.login("NOOP", "LANG *", "NOOP",
                                    "QUIT")[1:-1], [
            "+OK Nothing done.", "+OK it La lingua ora è l'italiano.",
            "+OK Nessuna operazione eseguita."])

    def test_goes_along_to_another_process(self):
        """QUIT with something to write, and XTND, are not for a process of
        many; LANG of the session is what counts there."""
        got = self.login("LANG es", "DELE 1", "XTND BBOARDS", "NOOP", "QUIT",
                         before=("LANG de",))
        self.assertEqual(got[1:3], ["+OK es El idioma es ahora el español.",
                                    "+OK El mensaje 1 está borrado."])
        self.assertEqual(got[-2], "+OK No se ha hecho nada.")
        self.assertRegex(got[-1], r"^\+OK popper en \S+ se despide\.$")
        self.assertRegex(self.login("QUIT")[0], r"^\+OK Maildrop has 2 ")

    def test_failures_are_told_in_it(self):
        got = self.talk("LANG pt", "USER " + self.user, "PASS wrong")
        self.assertEqual(got[-1], "-ERR [AUTH] A autenticação falhou.")

    def test_python(self):
        """poplib knows UTF8 and CAPA."""
        def body(port):
            pop = poplib.POP3("127.0.0.1", port)
            capa = pop.capa()
            said = pop.utf8()
            pop.user(self.user)
            pop.pass_(PASSWORD)
            n = pop.stat()[0]
            pop.quit()
            return [sorted(capa), said, n]
        capa, said, n = self.host.call(body, 110)
        self.assertIn("UTF8", capa)
        self.assertIn("LANG", capa)
        self.assertTrue(said.startswith(b"+OK"))
        self.assertEqual(n, 3)

    def test_messages(self):
        """What is told of sizes is what comes, in UTF-8 mode and without, where
        another reader of mail finds the same in it."""
        with open(os.path.join(TESTS, "flow/files/utf8.mbox"), "rb") as f:
            self.mail = f.read()
        self.setUp_mail()

        def body(port, utf8):
            pop = poplib.POP3("127.0.0.1", port)
            if utf8:
                pop.utf8()
            pop.user(self.user)
            pop.pass_(PASSWORD)
            sizes = [int(s.split()[1]) for s in pop.list()[1]]
            got = [b"".join(s + b"\r\n" for s in pop.retr(i + 1)[1])
                   for i in range(len(sizes))]
            total = pop.stat()[1]
            pop.quit()
            return sizes, total, got
        for utf8 in (False, True):
            sizes, total, got = self.host.call(body, 110, utf8)
            self.assertEqual(sizes, [len(s) for s in got])
            self.assertEqual(total, sum(sizes))
            read = email.message_from_bytes(
                got[0], policy=email.policy.default.clone(utf8=utf8))
            self.assertEqual(read["Subject"], "Grüße aus Köln")
            self.assertIn("José Núñez", read["From"])
            self.assertEqual([p.get_filename() for p in read.walk()],
                             [None, None, "Übersicht.txt"])
            self.assertEqual("josé@".encode() in got[0], utf8)


class Inetd(Ways, family.Family):
    pass


class Single(Ways, house.House):
    """A process for each session."""


class Many(Single):
    user = "shared"
    options = {"sessions_per_process": 100}


if __name__ == "__main__":
    unittest.main()
