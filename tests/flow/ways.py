# SPDX-License-Identifier: ISC
"""The ways a client's octets reach popper: each starts one popper as inetd
does (the connection is its standard input and output), or is one more client
of a `popper serve`, and is the client's end.
"""

import array
import fcntl
import functools
import os
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import termios
import time

PATIENCE = 60           # seconds for a reply
LINGER_RESET = struct.pack("ii", 1, 0)


class Gone(Exception):
    """The server has closed."""


class Connection:
    """What all ways have in common: reading, and the end."""

    root = False            # who is not root cannot have it

    def __init__(self, process):
        self.process = process
        self.buf = bytearray()
        self.heard = bytearray()        # all that ever came

    def fileno(self):
        raise NotImplementedError

    def _recv(self):
        raise NotImplementedError

    def fill(self):
        ready, _, _ = select.select([self.fileno()], [], [], PATIENCE)
        if not ready:
            raise TimeoutError("no reply within %d s" % PATIENCE)
        try:
            data = self._recv()
        except ConnectionResetError:
            raise Gone("reset") from None
        if not data:
            raise Gone("closed")
        self.buf += data
        self.heard += data

    def line(self):
        while b"\n" not in self.buf:
            self.fill()
        end = self.buf.index(b"\n") + 1
        line = bytes(self.buf[:end])
        del self.buf[:end]
        return line

    def octets(self, n):
        while len(self.buf) < n:
            self.fill()
        data = bytes(self.buf[:n])
        del self.buf[:n]
        return data

    def ended(self):
        """Wait for the server's close; what came before it, unasked."""
        try:
            while True:
                self.fill()
        except Gone as e:
            if str(e) == "reset":
                return b"(reset)"
        return bytes(self.buf)

    def wait(self):
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "still there after the end"


class Pipe(Connection):
    name = "pipe"
    ahead = False

    def __init__(self, fixture):
        with open(os.path.join(fixture.folder, "stderr"), "ab") as err:
            super().__init__(subprocess.Popen(
                fixture.argv(), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=err, bufsize=0,
                preexec_fn=fixture.become, cwd="/"))

    def fileno(self):
        return self.process.stdout.fileno()

    def _recv(self):
        return os.read(self.fileno(), 65536)

    def send(self, data):
        while data:
            data = data[os.write(self.process.stdin.fileno(), data):]

    def leave(self):
        self.process.stdin.close()
        self.process.stdout.close()

    kill = leave


class Tcp(Connection):
    name = "tcp"
    ahead = False

    def prepare(self, fixture, port):
        """Before popper starts."""

    def __init__(self, fixture):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.prepare(fixture, listener.getsockname()[1])
            self.sock = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(subprocess.Popen(
            fixture.argv(), stdin=self.server, stdout=self.server,
            stderr=self.server, preexec_fn=fixture.become, cwd="/"))
        self.keep_server()

    def keep_server(self):
        """Only popper holds its end now."""
        self.server.close()

    def fileno(self):
        return self.sock.fileno()

    def _recv(self):
        return self.sock.recv(65536)

    def send(self, data):
        self.sock.sendall(data)

    def leave(self):
        self.sock.close()

    def kill(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             LINGER_RESET)
        self.sock.close()


class Bytes(Tcp):
    """One octet a segment, the next when popper has read it."""
    name = "bytes"

    def keep_server(self):
        """The socket's other end tells how much lies there unread."""

    def _unread(self):
        n = array.array("i", [0])
        fcntl.ioctl(self.server, termios.FIONREAD, n)
        return n[0]

    def send(self, data):
        patience = time.monotonic() + PATIENCE
        for i in range(len(data)):
            try:
                self.sock.sendall(data[i:i + 1])
            except (BrokenPipeError, ConnectionResetError):
                return          # a server may close in the middle of a line
            while self._unread() > 0 and self.process.poll() is None:
                if time.monotonic() > patience:
                    raise TimeoutError("popper reads nothing")
                time.sleep(0.0001)

    def fill(self):
        # Our copy of its socket hides that popper is gone, so look at both.
        if self.server.fileno() >= 0:
            deadline = time.monotonic() + PATIENCE
            while not select.select([self.sock], [], [], 0.05)[0]:
                if self.process.poll() is not None:
                    self.server.close()
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError("no reply within %d s" % PATIENCE)
        super().fill()

    def leave(self):
        self.server.close()
        super().leave()

    def kill(self):
        self.server.close()
        super().kill()

    def wait(self):
        self.server.close()
        return super().wait()


class Segment(Tcp):
    """All that a session says in one piece, before any reply is read."""
    name = "segment"
    ahead = True


@functools.cache
def certificate():
    """The text of a file for tls_certificate, made once."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-days", "30", "-subj",
             "/CN=pop.example.org", "-keyout", folder + "/key", "-out",
             folder + "/cert"], check=True, capture_output=True)
        text = b""
        for name in ("cert", "key"):
            with open(os.path.join(folder, name), "rb") as f:
                text += f.read()
        return text


class Pops(Tcp):
    """Under TLS from the first octet."""
    name = "pops"
    rule = "listen = 127.0.0.1:%d tls"

    def prepare(self, fixture, port):
        fixture.add("cert.pem", certificate(), "tls_certificate = cert.pem",
                    self.rule % port)

    def __init__(self, fixture):
        super().__init__(fixture)
        self.wrap()

    def wrap(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock.settimeout(PATIENCE)
        self.sock = context.wrap_socket(self.sock)

    def fill(self):
        if not getattr(self.sock, "pending", int)():
            super().fill()
            return
        data = self.sock.recv(65536)
        self.buf += data
        self.heard += data

    def _recv(self):
        try:
            return self.sock.recv(65536)
        except ssl.SSLError as e:
            raise Gone("reset") from e

    def send(self, data):
        try:
            self.sock.sendall(data)
        except ssl.SSLError as e:
            raise BrokenPipeError() from e


class Stls(Pops):
    """In the clear up to STLS, then all of it under TLS: but for the greeting,
    which comes once."""
    name = "stls"
    rule = "listen = 127.0.0.1:%d"

    def wrap(self):
        greeting = self.line()
        self.sock.sendall(b"STLS\r\n")
        if self.line() != b"+OK Begin TLS negotiation.\r\n" or self.buf:
            raise Gone("no TLS")
        super().wrap()
        self.buf, self.heard = bytearray(greeting), bytearray(greeting)


class Split(Tcp):
    """As root, with a process for each of what popper does."""
    name = "split"
    root = True

    def prepare(self, fixture, port):
        fixture.divide()


class Serve(Connection):
    """One of many whom `popper serve` has."""
    name = "serve"
    ahead = False
    root = True

    def __init__(self, fixture):
        if fixture.server is None:
            fixture.server = Server(fixture)
        self.server = server = fixture.server
        self.sock = socket.create_connection(("127.0.0.1", server.port))
        server.clients.add(self)
        super().__init__(server.process)

    fileno, _recv, send = Tcp.fileno, Tcp._recv, Tcp.send
    leave, kill = Tcp.leave, Tcp.kill

    def wait(self):
        self.server.clients.discard(self)
        return self.server.quiet()


class Server:
    """popper serve, for one dialogue."""

    def __init__(self, fixture):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.clients = set()
        fixture.divide("listen = 127.0.0.1:%d" % self.port, "fronts = 1")
        with open(os.path.join(fixture.folder, "stderr"), "ab") as err:
            self.process = subprocess.Popen(
                fixture.argv("serve"), stdin=subprocess.DEVNULL,
                stdout=err, stderr=err, cwd="/")
        self._until(self._hears)

    def _until(self, done):
        end = time.monotonic() + PATIENCE
        while not done():
            if self.process.poll() is not None or time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def _hears(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def _children(self, pid):
        """All that come from there, and what each is called."""
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task),
                      encoding="ascii") as f:
                for child in map(int, f.read().split()):
                    with open("/proc/%d/comm" % child,
                              encoding="ascii") as g:
                        yield g.read().strip()
                    yield from self._children(child)

    def _no_others(self):
        """Than those of clients who are there."""
        try:
            names = list(self._children(self.process.pid))
        except (FileNotFoundError, ProcessLookupError):
            return False        # one has just ended
        return names.count("popper-session") <= len(self.clients) \
            and "popper-hand" not in names

    def quiet(self):
        """As the exit code of a popper that has one session: once those of
        clients who have gone have ended."""
        if self._until(self._no_others):
            return 0
        return self.process.poll() or "a session is still there"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


WAYS = [Pipe, Tcp, Bytes, Segment, Pops, Stls, Split, Serve]
