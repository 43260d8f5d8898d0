# SPDX-License-Identifier: ISC
"""popper check about certificates, and about who must have TLS."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tls"))

from authority import Authority                                 # noqa: E402
from house_tls import certificate                               # noqa: E402
from test_check import CONF, QUIET, Checking                    # noqa: E402

NAME = "pop.example.org"
BASE = QUIET + "hostname = %s\nplaintext_networks = 10.0.0.0/8\n" % NAME
ROW = "tls_certificate = cert.pem key=key.pem\n"


def remove_all():
    for name in ("cert.pem", "key.pem"):
        if os.path.exists("/etc/popper/" + name):
            os.unlink("/etc/popper/" + name)


class Tls(Checking):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.good = certificate(NAME, days=90)

    def setUp(self):
        super().setUp()
        self.host.call(remove_all)

    def lay(self, cert=None, key=None, mode=0o600):
        self.host.write("/etc/popper/cert.pem", cert or self.good[0], 0o644)
        self.host.write("/etc/popper/key.pem", key or self.good[1], mode)

    def test_good(self):
        self.lay()
        self.complains(BASE + ROW + "listen = *:110\nlisten = *:995 tls\n",
                       status=0)

    def test_clients(self):
        self.lay()
        ca = self.good[0]
        for text, crl, why in (
                (ca, None, None),
                ("x", None, "tls_client_ca: it must hold"),
                (ca + "x", None, None),
                (ca, "x", "tls_client_crl: it must hold"),
                (ca, ca, "tls_client_crl: it must hold")):
            with self.subTest(why=why):
                self.host.write("/etc/popper/client-certificates", "", 0o644)
                self.host.write("/etc/popper/ca.pem", text, 0o644)
                row = "tls_client_ca = ca.pem\n"
                if crl:
                    self.host.write("/etc/popper/crl.pem", crl, 0o644)
                    row += "tls_client_crl = crl.pem\n"
                code, lines = self.check(BASE + ROW + row)
                self.assertEqual(code, 78 if why else 0, lines)
                if why:
                    self.assertRegex(lines[0], why)

    def test_bad_ones(self):
        cert, key = self.good
        for c, k, why in ((cert, certificate(NAME)[1], "another certificate"),
                          ("x", key, "no certificate in it"),
                          (cert, "x", "private key cannot be read"),
                          (cert + "-----BEGIN CERTIFICATE-----\nx\n", key,
                           "what follows its first certificate"),
                          (cert + certificate("ca.example")[0], key,
                           "no chain")):
            with self.subTest(why=why):
                self.lay(c, k)
                code, lines = self.check(BASE + ROW)
                self.assertEqual(code, 78)
                self.assertRegex(lines[0], CONF + ":5: error: "
                                 "tls_certificate: cert.pem: .*" + why)

    def test_missing(self):
        self.complains(BASE + ROW,
                       (CONF + ":5: error: tls_certificate:", "cert.pem"))

    def test_dates(self):
        self.lay(*certificate(NAME, days=5))
        self.complains(BASE + ROW, (CONF + ":5: warning: tls_certificate:",
                                    "expires in "), status=0)

    def test_expired(self):
        """No reason to refuse a reload by which something else is mended."""
        authority = Authority("its issuer")
        self.addCleanup(authority.close)
        self.lay(*authority.make(NAME, "subjectAltName=DNS:" + NAME,
                                 ends="210101000000Z"))
        for args, severity, status in (((), "error", 78),
                                       (("--quick",), "warning", 0)):
            code, lines = self.check(BASE + ROW, *args)
            self.assertEqual(code, status, lines)
            self.assertIn(CONF + ":5: %s: tls_certificate: cert.pem has expired"
                          % severity, lines[0])

    def test_other_name(self):
        self.lay(*certificate("pop.example.com", "*.example.com", days=90))
        self.complains(BASE + ROW, (CONF + ":5: warning: tls_certificate:",
                                    "none has the name " + NAME), status=0)
        self.lay(*certificate("x.example", "*.example.org", days=90))
        self.complains(BASE + ROW, status=0)

    def test_open_key(self):
        self.lay(mode=0o644)
        self.complains(BASE + ROW, (CONF + ":5: error: tls_certificate:",
                                    "chmod o= key.pem"))

    def test_not_for_the_keeper(self):
        """Files that only root with all its rights can read are never seen again."""
        self.lay()
        self.host.mkdir("/etc/popper/acme", 0o700, "nobody")
        for name, pem in zip(("cert", "key"), self.good):
            self.host.write("/etc/popper/acme/" + name, pem, 0o600, "nobody")
        code, lines = self.check(
            BASE + "tls_certificate = acme/cert key=acme/key\n")
        self.assertEqual(code, 0, lines)
        self.assertRegex(lines[0], "warning: tls_certificate: popper serve will "
                         "not notice .* open acme/cert: Permission denied, for")

    def test_listeners(self):
        self.lay()
        self.complains(BASE + ROW + "listen = *:995\nlisten = *:110 tls\n"
                       "listen = *:1995 tls old_tls\n",
                       (CONF + ":6: warning: listen:", "add tls"),
                       (CONF + ":7: warning: listen:", "remove tls"),
                       (CONF + ":8: warning: listen:", "old_tls"), status=0)
        self.complains(BASE + "listen = *:995 tls\n",
                       (CONF + ":5: error: listen:", "needs a certificate"))

    def test_nobody_may_log_in(self):
        self.complains(QUIET + "plaintext_networks =\n", (
            CONF + ":3: warning: plaintext_networks:", "only this host"),
            status=0)

    def test_everybody_may(self):
        self.complains(QUIET + "plaintext_networks = 0.0.0.0/0 ::/0\n",
                       (CONF + ":3: warning: plaintext_networks: 0.0.0.0/0",
                        "everybody"),
                       (CONF + ":3: warning: plaintext_networks: ::/0",
                        "everybody"), status=0)


if __name__ == "__main__":
    unittest.main()
