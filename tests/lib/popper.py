# SPDX-License-Identifier: ISC
"""Starting popper, and speaking POP3 to it with suspicion."""

import re
import socket
import subprocess
import threading
import time

from lib.host import binary


class PopError(Exception):
    """A -ERR; the text is args[0] (bytes)."""


class ProtocolError(AssertionError):
    """The server broke a rule of the protocol."""


class Pop:
    """A POP3 client that checks what it is told.

    Every line must end with CRLF, a status is exactly +OK or -ERR within 512
    octets, a multi-line reply is stuffed properly and ends with a lone dot.
    """

    def __init__(self, sock, greet=True, timeout=120):
        self.sock = sock
        self.sock.settimeout(timeout)
        self.buf = bytearray()
        self.greeting = None
        if greet:
            try:
                self.greeting = self.status()
            except BaseException:
                sock.close()
                raise

    # -- the wire ---------------------------------------------------------

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("closed; left over: %r" % bytes(self.buf[:200]))
        self.buf += data

    def line(self):
        at = 0
        while True:
            i = self.buf.find(b"\n", at)
            if i >= 0:
                break
            at = len(self.buf)
            self.fill()
        line = bytes(self.buf[:i + 1])
        del self.buf[:i + 1]
        if not line.endswith(b"\r\n"):
            raise ProtocolError("line without CRLF: %r" % line[:200])
        return line[:-2]

    def status(self):
        line = self.line()
        if len(line) > 510:
            raise ProtocolError("status of %d octets" % len(line))
        if not re.match(rb"(\+OK|-ERR)( |$)", line):
            raise ProtocolError("no status: %r" % line[:200])
        if re.search(rb"[\x00-\x1f\x7f-\xff]", line):
            raise ProtocolError("odd octets in a status: %r" % line)
        return line

    def body(self):
        """The text of a multi-line reply, dots removed."""
        while not (self.buf.startswith(b".\r\n") or b"\r\n.\r\n" in self.buf):
            # Search only what is new: the replies may be long.
            start = max(0, len(self.buf) - 4)
            self.fill()
            while self.buf.find(b"\r\n.\r\n", start) < 0 \
                    and not self.buf.startswith(b".\r\n"):
                start = max(0, len(self.buf) - 4)
                self.fill()
        if self.buf.startswith(b".\r\n"):
            del self.buf[:3]
            return b""
        end = self.buf.find(b"\r\n.\r\n")
        raw = bytes(self.buf[:end + 2])
        del self.buf[:end + 5]
        if re.search(rb"(?<!\r)\n", raw):
            raise ProtocolError("bare LF in a multi-line reply")
        if re.search(rb"(?:\A|\n)\.(?!\.)", raw):
            raise ProtocolError("a dot was not stuffed")
        return re.sub(rb"(\A|\n)\.\.", rb"\1.", raw)

    def at_end(self):
        """Nothing more comes, and the end is no reset."""
        rest = bytes(self.buf)
        while True:
            data = self.sock.recv(65536)
            if not data:
                break
            rest += data
        if rest:
            raise ProtocolError("more came: %r" % rest[:200])

    # -- commands ---------------------------------------------------------

    def cmd(self, *words):
        """One command with a one-line reply; gives its text after the
        status.  -ERR raises PopError."""
        self.send(b" ".join(w if isinstance(w, bytes) else str(w).encode()
                            for w in words) + b"\r\n")
        return self.reply()

    def reply(self):
        line = self.status()
        if line.startswith(b"-ERR"):
            raise PopError(line[5:])
        return line[4:]

    def multi(self, *words):
        """One command with a multi-line reply: (status text, body)."""
        text = self.cmd(*words)
        return text, self.body()

    def login(self, user, password):
        self.cmd("USER", user)
        text = self.cmd("PASS", password)
        m = re.match(rb"Maildrop has (\d+) messages \((\d+) octets\)\.", text)
        if not m:
            raise ProtocolError("PASS said %r" % text)
        return int(m.group(1)), int(m.group(2))

    def stat(self):
        m = re.fullmatch(rb"(\d+) (\d+)", self.cmd("STAT"))
        if not m:
            raise ProtocolError("STAT")
        return int(m.group(1)), int(m.group(2))

    def _pairs(self, command):
        out = {}
        for line in self.multi(command)[1].split(b"\r\n")[:-1]:
            n, value = line.split(b" ")
            out[int(n)] = value
        return out

    def list(self):
        return {n: int(v) for n, v in self._pairs("LIST").items()}

    def uidl(self):
        return self._pairs("UIDL")

    def retr(self, n):
        """The message; its size must be what LIST says."""
        size = int(self.cmd("LIST", n).split(b" ")[1])
        _, body = self.multi("RETR", n)
        if len(body) != size:
            raise ProtocolError("message %d: LIST %d, RETR %d octets"
                                % (n, size, len(body)))
        return body

    def dele(self, n):
        return self.cmd("DELE", n)

    def quit(self):
        """QUIT and the end of the connection: both must be clean."""
        text = self.cmd("QUIT")
        self.at_end()
        self.sock.close()
        return text

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Inetd:
    """Starts a program per connection, its socket as descriptors 0, 1 and 2,
    as inetd does.  argv defaults to a bare popper."""

    def __init__(self, host, port=110, argv=("/usr/sbin/popper",), env=None,
                 address="127.0.0.1"):
        self.host, self.argv, self.env = host, list(argv), env
        self.children = []
        self._listener = host.listen(port, address)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self.children.append(self.host.popen(
                self.argv, stdin=conn, stdout=conn, stderr=conn,
                env=self.env))
            conn.close()

    def wait(self, timeout=120):
        """Until all that were started have ended: their return codes."""
        deadline = time.monotonic() + timeout
        return [c.wait(max(0.1, deadline - time.monotonic()))
                for c in self.children]

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._listener.close()
        for c in self.children:
            c.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Super:
    """As inetd: one process whose children are the poppers, one a connection,
    for tests that look at the family of one."""

    PROGRAM = """
import signal, socket, subprocess, sys
children = []
def stop(*_):
    for p in children:
        if p.poll() is None:
            p.terminate()
    for p in children:
        p.wait()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
s = socket.create_server(("127.0.0.1", %d))
while True:
    c, _ = s.accept()
    children = [p for p in children if p.poll() is None]
    children.append(subprocess.Popen(["/usr/sbin/popper"], stdin=c, stdout=c,
                                     stderr=c))
    c.close()
"""

    def __init__(self, host, port=110):
        self.process = host.popen(["python3", "-c", self.PROGRAM % port])
        host.wait_port(port)

    def stop(self):
        return self.process.stop()


class Serve:
    """popper serve within a private host, ready when this returns."""

    def __init__(self, host, port=110, args=(), env=None):
        self.host = host
        self.process = host.popen(["/usr/sbin/popper", "serve", *args],
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, env=env)
        try:
            host.wait_port(port)
        except TimeoutError:
            self.process.stop()
            raise AssertionError("popper serve: %r"
                                 % self.process.stderr.read()) from None

    def stop(self):
        code = self.process.stop()
        self.process.stderr.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def conf(**options):
    """The text of a popper.conf."""
    return "".join("%s = %s\n" % kv for kv in options.items())


__all__ = ["Inetd", "Pop", "PopError", "ProtocolError", "Serve", "Super",
           "binary",
           "conf"]
