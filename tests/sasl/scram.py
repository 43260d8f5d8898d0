# SPDX-License-Identifier: ISC
"""A client of SCRAM (RFC 5802), by Python's own hashes."""

import base64
import hashlib
import hmac
import secrets


class Scram:
    def __init__(self, user, password, name="SHA-256", flag="n", binding=b""):
        self.hash = "sha1" if name == "SHA-1" else "sha256"
        self.password = password
        self.nonce = secrets.token_urlsafe(18)
        self.gs2 = flag + ",,"
        self.binding = binding
        self.verifier = None
        self.bare = "n=%s,r=%s" % (user, self.nonce)

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, challenge):
        said = challenge.decode()
        nonce, salt, rounds = (f[2:] for f in said.split(",")[:3])
        assert nonce.startswith(self.nonce) and len(nonce) > len(self.nonce)
        bound = base64.b64encode(self.gs2.encode() + self.binding).decode()
        last = "c=%s,r=%s" % (bound, nonce)
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(),
                                     base64.b64decode(salt), int(rounds))
        client = self.sign(salted, b"Client Key")
        whole = ",".join((self.bare, said, last)).encode()
        proof = bytes(a ^ b for a, b in zip(client, self.sign(
            hashlib.new(self.hash, client).digest(), whole)))
        self.verifier = self.sign(self.sign(salted, b"Server Key"), whole)
        return (last + ",p=" + base64.b64encode(proof).decode()).encode()

    def sign(self, key, text):
        return hmac.new(key, text, self.hash).digest()

    def knows(self, challenge):
        """The server has the secret, too."""
        return challenge == b"v=" + base64.b64encode(self.verifier)
