"""A client of trackers over UDP (BEP 15), by hand."""
import os
import socket
import struct

MAGIC = 0x41727101980
CONNECT, ANNOUNCE, SCRAPE, ERROR = range(4)
NONE, COMPLETED, STARTED, STOPPED, PAUSED = range(5)
HEADER = 8  # action and transaction id


def free_udp_port():
    """A port that is free on all addresses of both families."""
    for _ in range(1000):
        port = 10000 + int.from_bytes(os.urandom(2), "big") % 22000
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as v4, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as v6:
            try:
                v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                v4.bind(("0.0.0.0", port))
                v6.bind(("::", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


class Refused(Exception):
    """The tracker answered with an error."""


def refusal(tracker, info_hash):
    """Why it refuses an announce; None if it does not. Any tracker with announce(), over whichever wire form."""
    try:
        tracker.announce(info_hash)
    except Refused as refused:
        return str(refused)
    return None


class UdpTracker:
    """One tracker, asked from one socket. `source` is the address to ask from."""

    def __init__(self, host, port, source=None, timeout=20):
        if os.environ.get("BTHTTP_SANITIZE"):
            timeout *= 3
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(timeout)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((host, port))  # so that only answers from the address that was asked come in
        self.is_v6 = ":" in host
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.send(data)

    def receive(self):
        return self.socket.recv(4096)

    def ask(self, connection, action, body=b""):
        """Sends a request and returns what its answer has after the header."""
        transaction = os.urandom(4)
        self.send(struct.pack(">QI", connection, action) + transaction + body)
        while True:
            answer = self.receive()
            if answer[4:8] == transaction:
                break
        got = int.from_bytes(answer[:4], "big")
        if got == ERROR:
            raise Refused(answer[HEADER:].decode())
        assert got == action, answer
        return answer[HEADER:]

    def connect(self):
        self.connection, = struct.unpack(">Q", self.ask(MAGIC, CONNECT))
        return self

    def body(self, info_hash, port=6999, left=1, event=NONE, numwant=-1, peer_id=b"-XX0001-abcdefghijkl", ip=0):
        return info_hash + peer_id + struct.pack(">QQQIIIiH", 0, left & (1 << 64) - 1, 0, event, ip, 0, numwant, port)

    def announce(self, info_hash, more=b"", **said):
        """The answer as a dictionary; peers as a set of (address, port)."""
        if self.connection is None:
            self.connect()
        answer = self.ask(self.connection, ANNOUNCE, self.body(info_hash, **said) + more)
        interval, leechers, seeds = struct.unpack(">III", answer[:12])
        size, family = (18, socket.AF_INET6) if self.is_v6 else (6, socket.AF_INET)
        compact = answer[12:]
        assert len(compact) % size == 0
        peers = {(socket.inet_ntop(family, compact[i:i + size - 2]), int.from_bytes(compact[i + size - 2:i + size], "big"))
                 for i in range(0, len(compact), size)}
        return {"interval": interval, "leechers": leechers, "seeds": seeds, "peers": peers}

    def scrape(self, *hashes):
        """[(seeds, completed, leechers)] in the order of the hashes."""
        if self.connection is None:
            self.connect()
        answer = self.ask(self.connection, SCRAPE, b"".join(hashes))
        return [struct.unpack(">III", answer[i:i + 12]) for i in range(0, len(answer), 12)]
