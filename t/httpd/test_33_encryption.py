"""Peers that encrypt (MSE/PE): real clients, in plain after their handshake and by RC4 to the end, at httpd's own port and at
one of the seed's own; what BTHTTPEncryption allows; handshakes that are wrong; and what a restart finds half-way."""
import os
import struct

import pytest

from clients import (ARIA2_ENCRYPTION, LIBTORRENT_ENCRYPTION, RTORRENT_ENCRYPTION, TRANSMISSION_ENCRYPTION, Aria2, Libtorrent,
                     Rtorrent)
from mse import PLAIN, RC4_STREAM, EncryptedPeer, Initiator
from netns import Namespace, Transmission
from waiting import free_port, wait_for
from wire import BLOCK, FAST, Closed, Peer, handshake

SIZE = 16 << 20


@pytest.fixture(params=["http", "own"])
def serve(request, httpd, content):
    """A server, its torrent and where its peers go: httpd's own port, or one of the seed's own."""
    def make(conf="", **options):
        port = free_port()
        server = httpd(web_seed=False, conf=conf + ("" if request.param == "http" else f"\nBTHTTPPeerPorts {port}"), **options)
        server.put("f.bin", content(SIZE))
        server.peers = (server.host, server.port if request.param == "http" else port)
        return server, server.torrent("/f.bin")
    return make


def check(server, client, content, stream):
    """It has the file, all of it from peers, and the stream was what it ought to have been."""
    assert client.file.read_bytes() == content(SIZE)
    status = server.status()
    assert status["bytes_sent"] >= SIZE
    assert status[f"encrypted_{stream}"] >= 1
    assert status["encrypted_" + ("plain" if stream == "rc4" else "rc4")] == 0
    assert status["closed"]["bad-encryption"] == 0


STREAM = {"required": "plain", "rc4": "rc4"}


@pytest.mark.parametrize("mode", STREAM)
def test_libtorrent(serve, box, content, mode):
    server, torrent = serve()
    with Libtorrent(box, **LIBTORRENT_ENCRYPTION[mode]) as client:
        client.add(torrent, tracker=False)
        client.connect(*server.peers)
        client.wait()
        check(server, client, content, STREAM[mode])


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("mode", STREAM)
def test_libtorrent_by_either_hash_of_a_hybrid(serve, box, content, mode, v2):
    server, torrent = serve()
    with Libtorrent(box, **LIBTORRENT_ENCRYPTION[mode]) as client:
        client.add(torrent, tracker=False)
        client.connect(*server.peers, v2=v2)
        client.wait()
        check(server, client, content, STREAM[mode])


@pytest.mark.parametrize("mode", STREAM)
def test_aria2(serve, box, content, mode):
    server, _ = serve()
    with Aria2(box, f"{server.base}/f.bin", options=ARIA2_ENCRYPTION[mode]) as client:
        client.wait()
        check(server, client, content, STREAM[mode])


@pytest.mark.parametrize("mode", STREAM)
def test_rtorrent(serve, box, content, mode):
    server, torrent = serve()
    with Rtorrent(box, torrent, options=RTORRENT_ENCRYPTION[mode]) as client:
        client.wait()
        check(server, client, content, STREAM[mode])


def test_transmission(serve, box, content):
    with Namespace() as namespace:
        server, torrent = serve(address=namespace.host_address)
        with Transmission(box, namespace, torrent, url=f"{server.base}/f.bin.torrent",
                          options=TRANSMISSION_ENCRYPTION["required"]) as client:
            client.wait()
            check(server, client, content, "rc4")


# --- what the directive says

def test_require(serve, box, content):
    """Only encrypted streams: a peer that begins in plain is closed, and one that would go on in plain."""
    server, torrent = serve("BTHTTPEncryption require")
    with Peer(server.peers) as peer:
        peer.raw(handshake(torrent.hash))
        peer.wait_closed()
    server.wait_closed("not-encrypted")
    with pytest.raises(Closed):
        EncryptedPeer(server.peers, torrent.hash, provide=PLAIN)
    server.wait_closed("bad-encryption")
    with EncryptedPeer(server.peers, torrent.hash) as peer:
        assert peer.stream == RC4_STREAM
        peer.interest().piece(torrent, 0)
    with Libtorrent(box) as client:  # as it comes: it tries in plain, and then encrypted
        client.add(torrent)
        client.wait()
        assert client.file.read_bytes() == content(SIZE)


def test_off(serve, box, content):
    """Closed without a word, whereupon clients come back in plain."""
    server, torrent = serve("BTHTTPEncryption off")
    with Peer(server.peers) as peer:
        peer.raw(Initiator(torrent.hash).public + os.urandom(100))
        with pytest.raises(Closed):
            peer.exactly(1)
    server.wait_closed("encrypted")
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert server.status()["encrypted_plain"] == server.status()["encrypted_rc4"] == 0


# --- by hand

@pytest.mark.parametrize("provide,stream", [(PLAIN, PLAIN), (RC4_STREAM, RC4_STREAM), (PLAIN | RC4_STREAM, PLAIN), (0xff, PLAIN)])
def test_what_is_selected(serve, provide, stream):
    server, torrent = serve()
    for info_hash in (torrent.hash, torrent.v2[:20]):
        for options in ({}, {"pad_a": 0}, {"pad_a": 512, "pad_c": 512}, {"ia": False}):
            with EncryptedPeer(server.peers, info_hash, provide=provide, **options) as peer:
                assert peer.stream == stream
                peer.interest().piece(torrent, 3)


@pytest.mark.parametrize("stream", [PLAIN, RC4_STREAM])
def test_everything_at_once(serve, stream):
    """The first bytes may be many: here the handshake, interest, and as many requests as may wait, before the unchoke."""
    server, torrent = serve()
    more = struct.pack(">IB", 1, 2) + struct.pack(">IBIII", 13, 6, 0, 0, BLOCK) * 1990
    with EncryptedPeer(server.peers, torrent.hash, provide=stream, ia=more) as peer:
        while peer.choked:
            peer.receive()
        peer.request(1, 0)
        while (at := peer.until(7)[:8]) != struct.pack(">II", 1, 0):
            assert at == bytes(8), "those requests that came after the unchoke"


def test_byte_by_byte(serve):
    """A caller with a slow hand. (On httpd's port its key comes at once, or it would be taken for HTTP.)"""
    server, torrent = serve()
    caller = Initiator(torrent.hash)
    with Peer(server.peers) as peer:
        peer.raw(caller.public)
        for byte in os.urandom(200):
            peer.raw(bytes([byte]))
        caller.agree(peer.exactly(96))
        for byte in caller.hashes() + caller.offer(RC4_STREAM, bytes(20), handshake(torrent.hash)):
            peer.raw(bytes([byte]))
        seen, marker = b"", caller.marker()
        while not seen.endswith(marker):
            seen += peer.exactly(1)
        stream, pad = struct.unpack(">IH", caller.into(peer.exactly(6)))
        caller.into(peer.exactly(pad))
        assert stream == RC4_STREAM
        assert caller.into(peer.exactly(68))[28:48] == torrent.hash


def test_slow_readers_get_every_byte(serve, content):
    """The socket takes parts only, and what it did not take is encrypted again: not a byte is wrong."""
    server, torrent = serve()
    data = content(SIZE)
    with EncryptedPeer(server.peers, torrent.hash, provide=RC4_STREAM, receive_buffer=4096, timeout=60) as peer:
        peer.interest()
        wanted = [(at // torrent.piece_length, at % torrent.piece_length) for at in range(0, 6 << 20, BLOCK)]
        for piece, begin in wanted:
            peer.request(piece, begin)
        for piece, begin in wanted:
            payload = peer.until(7)
            at = piece * torrent.piece_length + begin
            assert payload == struct.pack(">II", piece, begin) + data[at:at + BLOCK]


def test_handshakes_that_are_wrong(serve):
    server, torrent = serve()

    def call(key=None, offer=None, skey=None, hashes=None):
        caller = Initiator(skey or torrent.hash)
        with Peer(server.peers) as peer:
            peer.raw(key if key is not None else caller.public)
            try:
                theirs = peer.exactly(96)
            except Closed:
                return
            caller.agree(theirs)
            peer.raw((hashes or caller.hashes)() + caller.offer(**(offer or {})))
            peer.wait_closed()

    def bad(reason, **what):
        before = server.closed(reason)
        call(**what)
        server.wait_closed(reason, before)

    bad("bad-encryption", key=bytes(96))
    bad("bad-encryption", key=bytes(95) + b"\x01")
    bad("bad-encryption", key=b"\xff" * 96)
    bad("bad-encryption", hashes=lambda: os.urandom(600))
    bad("bad-encryption", offer={"vc": b"1" * 8})
    bad("bad-encryption", offer={"provide": 0})
    bad("bad-encryption", offer={"provide": 4})
    bad("bad-encryption", offer={"pad_c": bytes(513)})
    bad("unknown-hash", skey=os.urandom(20))
    bad("garbage", offer={"ia": os.urandom(68)})


def test_a_file_that_was_withdrawn(serve):
    server, torrent = serve()
    (server.docroot / "f.bin").unlink()
    server.get("/f.bin")
    wait_for("it to be withdrawn", lambda: b"failure reason" in server.announce(torrent.hash))
    with pytest.raises(Closed):
        EncryptedPeer(server.peers, torrent.hash)
    server.wait_closed("unknown-hash")


# --- restarts

def restart(server):
    seeder = server.seeder()
    server.graceful()
    server.seeder(other_than=seeder)


def test_restart_in_each_part_of_a_handshake(serve):
    server, torrent = serve()
    for stream in (PLAIN, RC4_STREAM):
        caller = Initiator(torrent.hash)
        with Peer(server.peers, timeout=60) as peer:
            peer.raw(caller.public + os.urandom(77))
            caller.agree(peer.exactly(96))
            restart(server)
            rest = caller.hashes() + caller.offer(stream, bytes(50), handshake(torrent.hash))
            for part in (rest[:13], rest[13:30], rest[30:47], rest[47:70], rest[70:109], rest[109:140]):
                peer.raw(part)
                restart(server)
            peer.raw(rest[140:])
            seen, marker = b"", caller.marker()
            while not seen.endswith(marker):
                seen += peer.exactly(1)
            selected, pad = struct.unpack(">IH", caller.into(peer.exactly(6)))
            caller.into(peer.exactly(pad))
            assert selected == stream
            reply = peer.exactly(68)
            assert (caller.into(reply) if stream == RC4_STREAM else reply)[28:48] == torrent.hash
    assert server.status()["closed"]["bad-encryption"] == 0


@pytest.mark.parametrize("stream", [PLAIN, RC4_STREAM])
def test_restarts_in_the_stream(serve, stream):
    """In the middle of what is sent, and of what is said."""
    server, torrent = serve()
    with EncryptedPeer(server.peers, torrent.hash, provide=stream, reserved=FAST, receive_buffer=4096, timeout=60) as peer:
        peer.interest()
        for _ in range(3):
            for begin in range(0, torrent.piece_length, BLOCK):
                peer.request(5, begin)
            peer.raw(struct.pack(">IBI", 13, 6, 7)[:7])
            restart(server)
            peer.raw(struct.pack(">IBIII", 13, 6, 7, 0, BLOCK)[7:])
            got = b"".join(peer.until(7)[8:] for _ in range(torrent.piece_length // BLOCK))
            assert len(got) == torrent.piece_length
            assert peer.until(7)[:8] == struct.pack(">II", 7, 0)
            peer.piece(torrent, 1)
