"""The extension protocol by hand: what the seed says of itself, infodicts in parts, and what partial seeds and restarts do."""
import hashlib

import pytest

from bencode import encode
from wire import BLOCK, EXTENDED, FAST, HAVE_ALL, Closed, ExtendedPeer, Peer

SIZE = 8 << 20
OLD = {"User-Agent": "Transmission/3.00"}


@pytest.fixture
def serve(httpd, content):
    def make(size=SIZE, name="f.bin", **options):
        server = httpd(**options)
        server.put(name, content(size))
        server.made = server.torrent(f"/{name}")
        server.address = (server.host, server.port)
        return server
    return make


def without_empty_keys(value):
    """What aria2 makes of an infodict: see torrentgen/old_clients.h."""
    if isinstance(value, dict):
        return {k: without_empty_keys(v) for k, v in value.items() if k}
    return value


def test_our_handshake(serve):
    server = serve()
    with ExtendedPeer(server.address, server.made.v1, source="127.3.4.5") as peer:
        assert peer.reply[25] & 0x10
        assert peer.theirs[b"metadata_size"] == len(server.made.infodict)
        assert peer.theirs[b"reqq"] == 2000
        assert peer.theirs[b"v"].startswith(b"mod_bthttp/")
        assert peer.theirs[b"yourip"] == bytes([127, 3, 4, 5])
        assert set(peer.theirs) <= {b"m", b"metadata_size", b"reqq", b"v", b"yourip"}, "no port, which clients would take for ours"
        assert {b"ut_metadata", b"lt_donthave"} <= set(peer.numbers) and 0 not in peer.numbers.values()
        assert peer.seen.index(EXTENDED) == 1, "after the pieces, before all else"


def test_nothing_that_was_not_negotiated(serve):
    """aria2 and Transmission close on messages that they did not name: without the bit, nothing but old messages comes."""
    server = serve()
    with Peer(server.address, server.made.v1, reserved=FAST) as peer:
        peer.interest().piece(server.made, 0)
        assert peer.reply[25] & 0x10, "we would speak it"
        assert EXTENDED not in peer.seen


@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_the_infodict_by_each_hash(serve, version):
    """Whatever info-hash a peer came by: what it gets in parts has this hash."""
    server = serve(conf=f"BTHTTPTorrentVersion {version}")
    made = server.made
    known = {}
    if made.has_v1:
        known[made.v1] = made.infodict
    if made.has_v2:
        known[made.v2[:20]] = made.infodict
    if version == "hybrid":
        keyless = encode(without_empty_keys(made.info))
        known[hashlib.sha1(keyless).digest()] = keyless
        alone = server.torrent("/f.bin", headers=OLD)
        known[alone.v1] = alone.infodict
        assert len(known) == 4
    for info_hash, infodict in known.items():
        with ExtendedPeer(server.address, info_hash) as peer:
            assert peer.theirs[b"metadata_size"] == len(infodict)
            assert peer.metadata() == infodict


def test_an_infodict_of_exactly_one_part(serve):
    """rtorrent's last part of an exact multiple is empty; it must be full."""
    server = serve(815 * BLOCK, "n" * 19, conf="BTHTTPTorrentVersion v1\nBTHTTPPieceSize 16K")
    assert len(server.made.infodict) == BLOCK
    with ExtendedPeer(server.address, server.made.v1) as peer:
        assert peer.metadata() == server.made.infodict
        peer.ask_metadata(1)
        assert peer.metadata_answer() == ({b"msg_type": 2, b"piece": 1}, b"")


def test_metadata_that_there_is_not(serve):
    server = serve()
    with ExtendedPeer(server.address, server.made.v1) as peer:
        for part in (1000, -1, 2 ** 40):
            peer.ask_metadata(part)
            assert peer.metadata_answer() == ({b"msg_type": 2, b"piece": part}, b"")
        assert peer.metadata() == server.made.infodict


def test_many_questions_at_once(serve):
    """Each has its answer, in order, and blocks come as well."""
    server = serve(24 << 20)
    with ExtendedPeer(server.address, server.made.v1) as peer:
        parts = -(-len(server.made.infodict) // BLOCK)
        peer.interest()
        for i in range(12 * parts):
            peer.ask_metadata(i % parts)
        for i in range(12 * parts):
            header, data = peer.metadata_answer()
            at = header[b"piece"] * BLOCK
            assert at == i % parts * BLOCK and data == server.made.infodict[at:at + BLOCK]
        peer.piece(server.made, 3)


def test_the_infodict_over_and_over(serve):
    """Nobody needs it twenty times."""
    server = serve(24 << 20)
    with ExtendedPeer(server.address, server.made.v1) as peer:
        with pytest.raises(Closed):
            for _ in range(20):
                assert peer.metadata() == server.made.infodict
        server.wait_closed("metadata-flood")


def test_metadata_while_choked_and_across_restarts(serve):
    """The same connection: what was agreed before a graceful restart holds after it."""
    server = serve()
    with ExtendedPeer(server.address, server.made.v1, timeout=40) as peer:
        for _ in range(3):
            server.graceful()
            assert peer.metadata() == server.made.infodict
        assert peer.choked
        assert server.status()["handovers"] >= 3


def test_asked_before_a_restart_answered_once(serve):
    """Questions that wait when the seeder leaves go along with the peer: one answer to each, neither none nor two."""
    server = serve(24 << 20, conf="BTHTTPUploadRate 64K")
    with ExtendedPeer(server.address, server.made.v1, timeout=60) as peer:
        parts = -(-len(server.made.infodict) // BLOCK)
        for part in range(parts):
            peer.ask_metadata(part)
        server.graceful()
        got = [peer.metadata_answer() for _ in range(parts)]
        assert [header[b"piece"] for header, _ in got] == list(range(parts))
        assert b"".join(data for _, data in got) == server.made.infodict
        peer.ask_metadata(0)
        assert peer.metadata_answer()[0][b"piece"] == 0, "nothing was between"


def test_a_lost_piece_makes_a_seed_a_leecher_again(serve):
    """Who has everything is let go after a while; who then says that a piece is lost, and wants it, is served."""
    server = serve()
    with ExtendedPeer(server.address, server.made.v1) as peer:
        peer.send(HAVE_ALL)
        peer.extended(peer.numbers[b"lt_donthave"], (2).to_bytes(4, "big"))
        peer.interest().piece(server.made, 2)


def test_a_lost_piece_that_never_was(serve):
    server = serve()
    with ExtendedPeer(server.address, server.made.v1) as peer:
        peer.extended(peer.numbers[b"lt_donthave"], (2 ** 31).to_bytes(4, "big"))
        peer.wait_closed()
        server.wait_closed("bad-message")


def test_a_partial_seed_that_wants_more(serve):
    """BEP 21: it wants nothing at first, and is served when it does."""
    server = serve()
    with ExtendedPeer(server.address, server.made.v1, says={b"upload_only": 1}) as peer:
        peer.extended(peer.numbers[b"upload_only"], b"\0")
        peer.interest().piece(server.made, 1)


def test_a_partial_seed_is_let_go(serve):
    server = serve()
    with ExtendedPeer(server.address, server.made.v1, says={b"upload_only": 1}, timeout=40) as peer:
        peer.wait_closed()
        server.wait_closed("also-seed")


def test_withdrawn_while_it_asks(serve):
    """What is no longer for strangers is not given away in parts either."""
    server = serve()
    with ExtendedPeer(server.address, server.made.v1) as peer:
        peer.metadata()
        (server.docroot / "f.bin").unlink()
        with pytest.raises(Closed):
            while True:
                peer.metadata()
