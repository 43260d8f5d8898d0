# SPDX-License-Identifier: ISC
"""Certificates of clients, from authorities of the tests' own."""

import hashlib
import os
import ssl
import subprocess
import tempfile

CONF = """[ca]
default_ca = it
[it]
database = index
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
rand_serial = yes
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
organizationName = optional
[req]
distinguished_name = name
[name]
"""


def fingerprint(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


class Authority:
    def __init__(self, name, above=None):
        self._folder = tempfile.TemporaryDirectory()
        self.chain = ""
        self.write("conf", CONF)
        self.write("index", "")
        if above is None:
            self.run("req", "-x509", *self.new("ca.key"), "-days", "60",
                     "-subj", "/CN=" + name, "-addext",
                     "keyUsage=critical,keyCertSign,cRLSign", "-out", "ca.pem")
        else:
            pem, key = above.make(
                name, "basicConstraints=critical,CA:TRUE",
                "keyUsage=critical,keyCertSign,cRLSign")
            self.write("ca.pem", pem)
            self.write("ca.key", key)
            self.chain = self.pem

    def path(self, name):
        return os.path.join(self._folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)

    def read(self, name):
        with open(self.path(name), encoding="ascii") as f:
            return f.read()

    def run(self, *argv):
        subprocess.run(["openssl", *argv], cwd=self._folder.name, check=True,
                       capture_output=True)

    @staticmethod
    def new(key):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-config", "conf", "-keyout", key]

    @property
    def pem(self):
        return self.read("ca.pem")

    def make(self, common, *extensions, subject="", ends=None):
        """(certificate, key) of a client, with such extensions."""
        added = []
        for e in extensions or ("extendedKeyUsage=clientAuth",):
            added += ["-addext", e]
        self.run("req", *self.new("key"), "-subj", "/CN=%s%s"
                 % (common, subject), *added, "-out", "csr")
        dates = ["-startdate", "200101000000Z", "-enddate", ends] \
            if ends else []
        self.run("ca", "-config", "conf", "-batch", "-notext", "-in", "csr",
                 *dates, "-out", "cert")
        return self.read("cert"), self.read("key")

    def revoke(self, pem):
        self.write("gone", pem)
        self.run("ca", "-config", "conf", "-revoke", "gone")

    def crl(self):
        self.run("ca", "-config", "conf", "-gencrl", "-out", "crl")
        return self.read("crl")

    def close(self):
        self._folder.cleanup()


def shows(context, certificate, chain=""):
    """The client has this one, (certificate, key)."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
        f.write(certificate[0] + chain + certificate[1])
        f.flush()
        context.load_cert_chain(f.name)
    return context
