# SPDX-License-Identifier: ISC
"""The same dialogues from the first octet under TLS and behind STLS, whoever
serves them."""

import house_tls
from lib.popper import PopError

PASSWORD = house_tls.house.family.PASSWORD


class Both:
    def over(self):
        """What served the last client has ended."""
        raise NotImplementedError

    def both(self):
        for way in (self.pops, self.stls):
            with self.subTest(way=way.__name__):
                yield way

    def test_session(self):
        self.serve()
        for way in self.both():
            pop = way()
            n, octets = pop.login("alice", PASSWORD)
            self.assertEqual(pop.stat(), (n, octets))
            got = [pop.retr(i) for i in range(1, n + 1)]
            self.assertEqual(sum(map(len, got)), octets)
            pop.quit()
            self.over()

    def test_pipelined(self):
        """All in one segment, beyond the login, and a half-closed client."""
        self.serve()
        for way in self.both():
            pop = way()
            pop.send(b"USER alice\r\nPASS %s\r\nSTAT\r\nNOOP\r\nQUIT\r\n"
                     % PASSWORD.encode())
            for _ in range(5):
                pop.reply()
            pop.at_end()
            self.over()

    def test_octet_by_octet(self):
        self.serve()
        for way in self.both():
            pop = way()
            for octet in b"USER alice\r\nPASS %s\r\nSTAT\r\nQUIT\r\n" \
                    % PASSWORD.encode():
                pop.send(bytes([octet]))
            for _ in range(4):
                pop.reply()
            pop.at_end()
            self.over()

    def test_wrong_password(self):
        self.serve()
        for way in self.both():
            pop = way()
            pop.cmd("USER", "alice")
            with self.assertRaisesRegex(PopError, "AUTH"):
                pop.cmd("PASS", "wrong")
            pop.at_end()

    def test_rules(self):
        """By where and how the client came, as its front says."""
        self.serve(*self.ROWS, "access = deny user=alice listener=*:%d"
                   % house_tls.POP, "access = allow user=alice tls=yes",
                   "access = deny")
        pop = self.pops()
        pop.login("alice", PASSWORD)
        pop.quit()
        self.over()
        mark = self.log.mark()
        pop = self.stls()
        pop.cmd("USER", "alice")
        with self.assertRaisesRegex(PopError, "AUTH"):
            pop.cmd("PASS", PASSWORD)
        pop.at_end()
        line, = self.log.wait(r"\blogin-failed ", mark)
        self.assertRegex(line, r"reason=rule detail=\"line \d+: access = deny "
                         r"user=alice listener=\*:110\"")
        self.over()

    def test_vanished(self):
        """A client that is gone without a word: nothing is deleted."""
        self.serve()
        for way in self.both():
            pop = way()
            pop.login("alice", PASSWORD)
            pop.dele(1)
            pop.sock.close()
            self.over()
            self.unchanged()
