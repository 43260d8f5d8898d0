# SPDX-License-Identifier: ISC
"""An authorization server for the tests: keys that sign (ES256), its JWKS, its
answers about tokens (RFC 7662), and what a bad one does."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.parse

ISSUER = "https://id.example.org"
CLIENT, SECRET = "popper", "s3cret"


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*args, octets=None):
    return subprocess.run(["openssl", *args], input=octets, check=True,
                          capture_output=True).stdout


def raw_signature(der):
    """Two numbers of 32 octets, from ASN.1's SEQUENCE of two INTEGERs."""
    out, at = b"", 2
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return out


class Key:
    def __init__(self, kid, path):
        self.kid, self.path = kid, path
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                path)
        point = openssl("ec", "-in", path, "-pubout", "-outform", "DER")[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid,
                    "x": b64(point[:32]), "y": b64(point[32:])}

    def token(self, user, header=None, **claims):
        now = int(time.time())
        head = {"alg": "ES256", "kid": self.kid, "typ": "JWT", **(header or {})}
        body = {"iss": ISSUER, "aud": "mail", "sub": user, "iat": now,
                "exp": now + 600, **claims}
        text = ".".join(b64(json.dumps(x).encode()) for x in (head, body))
        der = openssl("dgst", "-sha256", "-sign", self.path,
                      octets=text.encode())
        return text + "." + b64(raw_signature(der))


class Server:
    """Answers at a listener of a private host."""

    def __init__(self, host, port, certificate=None):
        self.keys = []
        self.tokens = {}                # opaque token: what is said of it
        self.asked = []                 # paths, and the tokens in question
        self.odd = None                 # what to do instead of answering
        self.go_on = threading.Event()  # ends what hangs
        listener = host.listen(port)
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
            listener = self.context.wrap_socket(
                listener, server_side=True, do_handshake_on_connect=False)
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 20

            def log_message(self, *_):
                pass

            def answer(self, octets, status=200, **headers):
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def do_GET(self):
                server.asked.append(self.path)
                if not server.misbehave(self):
                    self.answer(json.dumps(server.jwks()).encode())

            def do_POST(self):
                n = int(self.headers["Content-Length"])
                form = urllib.parse.parse_qs(self.rfile.read(n).decode())
                token = form["token"][0]
                server.asked.append(token)
                if server.misbehave(self):
                    return
                word = "Basic " + base64.b64encode(
                    ("%s:%s" % (CLIENT, SECRET)).encode()).decode()
                if self.headers.get("Authorization") != word:
                    self.answer(b"{}", 401)
                    return
                self.answer(json.dumps(server.tokens.get(
                    token, {"active": False})).encode())

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.http = Quiet(("", 0), Handler, bind_and_activate=False)
        self.http.socket.close()
        self.http.socket = listener
        self.thread = threading.Thread(target=self.http.serve_forever,
                                       args=(0.05,), daemon=True)
        self.thread.start()

    def jwks(self):
        return {"keys": [k.jwk for k in self.keys]}

    def misbehave(self, handler):
        """True: it has been answered, such as it is."""
        odd = self.odd
        if odd == "hang":
            self.go_on.wait(20)
        elif odd == "garbage":
            handler.answer(b"<html>hello</html>")
        elif odd == "huge":
            handler.answer(b" " * (1 << 20))
        elif odd == "redirect":
            handler.answer(b"", 302, Location="/elsewhere")
        elif odd == "error":
            handler.answer(b"{}", 500)
        return odd is not None

    def stop(self):
        self.go_on.set()
        self.http.shutdown()
        self.thread.join(5)
        self.http.server_close()
