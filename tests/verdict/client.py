# SPDX-License-Identifier: ISC
"""A client that logs in by every mechanism, right or wrong as it is told."""

import base64
import re
import socket
import ssl

from lib.popper import Pop
from model import DIGESTS, TOKENS, digest, octets, scram_secret
from authority import shows
from house_tls import insecure
from scram import Scram
from test_proxy import v1, v2
import town

CHALLENGE_REFUSED = {"oauthbearer": b"AQ==", "xoauth2": b""}


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else octets(text))


def client_context(pair=None, old=False):
    """Trusts everybody; shows (certificate, key)."""
    context = insecure()
    if old:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return shows(context, pair) if pair else context


def connect(host, port, source):
    """To the private host, from an address of its own."""
    sock = host.in_network(lambda: socket.create_connection(
        ("127.0.0.1", port), 120, (source, 0)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def open_way(host, way, contexts, chance):
    """The connection, ready for a login."""
    context = contexts[way.certificate, way.old_tls]
    proxied = way.port in town.OF_PROXIES
    sock = connect(host, way.port, "127.0.0.1" if proxied else way.ip)
    try:
        if proxied:
            sock.sendall(chance.choice((v1, v2))(way.ip))
        if way.port in (town.POPS, town.PROXIEDS):
            sock = context.wrap_socket(sock)
        pop = Pop(sock)
        if way.stls:
            pop.cmd("STLS")
            pop.sock = context.wrap_socket(pop.sock)
            pop.sock.settimeout(120)
        return pop
    except BaseException:
        sock.close()
        raise


class Attempt:
    """One login over a connection; say() gives the last line of it."""

    def __init__(self, pop, login, chance):
        self.pop, self.login, self.chance = pop, login, chance
        self.steps = 0              # messages of the server's before that

    def waver(self, other):
        """Begin as somebody else, and stop: that counts for nothing."""
        word = self.chance.choice((
            "USER " + other, "CAPA", "AUTH PLAIN", "AUTH LOGIN",
            "AUTH CRAM-MD5", "AUTH XOAUTH2", "AUTH SCRAM-SHA-1",
            "AUTH SCRAM-SHA-256", "AUTH EXTERNAL"))
        line = self.command(word)
        if word == "CAPA":
            self.pop.body()
        if word.startswith("AUTH SCRAM") and line.startswith(b"+ "):
            line = self.command(b64(Scram(other, "x").first()))
        if word == "AUTH LOGIN" and line.startswith(b"+ "):
            line = self.command(b64(other))
        if line.startswith(b"+ "):
            line = self.command("*")
            if line != b"-ERR Authentication cancelled.":
                raise AssertionError("not cancelled: %r" % line)

    def say(self):
        m = self.login.mechanism
        if m == "pass":
            return self.say_pass()
        if m == "apop":
            return self.say_apop()
        if m in ("plain", "external", *TOKENS):
            return self.say_message()
        if m == "login":
            return self.say_login()
        return self.say_cram() if m in DIGESTS else self.say_scram()

    def command(self, text):
        self.pop.send((text if isinstance(text, bytes) else octets(text))
                      + b"\r\n")
        return self.pop.line()

    def auth(self, first=None):
        """AUTH, perhaps with the first message in the same line."""
        word = self.login.mechanism + ("-plus" if self.login.plus else "")
        word = self.chance.choice((word.upper(), word.capitalize())).encode()
        if first is None:
            return self.command(b"AUTH " + word)
        if self.chance.random() < 0.5 and len(first) < 180:
            return self.command(b"AUTH " + word + b" " + (first or b"="))
        line = self.command(b"AUTH " + word)
        return self.command(first) if line == b"+ " else line

    def say_pass(self):
        line = self.command("USER " + self.login.name)
        if line != b"+OK Password required.":
            return line
        return self.command("PASS " + self.login.secret)

    def say_apop(self):
        stamp = re.search(rb"<[^>]+>", self.pop.greeting)
        if self.login.broken:
            text = "0123"
        else:
            text = digest("apop", stamp.group(0) if stamp else b"",
                          self.login.secret)
        return self.command("APOP %s %s" % (self.login.name, text))

    def message(self):
        login = self.login
        if login.broken:
            return b64("what\0")
        if login.mechanism == "plain":
            return b64("%s\0%s\0%s" % (login.authz, login.name, login.secret))
        if login.mechanism == "external":
            return b64(login.authz)
        if login.mechanism == "xoauth2":
            return b64("user=%s\1auth=Bearer %s\1\1" % (login.name,
                                                        login.secret))
        return b64("n,%s,\1auth=Bearer %s\1\1" % (
            "a=" + login.name if login.name else "", login.secret))

    def say_message(self):
        line = self.auth(self.message())
        if self.login.mechanism in TOKENS and line.startswith(b"+ "):
            line = self.command(CHALLENGE_REFUSED[self.login.mechanism])
        return line

    def say_login(self):
        line = self.auth()
        if not line.startswith(b"+ "):
            return line
        if self.login.broken:
            return self.command("!")
        line = self.command(b64(self.login.name))
        return self.command(b64(self.login.secret)) \
            if line.startswith(b"+ ") else line

    def say_cram(self):
        line = self.auth()
        if not line.startswith(b"+ "):
            return line
        stamp = base64.b64decode(line[2:])
        return self.command(b64("what") if self.login.broken else b64(
            "%s %s" % (self.login.name,
                       digest("cram-md5", stamp, self.login.secret))))

    def scram(self):
        flag, binding = self.login.flag, b""
        if self.login.plus:
            flag = "p=tls-unique"
            if isinstance(self.pop.sock, ssl.SSLSocket):
                binding = self.pop.sock.get_channel_binding("tls-unique")
        return Scram(self.login.name, scram_secret(self.login),
                     self.login.mechanism[6:].upper(), flag, binding)

    def say_scram(self):
        client = self.scram()
        line = self.auth(b64("what") if self.login.broken
                         else b64(client.first()))
        if not line.startswith(b"+ "):
            return line
        self.steps += 1
        line = self.command(b64(client.final(base64.b64decode(line[2:]))))
        if not line.startswith(b"+ "):
            return line
        if not client.knows(base64.b64decode(line[2:])):
            raise AssertionError("the server does not know the secret")
        return self.command(b"")
