# SPDX-License-Identifier: ISC
"""popper serve behind Debian's Dovecot, as a proxy that says XCLIENT."""

import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "serve"))

import house                                                    # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

COMMON = """
protocols = pop3
listen = 127.0.0.1, ::1
ssl = no
base_dir = /run/dovecot
log_path = /run/dovecot.log
service pop3-login {
  inet_listener pop3 {
    port = 2110
  }
  inet_listener pop3s {
    port = 0
  }
}
"""
OLD = COMMON + """
disable_plaintext_auth = no
passdb {
  driver = static
  args = proxy=y nopassword=y host=127.0.0.1 port=110
}
"""
# From 2.4 on.
NEW = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
""" + COMMON + """
auth_allow_cleartext = yes
passdb static {
  fields {
    proxy = y
    nopassword = y
    host = 127.0.0.1
    port = 110
  }
}
"""


class Dovecot(house.House):
    PACKAGES = ("dovecot-pop3d",)

    def proxy(self, *rows):
        self.serve("listen = *:110", *rows, auth_fail_delay=0)
        for name, uid in (("dovecot", 911), ("dovenull", 912)):
            if not self.host.run(["id", name]).returncode == 0:
                self.host.add_user(name, uid, home="/nonexistent",
                                   shell="/usr/sbin/nologin")
        version = self.host.run(["/usr/sbin/dovecot", "--version"]).stdout
        self.host.write("/etc/dovecot/dovecot.conf",
                        OLD if version.startswith(b"2.3.") else NEW)
        dovecot = self.host.popen(["/usr/sbin/dovecot", "-F"])
        self.addCleanup(dovecot.stop)
        self.host.wait_port(2110)

    def through(self, source, to):
        sock = self.host.in_network(lambda: socket.create_connection(
            (to, 2110), 120, (source, 0)))
        self.addCleanup(sock.close)
        return Pop(sock)

    def test_clients(self):
        self.proxy("xclient_networks = 127.0.0.1")
        for source, to in (("127.0.0.5", "127.0.0.1"), ("::1", "::1")):
            mark = self.log.mark()
            pop = self.through(source, to)
            self.assertEqual(pop.login("alice", house.family.PASSWORD)[0], 3)
            pop.quit()
            for event in ("login", "session-end"):
                self.assertIn(" ip=%s " % source, self.log.wait(
                    "%s .*user=alice" % event, mark)[0])
            mark = self.log.mark()
            with self.assertRaises(PopError):
                self.through(source, to).login("alice", "wrong")
            self.assertIn(" ip=%s " % source,
                          self.log.wait("login-failed", mark)[0])

    def test_not_named(self):
        """Then Dovecot does not try."""
        self.proxy("xclient_networks = 127.0.0.2")
        pop = self.through("127.0.0.5", "127.0.0.1")
        self.assertEqual(pop.login("alice", house.family.PASSWORD)[0], 3)
        pop.quit()
        self.log.wait("session-end .*ip=127.0.0.1 ", self.mark)


if __name__ == "__main__":
    unittest.main()
