"""Peers that mean ill: each is closed by its rule and counted, the others are served, and memory comes back."""
import os
import struct

import pytest

from waiting import wait_for
from wire import (BLOCK, CHOKE, FAST, HAVE, HAVE_ALL, BITFIELD, INTERESTED, PIECE, REJECT, REQUEST, Closed, Peer,
                  handshake, refused)

SIZE = 8 << 20
HERE = "127.5.5.5"


@pytest.fixture
def server(httpd, content):
    server = httpd(conf="BTHTTPMaxPeersPerIP 20")
    server.publish(content(SIZE))
    server.address = (server.host, server.port)
    yield server
    # Whatever the test did: an honest peer is served, and nobody stays.
    with Peer(server.address, server.made.hash, source="127.6.6.6") as peer:
        peer.interest().piece(server.made, 5)
    wait_for("all peers to be gone", lambda: server.status()["peers"] == 0)


def closed(server, reason, peer):
    before = 0
    peer.wait_closed()
    server.wait_closed(reason, before)


@pytest.mark.parametrize("data", [
    b"\x13" + b"BitTorrent protoc0l" + bytes(48),
    b"\x13\x13BitTorrent protocol" + bytes(48),
    b"\x13GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 50,
], ids=["almost", "shifted", "http"])
def test_garbage(server, data):
    with Peer(server.address) as peer:
        peer.raw(data)
        closed(server, "garbage", peer)


@pytest.mark.parametrize("data", [b"\x13" + os.urandom(96 + 512 + 20), b"\x13" * 700, b"\x13" + bytes(700), b"\xff" * 700],
                         ids=["random", "repeated", "zeros", "ones"])
def test_garbage_that_might_be_encrypted(server, data):
    """Random bytes are how an encrypted handshake begins: told by what ought to follow, and does not."""
    with Peer(server.address) as peer:
        peer.raw(data)
        closed(server, "bad-encryption", peer)


def test_garbage_byte_by_byte(server):
    """Told as soon as it differs, not only when 68 bytes are there."""
    with Peer(server.address) as peer:
        peer.raw(b"\x13BitTorrent pr")
        peer.raw(b"X")
        closed(server, "garbage", peer)


def test_half_a_handshake(server):
    """Then silence: closed by the handshake's time-out (a 48th byte may already earn an answer, but no more time)."""
    sizes = (1, 20, 47, 48, 67)
    peers = [Peer(server.address, timeout=60) for _ in sizes]
    for peer, size in zip(peers, sizes):
        peer.raw(handshake(server.made.hash)[:size])
    for peer in peers:
        peer.wait_closed()
        peer.close()
    wait_for("all to be counted", lambda: server.closed("handshake-timeout") >= len(sizes))


def test_wrong_info_hash(server):
    assert refused(server.address, b"?" * 20)
    assert refused(server.address, bytes(20))
    wait_for("both to be counted", lambda: server.closed("unknown-hash") >= 2)


@pytest.mark.parametrize("data", [
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff\x06", struct.pack(">IB", 1 << 24, 20), struct.pack(">IB", 14, REQUEST),
    struct.pack(">IB", 2, INTERESTED), struct.pack(">IB", 4, HAVE), struct.pack(">IB", 1, BITFIELD), struct.pack(">IB", 1, REQUEST),
], ids=["4 GiB", "2 GiB", "16 MiB", "long request", "long interested", "short have", "short bitfield", "empty request"])
def test_bad_length(server, data):
    with Peer(server.address, server.made.hash) as peer:
        peer.raw(data)
        closed(server, "bad-length", peer)


@pytest.mark.parametrize("kind,payload", [
    (HAVE_ALL, b""), (PIECE, bytes(8 + BLOCK)), (99, b""), (REJECT, bytes(12)),
], ids=["have all", "piece", "unknown", "reject"])
def test_what_was_not_negotiated(server, kind, payload):
    with Peer(server.address, server.made.hash) as peer:
        peer.send(kind, payload)
        peer.wait_closed()
    wait_for("it to be counted", lambda: server.closed("bad-message") + server.closed("bad-length") >= 1)


@pytest.mark.parametrize("request_", [
    lambda t: (t.piece_count, 0, BLOCK), lambda t: (0xffffffff, 0, BLOCK), lambda t: (0, t.piece_length, BLOCK),
    lambda t: (0, t.piece_length - 1, 2), lambda t: (0, 0xffffffff, BLOCK), lambda t: (0, 0xffffc000, 0x8000),
    lambda t: (0, 0, 0), lambda t: (t.piece_count - 1, 0, t.piece_size(t.piece_count - 1) + 1),
], ids=["piece after the last", "piece of all ones", "begin at the end", "over the end", "begin of all ones", "32-bit overflow",
        "zero length", "past the last piece"])
def test_bad_request(server, request_):
    with Peer(server.address, server.made.hash) as peer:
        peer.interest()
        peer.request(*request_(server.made))
        closed(server, "bad-request", peer)


def test_wrong_bitfield(server):
    for payload in (b"", bytes(100), b"\xff"):
        with Peer(server.address, server.made.hash) as peer:
            peer.send(BITFIELD, payload)
            peer.wait_closed()


def test_too_large_a_request(server):
    with Peer(server.address, server.made.hash, reserved=FAST) as peer:
        peer.interest()
        peer.request(0, 0, 256 * 1024)
        try:
            kind = peer.receive()[0]
            assert kind in (REJECT, CHOKE), kind
        except Closed:
            pass


def test_requests_while_choked_or_uninterested(server):
    """Never a block; with fast a reject, else silence or the end."""
    with Peer(server.address, server.made.hash, reserved=FAST) as peer:
        for _ in range(5):
            peer.request(0, 0)
        for _ in range(5):
            peer.until(REJECT)
        assert PIECE not in peer.seen


def test_a_thousand_requests_and_no_reading(server):
    """A slow reader gets what it asked for, or is closed when it takes nothing for too long; others feel nothing."""
    seeder = server.seeder()
    before = server.rss(seeder)
    slow = [Peer(server.address, server.made.hash, source=HERE, receive_buffer=4096, timeout=120) for _ in range(10)]
    for peer in slow:
        peer.interest()
    for peer in slow:
        peer.wait_shown(*range(server.made.piece_count))
        for i in range(1000):
            peer.request(i % server.made.piece_count, 0)
    with Peer(server.address, server.made.hash, source="127.6.6.6") as honest:
        honest.interest()
        for i in range(server.made.piece_count):
            honest.piece(server.made, i)
    assert server.rss(seeder) - before < 16 << 20
    wait_for("all ten to be closed", lambda: server.closed("slow-reader") >= 10, 100)
    for peer in slow:
        peer.close()


def test_more_requests_than_any_client_sends(server):
    with Peer(server.address, server.made.hash, reserved=FAST, receive_buffer=4096) as peer:
        peer.interest()
        data = struct.pack(">IBIII", 13, REQUEST, 0, 0, BLOCK)
        try:
            for _ in range(100):
                peer.socket.settimeout(5)
                peer.raw(data * 200)
        except (Closed, TimeoutError):
            pass
        assert server.get("/f.bin", {"Range": "bytes=0-0"}).status == 206


def test_messages_of_no_use_without_end(server):
    """Keep-alives, haves and the like come at some rate from everybody; nobody needs them by the hundred thousand."""
    with Peer(server.address, server.made.hash) as peer:
        with pytest.raises(Closed):
            for _ in range(2000):
                peer.raw(bytes(4) * 1000)
            peer.until(99)
    server.wait_closed("flood")


def test_five_hundred_connections_from_one_address(server):
    """The first twenty stay, the others are closed; another address is served all the while; memory comes back."""
    seeder = server.seeder()
    with Peer(server.address, server.made.hash, source="127.6.6.6") as honest:
        honest.interest()
        before = server.rss(seeder)
        peers = []
        for _ in range(500):
            try:
                peers.append(Peer(server.address, source=HERE))
                peers[-1].raw(handshake(server.made.hash))
            except Closed:
                pass
        wait_for("480 to be closed", lambda: server.closed("full-address") == 480, 60)
        assert server.status()["peers"] == 21
        honest.piece(server.made, 0)
        assert server.get("/f.bin", {"Range": "bytes=0-0"}).status == 206
        for peer in peers:
            peer.close()
        wait_for("them to be gone", lambda: server.status()["peers"] == 1)
        assert server.rss(seeder) - before < 8 << 20


def test_connections_that_come_and_go(server):
    seeder = server.seeder()
    for warm in (True, False):
        for _ in range(300):
            Peer(server.address, server.made.hash, source=HERE).close()
        wait_for("them to be gone", lambda: server.status()["peers"] == 0)
        if warm:
            before, files = server.rss(seeder), len(os.listdir(f"/proc/{seeder}/fd"))
    assert server.rss(seeder) - before < 2 << 20
    assert abs(len(os.listdir(f"/proc/{seeder}/fd")) - files) <= 2


def test_another_seed_has_no_business_here(server):
    with Peer(server.address, server.made.hash, reserved=FAST, timeout=40) as peer:
        peer.send(HAVE_ALL)
        closed(server, "also-seed", peer)


def test_the_first_message_is_the_pieces(server):
    with Peer(server.address, server.made.hash) as peer:
        kind, payload = peer.receive()
        assert kind == BITFIELD and len(payload) == -(-server.made.piece_count // 8)
        bits = "".join(f"{b:08b}" for b in payload)
        assert set(bits[:server.made.piece_count]) == {"1"} and set(bits[server.made.piece_count:]) <= {"0"}
    with Peer(server.address, server.made.hash, reserved=FAST) as peer:
        assert peer.receive() == (HAVE_ALL, b"")


def test_pings_of_http_on_the_same_port(server):
    """Port sharing: HTTP that begins late or oddly is still HTTP's business."""
    import socket
    for data, answer in ((b"G", None), (b"\r\nGET /f.bin HTTP/1.0\r\nRange: bytes=0-0\r\n\r\n", b"HTTP/1.1 206"),
                         (b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"HTTP/1.1 400"), (b"\x14\r\n\r\n", b"HTTP/1.1 400")):
        with socket.create_connection(server.address, timeout=60) as s:
            s.sendall(data)
            if answer:
                assert s.recv(12).startswith(answer[:12]), data
    server.expect("AH00126|AH00566|AH02468|AH03448")
