# SPDX-License-Identifier: ISC
"""What public scanners say of TLS as it is by default: sslscan, and in the long
run testssl.sh.  The grade is counted as SSL Labs does (its Server Rating Guide:
https://github.com/ssllabs/research/wiki/SSL-Server-Rating-Guide) from what sslscan
has found.
"""

import json
import os
import re
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import house_tls                                                # noqa: E402
from house_tls import POP, POPS, certificate                    # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Serve                                    # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
NAME = house_tls.Clients.NAME
PROTOCOLS = {("ssl", "2"): 0, ("ssl", "3"): 80, ("tls", "1.0"): 90,
             ("tls", "1.1"): 95, ("tls", "1.2"): 100, ("tls", "1.3"): 100}
# As good as so many bits of RSA (NIST SP 800-57 part 1, table 2).
AS_RSA = {112: 2048, 128: 3072, 192: 7680, 224: 11000, 256: 15360, 260: 15360}


def middle(scores):
    return (max(scores) + min(scores)) / 2


def of_key(bits):
    """Points for an RSA key of so many bits."""
    return (100 if bits >= 4096 else 90 if bits >= 2048 else
            80 if bits >= 1024 else 40 if bits >= 512 else 20)


def of_cipher(bits):
    return 100 if bits >= 256 else 80 if bits >= 128 else 20 if bits > 0 else 0


class Scanned(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        packages = ["sslscan"] + (["testssl.sh"] if LONG else [])
        cls.host = Host(packages=[unpack(p) for p in packages])
        cls.addClassCleanup(cls.host.close)
        for kind, name in (("ec", "cert"), ("rsa", "rsa")):
            cert, key = certificate(NAME, kind=kind)
            cls.host.write("/etc/popper/%s.pem" % name, cert + key, 0o600)
        cls.host.write("/etc/popper/popper.conf", "peer_check = no\n"
                       "listen = 127.0.0.1:110\nlisten = 127.0.0.1:995 tls\n"
                       "tls_certificate = cert.pem\n"
                       "tls_certificate = rsa.pem\n"
                       "max_sessions_per_address = 1000\n")
        server = Serve(cls.host)
        cls.addClassCleanup(server.stop)

    def sslscan(self, port):
        words = ["--starttls-pop3"] if port == POP else []
        r = self.host.run(
            ["sslscan", "--xml=-", "--no-colour", "--show-sigs",
             "--sni-name=" + NAME, *words, "127.0.0.1:%d" % port], timeout=120)
        return xml.etree.ElementTree.fromstring(r.stdout).find("ssltest")

    def grade(self, found):
        """Points of 100: A from 80 on."""
        protocols = [PROTOCOLS[p.get("type"), p.get("version")]
                     for p in found.iter("protocol") if p.get("enabled") == "1"]
        ciphers = [of_cipher(int(c.get("bits"))) for c in found.iter("cipher")]
        keys = [AS_RSA[int(g.get("bits"))] for g in found.iter("group")]
        keys += [int(k.get("bits")) if k.get("type") == "RSA" else
                 AS_RSA[int(k.get("bits"))] for k in found.iter("pk")]
        return (0.3 * middle(protocols) + 0.3 * of_key(min(keys))
                + 0.4 * middle(ciphers))

    def check_scan(self, port):
        found = self.sslscan(port)
        enabled = {(p.get("type"), p.get("version"))
                   for p in found.iter("protocol") if p.get("enabled") == "1"}
        self.assertEqual(enabled, {("tls", "1.2"), ("tls", "1.3")})
        # What caps the grade below A, whatever the points.
        for c in found.iter("cipher"):
            self.assertRegex(c.get("cipher"),
                             "^(TLS_|ECDHE-(ECDSA|RSA)-).*(GCM|CHACHA20)")
        self.assertEqual(found.find("renegotiation").get("supported"), "0")
        self.assertEqual({h.get("vulnerable")
                          for h in found.iter("heartbleed")}, {"0"})
        self.assertTrue(list(found.iter("group")))
        for s in found.iter("connection-signature-algorithm"):
            self.assertNotRegex(s.get("name"), "(?i)sha1|md5|any")
        self.assertGreaterEqual(self.grade(found), 80)

    def test_from_the_first_octet(self):
        self.check_scan(POPS)

    def test_stls(self):
        self.check_scan(POP)


@unittest.skipUnless(LONG, "long run only (make test-long)")
class Testssl(Scanned):
    # About the name and who signed it: a scanner of a private host cannot know.
    # That a ticket is taken it finds out with a connection that it ends too early.
    OURS = re.compile("cert_(trust|chain_of_trust|revocation|expirationStatus"
                      "|validityPeriod|subjectAltName|commonName.*|notAfter"
                      "|crl.*|ocsp.*)|OCSP.*|DNS.*|scanTime|engine_problem.*"
                      "|sessionresumption_ticket")

    def check_scan(self, port):
        words = ["-t", "pop3"] if port == POP else []
        self.host.run(
            ["testssl", "--quiet", "--color", "0", "--warnings", "batch",
             "--nodns", "none", "--openssl", "/usr/bin/openssl",
             "--jsonfile", "/tmp/found.json", "-p", "-s", "-f", "-P", "-S",
             "-U", *words, "127.0.0.1:%d" % port], timeout=1200)
        found = json.loads(self.host.read("/tmp/found.json"))
        self.host.run(["rm", "/tmp/found.json"])
        self.assertGreater(len(found), 40)
        bad = [(f["id"], f["severity"], f["finding"]) for f in found
               if f["severity"] not in ("OK", "INFO", "LOW", "DEBUG")
               and not self.OURS.match(f["id"])]
        self.assertEqual(bad, [])


if __name__ == "__main__":
    unittest.main()
