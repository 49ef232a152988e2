"""Restarts in the middle of everything, seen by peers that look at every byte: what they get is what they would have got
without one."""
import contextlib
import os
import signal
import socket
import struct

import pytest

import wire
from bencode import decode
from mse import PLAIN, RC4_STREAM, EncryptedPeer
from waiting import wait_for

RESERVED = b"\0\0\0\0\0\x10\0\x14"  # extension protocol, fast, v2
HASH_REQUEST, HASHES, HASH_REJECT = 21, 22, 23
OUR_METADATA = 3
SIZE = 16 << 20
ASK = 48  # blocks at once, more than fit into the sockets' buffers


def plain(address, info_hash, **options):
    return wire.Peer(address, info_hash, **options)


def encrypted_plain(address, info_hash, **options):
    return EncryptedPeer(address, info_hash, provide=PLAIN, **options)


def encrypted_rc4(address, info_hash, **options):
    return EncryptedPeer(address, info_hash, provide=RC4_STREAM, **options)


def metadata_id(payload):
    return decode(payload[1:])[b"m"][b"ut_metadata"]


def session(connect, server, torrent, restart):
    """One peer's whole life, with a restart wherever it says something, and another before it hears the answer. Returns what
    it heard, message by message."""
    heard = []

    def until(kind, count=1):
        while count:
            heard.append(peer.receive())
            assert heard[-1][0] != HASH_REJECT
            count -= heard[-1][0] == kind

    def say(kind, payload, answer, count=1):
        peer.send(kind, payload)
        restart()
        until(answer, count)

    with connect((server.host, server.port), torrent.v1, reserved=RESERVED, receive_buffer=4096) as peer:
        heard.append(peer.reply[:48])
        until(wire.EXTENDED)
        say(wire.EXTENDED, b"\0d1:md11:ut_metadatai%deee" % OUR_METADATA, None, 0)
        say(wire.EXTENDED, bytes([metadata_id(heard[-1][1])]) + b"d8:msg_typei0e5:piecei0ee", wire.EXTENDED)
        root = torrent.info[b"file tree"][b"f.bin"][b""][b"pieces root"]
        layer = (torrent.piece_length // wire.BLOCK).bit_length() - 1
        say(HASH_REQUEST, root + struct.pack(">IIII", layer, 8, 8, 3), HASHES)
        say(wire.INTERESTED, b"", wire.UNCHOKE)
        requests = b"".join(struct.pack(">IBIII", 13, wire.REQUEST, n, n % 4 * wire.BLOCK, wire.BLOCK) for n in range(ASK))
        peer.raw(requests)
        restart()
        until(wire.PIECE, ASK // 2)
        restart()
        until(wire.PIECE, ASK // 2)
        say(wire.HAVE, struct.pack(">I", 7), None, 0)
        say(wire.REQUEST, struct.pack(">III", 9, 5, 100), wire.PIECE)
    return heard


def check_blocks(heard, content):
    blocks = [payload for kind, payload in (h for h in heard if isinstance(h, tuple)) if kind == wire.PIECE]
    assert len(blocks) == ASK + 1
    for block in blocks:
        piece, begin = struct.unpack(">II", block[:8])
        at = piece * 65536 + begin
        assert block[8:] == content[at:at + len(block) - 8]


@pytest.fixture
def serve(httpd, content):
    def make(conf="", **options):
        server = httpd(web_seed=False, conf=f"BTHTTPPieceSize 64K\n{conf}", **options)
        server.put("f.bin", content(SIZE))
        return server, server.torrent("/f.bin")
    return make


def restarter(server, kind):
    """A function that restarts, and returns when the peers are with the next seeder."""
    def restart():
        before = server.status()["handovers"]
        log = server.log().count("resuming normal operations")
        server.process.send_signal(kind)
        wait_for("the restart", lambda: server.log().count("resuming normal operations") > log)
        wait_for("the next seeder", lambda: server.status()["handovers"] > before and server.status()["peers"] > 0)
    return restart


@pytest.mark.parametrize("mpm, connect, kind", [
    ("event", plain, signal.SIGUSR1), ("worker", encrypted_plain, signal.SIGUSR1), ("event", encrypted_rc4, signal.SIGUSR1),
    ("prefork", encrypted_rc4, signal.SIGUSR1), ("prefork", encrypted_rc4, signal.SIGHUP)])  # see below
def test_a_restart_at_every_step(serve, monkeypatch, content, mpm, connect, kind):
    # At SIGHUP a child of the event MPM closes sockets that its workers may just be freeing (close_worker_sockets in httpd's
    # event.c), and once in some forty times it crashes by that: so this is about prefork, which has no such threads.
    server, torrent = serve(mpm=mpm)
    expected = session(connect, server, torrent, lambda: None)
    check_blocks(expected, content(SIZE))
    restart = restarter(server, kind)
    whole = wire.Peer.raw

    def in_two(peer, data):
        whole(peer, data[:len(data) // 2])
        restart()
        whole(peer, data[len(data) // 2:])

    wait_for("the first to be gone", lambda: server.status()["peers"] == 0)
    monkeypatch.setattr(wire.Peer, "raw", in_two)
    assert session(connect, server, torrent, restart) == expected
    assert server.closed("shutdown") == 0


def ask_for(peer, count, first=0):
    """Asks for the first block of so many pieces at once."""
    for n in range(count):
        peer.request((first + n) % 256, 0)


def expect(peer, content, count, first=0):
    """Reads these blocks: in order, each whole and right, nothing between them."""
    for n in range(count):
        piece, begin = (first + n) % 256, 0
        kind, payload = peer.receive()
        assert (kind, payload[:8]) == (wire.PIECE, struct.pack(">II", piece, begin))
        assert payload[8:] == content[piece * 65536:piece * 65536 + wire.BLOCK]


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_back_to_back(serve, content, mpm):
    """The next restart comes while the seeder of the last is about to take the peers, or to give them away."""
    server, torrent = serve(mpm=mpm, conf="BTHTTPUploadRate 4M")
    with encrypted_rc4((server.host, server.port), torrent.v1, reserved=wire.FAST) as one, \
            plain((server.host, server.port), torrent.v1) as two:
        for peer in (one, two):
            peer.interest()
            ask_for(peer, 500)
        read = 0
        for _ in range(25):
            server.process.send_signal(signal.SIGUSR1)
            for peer in (one, two):  # there is no waiting but for bytes, which may come before the restart or after it
                expect(peer, content(SIZE), 8, read)
            read += 8
        for peer in (one, two):
            expect(peer, content(SIZE), 500 - read, read)
            assert peer.block(3, 5, 7) == content(SIZE)[3 * 65536 + 5:3 * 65536 + 12]
        assert server.closed("shutdown") == 0
        wait_for("httpd to have done with them", lambda: server.log().count("resuming normal operations") > 1)


MANY = "BTHTTPMinSize 64K\nBTHTTPMaxPeers 2000\nBTHTTPMaxPeersPerIP 50"
EACH = 3       # peers of one torrent: no crowd, which is shown pieces bit by bit
LITTLE = 256 << 10


def publish(server, content, count):
    """So many small files: [(content, torrent)]."""
    made = []
    for n in range(count):
        server.put(f"{n}.bin", content[n:n + LITTLE])
    for n in range(count):
        made.append((content[n:n + LITTLE], server.torrent(f"/{n}.bin")))
    return made


def many(server, files, count):
    """So many peers, each of which waits for a whole file in blocks. Every tenth is encrypted."""
    peers = []
    for n in range(count):
        connect = plain if n % 10 else encrypted_rc4
        content, torrent = files[n // EACH]
        peer = connect((server.host, server.port), torrent.v1, reserved=wire.FAST, source=f"127.9.{n % 40}.9", receive_buffer=4096)
        peer.content = content
        peers.append(peer)
    for peer in peers:
        peer.interest()
        for at in range(0, LITTLE, wire.BLOCK):
            peer.request(at // 65536, at % 65536)
    return peers


def finish(peer):
    """Takes the blocks in order, each once, and nothing between them."""
    for at in range(0, LITTLE, wire.BLOCK):
        kind, payload = peer.receive()
        assert (kind, payload[:8]) == (wire.PIECE, struct.pack(">II", at // 65536, at % 65536))
        assert payload[8:] == peer.content[at:at + wire.BLOCK]


def test_five_hundred_peers(serve, content):
    server, _ = serve(conf=MANY)
    files = publish(server, content(SIZE), 167)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(peer) for peer in many(server, files, 500)]
        restart = restarter(server, signal.SIGUSR1)
        for _ in range(3):
            restart()
        wait_for("all of them to be there", lambda: server.status()["peers"] == 500)
        for peer in peers:
            finish(peer)
        assert server.closed("shutdown") == server.closed("gone") == 0
        assert server.status()["peers_taken"] == 500


def kill_when_peers_leave(pid):
    """Kills a process once it has fewer descriptors than before."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        before = len(os.listdir(f"/proc/{pid}/fd"))
        while len(os.listdir(f"/proc/{pid}/fd")) > before - 20:
            pass
        os.kill(pid, signal.SIGKILL)


def test_kill_9_while_peers_are_handed_over(serve, content):
    """Some are with the old seeder and die with it, the others are with the next one or on their way: whole, or closed."""
    server, torrent = serve(conf=MANY)
    files = publish(server, content(SIZE), 40)
    for _ in range(2):
        peers = many(server, files, 120)
        seeder = server.seeder()
        server.expect(rf"AH00052: child pid {seeder} exit signal Killed")
        server.process.send_signal(signal.SIGUSR1)
        kill_when_peers_leave(seeder)
        for peer in peers:
            with contextlib.suppress(wire.Closed), peer:
                finish(peer)
        assert server.seeder(other_than=seeder) != seeder
        with plain((server.host, server.port), torrent.v1) as peer:
            peer.interest()
            assert peer.piece(torrent, 4) == content(SIZE)[4 * 65536:5 * 65536]
        wait_for("all to be gone", lambda: server.status()["peers"] == 0)


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_children_with_long_downloads(serve, content, mpm):
    """A download over HTTP keeps each old child for as long as it takes. Peers go to a new one."""
    server, torrent = serve(mpm=mpm, conf="BTHTTPUploadRate 4M")
    with plain((server.host, server.port), torrent.v1) as peer, contextlib.ExitStack() as stack:
        peer.interest()
        ask_for(peer, 100)
        for _ in range(30):
            slow = stack.enter_context(socket.create_connection((server.host, server.port)))
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(b"GET /f.bin HTTP/1.0\r\n\r\n")
            assert slow.recv(9) == b"HTTP/1.1 "
        old = server.seeder()
        server.graceful()
        assert server.seeder(other_than=old) != old
        assert old in server.children()
        wait_for("the peer to be with it", lambda: server.status()["peers"] == 1)
        expect(peer, content(SIZE), 100)
        assert server.closed("shutdown") == 0


@pytest.mark.parametrize("mpm", ["event", "worker"])
def test_children_that_have_answered_enough(serve, content, mpm):
    server, torrent = serve(mpm=mpm, conf="MaxConnectionsPerChild 10\nBTHTTPUploadRate 4M")
    with encrypted_rc4((server.host, server.port), torrent.v1) as peer:
        peer.interest()
        ask_for(peer, 300)
        seeders = set()

        def some_more():
            assert server.get("/f.bin", {"Range": "bytes=0-9"}).status == 206
            seeders.add(server.seeder())
            return len(seeders) > 3
        wait_for("the seeder to change three times", some_more, 60)
        expect(peer, content(SIZE), 300)
        assert server.closed("shutdown") == 0
