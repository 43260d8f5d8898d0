# SPDX-License-Identifier: ISC
"""A KDC in a private host: realms, principals, keytabs and tickets of its own."""

import subprocess

PACKAGES = ("krb5-kdc", "krb5-admin-server", "krb5-user")
REALM = "EXAMPLE.ORG"
KRB5 = """[libdefaults]
default_realm = %s
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
qualify_shortname = ""
[realms]
""" % REALM
KDC = """[kdcdefaults]
kdc_listen = 127.0.0.1:88
kdc_tcp_listen = 127.0.0.1:88
[realms]
"""


class Kdc:
    """orders: of kadmin, for each realm."""

    def __init__(self, host, orders):
        self.host = host
        host.write("/etc/krb5.conf", KRB5 + "".join(
            "%s = {\n kdc = 127.0.0.1:88\n}\n" % r for r in orders) +
                   "[domain_realm]\n.example.org = %s\n" % REALM)
        host.mkdir("/etc/krb5kdc", 0o700)
        host.mkdir("/var/lib/krb5kdc", 0o700)
        host.write("/etc/krb5kdc/kdc.conf", KDC + "".join(
            "%s = {\n database_name = /var/lib/krb5kdc/%s\n"
            " key_stash_file = /var/lib/krb5kdc/%s.stash\n}\n" % (r, r, r)
            for r in orders))
        for realm, lines in orders.items():
            self.run("/usr/sbin/kdb5_util", "-r", realm, "create", "-s", "-P",
                     "master")
            self.admin(*lines, realm=realm)
        self.process = host.popen(
            ["/usr/sbin/krb5kdc", "-n", *(w for r in orders for w in ("-r", r))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host.wait_port(88)

    def run(self, *argv, said=""):
        r = self.host.run(list(argv), input=said.encode())
        if r.returncode != 0:
            raise AssertionError("%s: %r" % (argv, r.stderr))

    def admin(self, *orders, realm=REALM):
        """Its last order's failure is told by kadmin alone."""
        self.run("/usr/sbin/kadmin.local", "-r", realm,
                 said="\n".join(orders) + "\n")

    def kinit(self):
        """As it comes from the package: another one may have that name."""
        own = "/usr/bin/kinit.mit"
        return own if self.host.exists(own) else "/usr/bin/kinit"

    def ticket(self, principal, cache, password="x", *args):
        self.run(self.kinit(), "-c", "FILE:" + cache, *args, principal,
                 said=password + "\n")

    def stop(self):
        return self.process.stop()
