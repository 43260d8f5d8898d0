# SPDX-License-Identifier: ISC
"""What the tests of TLS share: certificates, and clients under TLS."""

import os
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "serve"))

import house                                                    # noqa: E402
from lib.popper import Inetd, Pop, conf                         # noqa: E402

POP, POPS = 110, 995
KINDS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}


def certificate(*names, kind="ec", days=30):
    """(certificate, private key), PEM, signed by itself."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert = folder + "/key", folder + "/cert"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", *KINDS[kind],
             "-days", str(days), "-subj", "/CN=" + names[0], "-addext",
             "subjectAltName=" + ",".join("DNS:" + n for n in names),
             "-keyout", key, "-out", cert], check=True, capture_output=True)
        with open(cert, encoding="ascii") as c, \
                open(key, encoding="ascii") as k:
            return c.read(), k.read()


def trusting(*certificates, **attributes):
    """A client's settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for c in certificates:
        context.load_verify_locations(cadata=c)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def insecure():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Servers:
    """A super-server for each port."""

    def __init__(self, host):
        self.all = [Inetd(host, port) for port in (POP, POPS)]

    def stop(self):
        for server in self.all:
            server.stop()


class Alone:
    """For a test with a family's host, before Clients: one process, alice's."""

    SINGLE = {"isolation": "single", "maildrop": "~/mbox",
              "passwd_file": "users", "state_dir": "state", "run_dir": "run",
              "deny_file": "none", "tls_certificate": "cert.pem key=key.pem"}
    UP = 2000               # her ports are above ours

    def serve_alone(self, *files, **options):
        """Files are (name, text), beside popper.conf."""
        own = "/home/alice/pop"
        text = conf(**{**house.family.OPTIONS, **self.SINGLE, **options}) \
            + "listen = 127.0.0.1:%d\nlisten = 127.0.0.1:%d tls\n" % (
                POP + self.UP, POPS + self.UP)
        self.host.mkdir(own, 0o755, "alice")
        for name, text in (*files, ("cert.pem", self.cert),
                           ("key.pem", self.key), ("conf", text)):
            self.host.write("%s/%s" % (own, name), text, 0o600, "alice")
        server = self.host.popen(["/usr/sbin/popper", "serve", "--config",
                                  own + "/conf"], user="alice")
        self.addCleanup(server.stop)
        self.host.wait_port(POPS + self.UP)

    def open(self, port):
        return super().open(port + self.UP)


class Clients:
    """For a test with a host."""

    NAME = "pop.example.org"
    ROWS = ("listen = 127.0.0.1:%d" % POP, "listen = 127.0.0.1:%d tls" % POPS,
            "tls_certificate = /etc/popper/cert.pem key=/etc/popper/key.pem")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cert, cls.key = certificate(cls.NAME)

    def serve(self, *rows, **options):
        self.lay(self.cert, self.key)
        super().serve(*(rows or self.ROWS), **{
            "auth_fail_delay": 0, "hostname": self.NAME,
            "plaintext_networks": "", **options})

    def lay(self, cert, key, name=""):
        self.host.write("/etc/popper/cert%s.pem" % name, cert, 0o644)
        self.host.write("/etc/popper/key%s.pem" % name, key, 0o600)

    def open(self, port):
        sock = self.host.connect(port)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(60)
        self.addCleanup(sock.close)
        return sock

    def wrap(self, sock, context=None, name=NAME):
        sock = (context or trusting(self.cert)).wrap_socket(
            sock, server_hostname=name)
        self.addCleanup(sock.close)
        return sock

    def pops(self, context=None, name=NAME, **kw):
        """Under TLS from the beginning."""
        return Pop(self.wrap(self.open(POPS), context, name), **kw)

    def stls(self, context=None, name=NAME):
        """Under TLS after STLS."""
        pop = Pop(self.open(POP))
        pop.cmd("STLS")
        assert not pop.buf
        pop.sock = self.wrap(pop.sock, context, name)
        return pop


class Tls(Clients, house.House):
    """popper serve with TLS."""
