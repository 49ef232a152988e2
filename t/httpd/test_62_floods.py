"""A peer that floods, for each rule: it is closed and counted under the rule's name, while an honest one beside it gets all
that it asks for, is never choked or rejected, and finishes."""
import os
import struct
import threading

import pytest

from waiting import wait_for
from wire import (BITFIELD, BLOCK, CANCEL, CHOKE, FAST, HAVE, HAVE_NONE, INTERESTED, NOT_INTERESTED, PIECE, REJECT, REQUEST, Closed,
                  Peer)

SIZE = 16 << 20
BAD = "127.5.5.5"
GOOD = "127.6.6.6"


@pytest.fixture
def server(httpd, content):
    server = httpd(web_seed=False)
    server.publish(content(SIZE))
    server.address = (server.host, server.port)
    server.bytes = content(SIZE)
    return server


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


class Flood(threading.Thread):
    """Sends the same bytes without end, reading what comes back, until it is closed."""

    def __init__(self, server, data, *, first=b"", reserved=FAST, unchoked=False):
        super().__init__(daemon=True)
        self.peer = Peer(server.address, server.made.hash, source=BAD, reserved=reserved, timeout=60)
        self.data, self.closed, self.sent = data, False, 0
        if unchoked:
            self.peer.interest()
        if first:
            self.peer.raw(first)
        self.reader = threading.Thread(target=self.peer.wait_closed, daemon=True)
        self.reader.start()
        self.start()

    def run(self):
        try:
            while True:
                self.peer.raw(self.data)
                self.sent += len(self.data)
        except (Closed, OSError):
            self.closed = True

    def over(self):
        self.join(60)
        self.reader.join(60)
        self.peer.close()
        return self.closed


def honest_download(server, peer):
    """Every block asked for once, 50 at a time. What comes is exactly that: no choke, no reject, nothing else."""
    blocks = [(p, at) for p in range(server.made.piece_count) for at in range(0, server.made.piece_size(p), BLOCK)]
    asked = 0
    for n in range(len(blocks)):
        while asked < len(blocks) and asked < n + 50:
            piece, begin = blocks[asked]
            peer.request(piece, begin, min(BLOCK, server.made.piece_size(piece) - begin))
            asked += 1
        payload = peer.until(PIECE)
        piece, begin = struct.unpack(">II", payload[:8])
        at = piece * server.made.piece_length + begin
        assert payload[8:] == server.bytes[at:at + len(payload) - 8]
    assert not {CHOKE, REJECT} & set(peer.seen)


def against(server, reason, *floods):
    """Runs floods while an honest peer downloads everything; each must be closed for the reason."""
    with Peer(server.address, server.made.hash, source=GOOD, reserved=FAST, timeout=60) as honest:
        honest.interest()
        before = server.status()
        attackers = [Flood(server, *flood[0], **flood[1]) for flood in floods]
        honest_download(server, honest)
        assert all(attacker.over() for attacker in attackers)
        wait_for("all to be counted", lambda: server.closed(reason) - before["closed"][reason] == len(floods) and
                 server.status()["bytes_sent"] - before["bytes_sent"] >= SIZE)  # what is sent is counted a moment later
        after = server.status()
        ends = {name: after["closed"][name] - count for name, count in before["closed"].items()}
        assert {name: n for name, n in ends.items() if n} == {reason: len(floods)}
        honest.piece(server.made, 0)
    return after["bytes_sent"] - before["bytes_sent"]


def flood(data, **options):
    return (data,), options


MANY = 500


def test_useless_messages(server):
    sent = against(server, "flood", flood(bytes(4) * MANY), flood(message(9, b"\x1a\xe1") * MANY),
                   flood((message(INTERESTED) + message(NOT_INTERESTED)) * MANY))
    assert sent == SIZE, "the honest one's share is all there is"


def test_haves(server):
    """The same piece again and again; and bitfields, which cost by their size."""
    bits = -(-server.made.piece_count // 8)
    sent = against(server, "have-flood", flood(message(HAVE, struct.pack(">I", 3)) * MANY), flood(message(BITFIELD, bytes(bits)) * MANY),
                   flood(message(HAVE_NONE) * MANY))
    assert sent == SIZE


def test_requests_while_choked(server):
    sent = against(server, "request-flood", flood(message(REQUEST, struct.pack(">III", 0, 0, BLOCK)) * MANY))
    assert sent == SIZE


def test_cancels(server):
    """What is asked for and taken back at once: it may get a few blocks, and costs nobody anything."""
    ask = struct.pack(">III", 1, 0, 1)
    against(server, "request-flood", flood((message(REQUEST, ask) + message(CANCEL, ask) * 3) * MANY, unchoked=True))


def test_cancels_of_nothing(server):
    sent = against(server, "request-flood", flood(message(CANCEL, struct.pack(">III", 1, 0, BLOCK)) * MANY))
    assert sent == SIZE


def test_more_requests_than_may_wait_without_the_fast_extension(server):
    """Nobody could be told of a reject, and rtorrent asks for more on a fast line: it is not read until there is room."""
    with Peer(server.address, server.made.hash, source=BAD, receive_buffer=4096) as peer:
        peer.interest()
        peer.raw(message(REQUEST, struct.pack(">III", 0, 0, 1000)) * 6000)
        for n in range(6000):
            assert len(peer.until(PIECE)) == 8 + 1000
        assert server.closed("request-flood") == 0


def test_reading_by_drops(server):
    """A few bytes now and then, to keep a place for ever: 16 KiB in a minute is the least."""
    with Peer(server.address, server.made.hash, source=BAD, receive_buffer=2304, timeout=60) as peer:
        peer.interest()
        for i in range(server.made.piece_count):
            peer.request(i, 0)
        done = threading.Event()

        def drip():
            while not done.wait(0.5):
                try:
                    peer.socket.recv(100)
                except OSError:
                    return
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            with Peer(server.address, server.made.hash, source=GOOD, reserved=FAST) as honest:
                honest.interest()
                honest_download(server, honest)
                wait_for("it to be closed", lambda: server.closed("trickle") == 1, 100)
                honest.piece(server.made, 0)
        finally:
            done.set()
            dripping.join()
    assert server.closed("slow-reader") == 0


# --- extensions

EXTENSIONS = bytes(5) + b"\x10\0\x14"  # the extension protocol, fast, and v2
METADATA, PEX, DONTHAVE = 1, 2, 3      # the numbers under which the seed takes them
INTRODUCTION = b"d1:md11:lt_donthavei7e11:ut_metadatai2e6:ut_pexi1eee"


def extended(number, payload):
    return message(20, bytes([number]) + payload)


HELLO = extended(0, INTRODUCTION)


def test_metadata(server):
    """The infodict again and again, and parts that there are not."""
    ask = b"d8:msg_typei0e5:piecei%dee"
    sent = against(server, "metadata-flood",
                   flood(extended(METADATA, ask % 0) * MANY, first=HELLO, reserved=EXTENSIONS),
                   flood(extended(METADATA, ask % 99) * MANY, first=HELLO, reserved=EXTENSIONS))
    assert sent == SIZE


def test_pieces_lost_and_found_again(server):
    """Each is news to the choker, and that without end."""
    piece = struct.pack(">I", 3)
    sent = against(server, "have-flood",
                   flood((message(HAVE, piece) + extended(DONTHAVE, piece)) * MANY, first=HELLO, reserved=EXTENSIONS))
    assert sent == SIZE


def test_extensions_that_nobody_announced(server):
    sent = against(server, "flood", flood(extended(77, b"de") * MANY, first=HELLO, reserved=EXTENSIONS),
                   flood(HELLO * MANY, reserved=EXTENSIONS))
    assert sent == SIZE


def test_hash_requests(server):
    """Of roots that this torrent does not have, which are rejected, and of the one that it has."""
    def ask(root):
        return message(21, root + struct.pack(">IIII", 0, 0, 2, 0))
    sent = against(server, "hash-flood", flood(ask(b"?" * 32) * MANY, reserved=EXTENSIONS))
    assert sent == SIZE


def test_peer_exchange(server):
    """Peer exchange is for once a minute."""
    contacts = b"d5:added6:\x08\x08\x08\x08\x1a\xe17:added.f1:\0e"
    sent = against(server, "pex-flood", flood(extended(PEX, contacts) * MANY, first=HELLO, reserved=EXTENSIONS))
    assert sent == SIZE


def test_encrypted_handshakes(server):
    """Keys without end, each of which costs us a key exchange: more than so many a second wait for their turn, the loop goes on, and
    who is there already feels nothing."""
    from mse import EncryptedPeer
    count = 600
    with Peer(server.address, server.made.hash, source=GOOD, reserved=FAST) as honest:
        honest.interest()

        def attack(source):
            for _ in range(count // 6):
                try:
                    with Peer(server.address, source=source, timeout=60) as peer:
                        peer.raw(b"\xff" + os.urandom(95 + 700))  # a key, and longer padding than there may be
                        peer.wait_closed()
                except (Closed, OSError):
                    pass
        attackers = [threading.Thread(target=attack, args=(f"127.5.6.{i + 1}",)) for i in range(6)]
        for attacker in attackers:
            attacker.start()
        honest_download(server, honest)
        for attacker in attackers:
            attacker.join(120)
        wait_for("all to be counted", lambda: server.closed("bad-encryption") == count)
        honest.piece(server.made, 0)
    with EncryptedPeer(server.address, server.made.hash, source=GOOD) as peer:
        peer.interest().piece(server.made, 1)
