"""Who breaks rules again and again is refused for a while; and one torrent does not take every place."""
import struct

import pytest

from waiting import wait_for
from wire import FAST, Closed, Peer, handshake, refused

BAD = "127.5.5.5"
FAULTS = 8  # in seeder/limits.c


@pytest.fixture
def serve(httpd, content):
    def make(conf="BTHTTPMaxPeersPerIP 100", **options):
        server = httpd(conf=conf, **options)
        server.publish(content(4 << 20))
        server.address = (server.host, server.port)
        return server
    return make


def misbehave(server, source=BAD):
    """A request off the end: no client does that by mistake."""
    with Peer(server.address, server.made.hash, source=source) as peer:
        peer.interest().request(server.made.piece_count, 0)
        peer.wait_closed()


def test_a_ban_and_who_is_not_touched_by_it(serve):
    server = serve()
    with Peer(server.address, server.made.hash, source=BAD) as before, \
            Peer(server.address, server.made.hash, source="127.6.6.6") as honest:
        before.interest()
        honest.interest()
        for n in range(FAULTS):
            assert server.status()["bans"] == 0, n
            misbehave(server)
        wait_for("the ban", lambda: server.status()["bans"] == 1)
        assert server.status()["banned"] == 1
        for n in range(3):
            assert refused(server.address, server.made.hash, source=BAD)
        assert server.closed("banned") == 3 and server.closed("bad-request") == FAULTS
        assert "BTH0440" in server.log() and f"{BAD} broke rules 8 times, lastly: bad-request" in server.log()
        honest.piece(server.made, 0)
        before.piece(server.made, 1)  # a ban is for those who come: behind one address there may be many
    assert not refused(server.address, server.made.hash, source="127.5.5.6")
    assert server.get("/f.bin", {"Range": "bytes=0-0"}).status == 206


def test_a_ban_outlives_a_graceful_restart(serve):
    server = serve()
    for _ in range(FAULTS):
        misbehave(server)
    wait_for("the ban", lambda: server.status()["bans"] == 1)
    server.graceful()
    wait_for("it to be refused by the next seeder", lambda: refused(server.address, server.made.hash, source=BAD))
    assert server.status()["banned"] == 1
    assert not refused(server.address, server.made.hash, source="127.6.6.6")


def test_clumsiness_does_not_ban(serve):
    """Time-outs, info-hashes that are gone, connections that break, other seeds, other protocols."""
    server = serve()
    for _ in range(2 * FAULTS):
        assert refused(server.address, b"?" * 20, source=BAD)
        Peer(server.address, server.made.hash, source=BAD).close()
        with Peer(server.address, source=BAD) as peer:
            peer.raw(b"\x13BitTorrent protoc0l" + bytes(48))
            peer.wait_closed()
        with Peer(server.address, source=BAD) as peer:
            peer.raw(handshake(server.made.hash)[:50])
    wait_for("all to be counted", lambda: server.closed("unknown-hash") == 2 * FAULTS)
    assert server.status()["bans"] == 0
    with Peer(server.address, server.made.hash, source=BAD) as peer:
        peer.interest().piece(server.made, 0)


def test_one_torrent_does_not_take_every_place(serve, content):
    """Of twenty places a popular torrent gets at most 17; the others are for other torrents."""
    server = serve("BTHTTPMaxPeers 20\nBTHTTPMaxPeersPerIP 100")
    server.put("g.bin", content(2 << 20, seed=2))
    other = server.torrent("/g.bin")
    crowd = []
    for n in range(25):
        try:
            crowd.append(Peer(server.address, server.made.hash, source=f"127.8.0.{n + 1}"))
        except Closed:
            pass
    assert len(crowd) == 17
    assert server.closed("full-swarm") == 8 and server.closed("full") == 0
    with Peer(server.address, other.hash, source="127.8.1.1") as peer:
        peer.interest().piece(other, 0)
    for peer in crowd[:3]:
        peer.interest().piece(server.made, 0)
        peer.close()
    wait_for("room", lambda: not refused(server.address, server.made.hash, source="127.8.2.1"))
    for peer in crowd:
        peer.close()
