# SPDX-License-Identifier: ISC
"""A name server on loopback that says what a test wants, true or not.

    with NameServer() as ns:
        ns.ptr("192.0.2.1", "host.example")
        ns.address("host.example", "192.0.2.1")
        ns.servers              # "127.0.0.1:PORT"
        ns.asked                # [(name, type), ...]
"""

import ipaddress
import random
import socket
import struct
import threading

A, CNAME, PTR, AAAA = 1, 5, 12, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
UDP_MAX = 512
SO_RCVBUFFORCE = 33


def wire_name(name):
    """Dotted text, or a list of labels of any octets."""
    labels = name.split(".") if isinstance(name, str) else name
    out = b""
    for label in labels:
        label = label.encode() if isinstance(label, str) else label
        out += bytes([len(label)]) + label
    return out + b"\0"


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


def record(kind, data, name=b"\xc0\x0c"):
    """A resource record; its name is the question's, by a pointer."""
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


class NameServer:
    def __init__(self, silent=False):
        self.silent = silent
        self.records = {}               # (name, type): [data, ...]
        self.names = set()
        self.codes = {}                 # name: RCODE
        self.raw = {}                   # name: function(query, reply) -> bytes
        self.asked = []
        self.holding = False            # answers wait for release()
        self.held = []
        self._open()

    def _open(self):
        for _ in range(50):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._widen()
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket()
            try:
                self.tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:             # taken; another pair
                self.udp.close()
                self.tcp.close()
        self.tcp.listen(5)
        self.tcp.settimeout(0.1)
        self.udp.settimeout(0.1)
        self.servers = "127.0.0.1:%d" % self.port
        self.over = threading.Event()
        self.threads = [threading.Thread(target=t, daemon=True)
                        for t in (self._serve_udp, self._serve_tcp)]

    def _widen(self):
        """A question that its queue has no room for is asked again much later."""
        try:
            self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        except PermissionError:
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()
        self.udp.close()
        self.tcp.close()

    # -- what it knows -----------------------------------------------------

    def add(self, name, kind, data):
        self.names.add(name.lower())
        self.records.setdefault((name.lower(), kind), []).append(data)

    def ptr(self, address, name):
        self.add(reverse(address), PTR, wire_name(name))

    def address(self, name, *addresses):
        for a in addresses:
            ip = ipaddress.ip_address(a)
            self.add(name, A if ip.version == 4 else AAAA, ip.packed)

    def alias(self, name, to):
        self.add(name, CNAME, wire_name(to))

    def exists(self, name):
        """Without any record."""
        self.names.add(name.lower())

    def release(self, hold_on=False):
        """Send what was held back, the last answer first."""
        self.holding = hold_on
        held, self.held = self.held, []
        for reply, peer in reversed(held):
            self.udp.sendto(reply, peer)

    # -- what it says ------------------------------------------------------

    def _answers(self, name, kind):
        found, seen = [], set()
        at = b"\xc0\x0c"
        while (name, kind) not in self.records:
            if (name, CNAME) not in self.records or name in seen:
                return found
            seen.add(name)
            data = self.records[name, CNAME][0]
            found.append(record(CNAME, data, at))
            at, labels, i = data, [], 0
            while data[i]:
                labels.append(data[i + 1:i + 1 + data[i]].decode())
                i += 1 + data[i]
            name = ".".join(labels)
        return found + [record(kind, d, at) for d in self.records[name, kind]]

    def _reply(self, query):
        end = 12
        labels = []
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]]
                          .decode("latin-1"))
            end += 1 + query[end]
        kind = struct.unpack(">H", query[end + 1:end + 3])[0]
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        if self.silent:
            return None
        answers = self._answers(name, kind)
        code = self.codes.get(
            name, NOERROR if name in self.names else NXDOMAIN)
        reply = (query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1,
                                         len(answers), 0, 0)
                 + query[12:end + 5] + b"".join(answers))
        if name in self.raw:
            return self.raw[name](query[:end + 5], reply)
        return reply

    def _serve_udp(self):
        while not self.over.is_set():
            try:
                query, peer = self.udp.recvfrom(4096)
            except (socket.timeout, ConnectionError):
                continue
            reply = self._reply(query)
            if reply is None:
                continue
            if len(reply) > UDP_MAX and len(reply) < 60000:
                flags = struct.unpack(">H", reply[2:4])[0] | 0x200
                reply = (reply[:2] + struct.pack(">HHHHH", flags, 1, 0, 0, 0)
                         + query[12:])
            if self.holding:
                self.held.append((reply[:60000], peer))
                continue
            self.udp.sendto(reply[:60000], peer)

    def _serve_tcp(self):
        while not self.over.is_set():
            try:
                conn, _ = self.tcp.accept()
            except socket.timeout:
                continue
            with conn:
                conn.settimeout(2)
                try:
                    self._talk(conn)
                except OSError:
                    pass

    def _talk(self, conn):
        stream = conn.makefile("rb")
        while not self.over.is_set():
            head = stream.read(2)
            if len(head) < 2:
                return
            reply = self._reply(stream.read(struct.unpack(">H", head)[0]))
            if reply is not None:
                conn.sendall(struct.pack(">H", len(reply)) + reply)


# -- answers that no honest server gives ----------------------------------

def loop_in_question(query, _):
    """The record's name is a pointer to itself."""
    at = len(query)
    pointer = struct.pack(">H", 0xc000 | at)
    return (query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0)
            + query[12:] + record(PTR, wire_name("x.example"), pointer))


def loop_in_data(query, _):
    at = len(query) + 12
    return (query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0)
            + query[12:] + record(PTR, struct.pack(">H", 0xc000 | at)))


def pointer_beyond(query, _):
    return (query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0)
            + query[12:] + record(PTR, b"\xff\xff"))


def count_lies(query, reply):
    return reply[:6] + b"\xff\xff" + reply[8:]


def cut_short(query, reply):
    return reply[:-3]


def long_labels(query, _):
    """A name of 63-octet labels without end."""
    data = (b"\x3f" + b"a" * 63) * 6
    return (query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0)
            + query[12:] + record(PTR, data))


def noise(seed):
    def make(query, reply):
        """Right number and question, then changed octets."""
        rng = random.Random(seed)
        body = bytearray(reply[len(query):] or b"\0" * 40)
        for _ in range(1 + rng.randrange(12)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        head = bytearray(reply[:len(query)])
        if rng.randrange(3) == 0:
            head[3 + rng.randrange(9)] = rng.randrange(256)
        return bytes(head + body)
    return make
