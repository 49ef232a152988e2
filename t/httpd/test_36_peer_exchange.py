"""Peer exchange (BEP 11): peers that no tracker made known to each other meet through the seed."""
import contextlib
import socket

from bencode import Torrent, decode, encode
from clients import Libtorrent
from netns import Namespace, Transmission
from waiting import wait_for
from wire import EXTENDED, Closed, Peer

EXTENSIONS = bytes(5) + b"\x10\x00\x04"
OURS = 7  # the number under which peers by hand take ut_pex


def without_tracker(torrent):
    return Torrent(encode({b"info": torrent.info, b"piece layers": torrent.meta.get(b"piece layers", {})}))


def compact(address, port):
    return socket.inet_aton(address) + port.to_bytes(2, "big")


def say_hello(peer, port=None):
    hello = {b"m": {b"ut_pex": OURS}}
    if port:
        hello[b"p"] = port
    peer.send(EXTENDED, b"\0" + encode(hello))
    return peer


def names_pex(peer):
    """The number under which the seed takes ut_pex."""
    while True:
        kind, payload = peer.receive()
        if kind == EXTENDED and payload[0] == 0:
            return decode(payload[1:])[b"m"][b"ut_pex"]


def next_news(peer):
    while True:
        kind, payload = peer.receive()
        if kind == EXTENDED and payload[0] == OURS:
            return decode(payload[1:])


def by_pex(client):
    """Those whom a libtorrent client knows by PEX."""
    return [peer for peer in client.handle.get_peer_info() if peer.source & peer.pex]


def test_two_libtorrents_find_each_other(httpd, box, content):
    """Neither announces, and neither is told of the other but by the seed, which is slow: they pass on what they have."""
    size = 8 << 20
    server = httpd(web_seed=False, conf="BTHTTPUploadRate 1M\nBTHTTPMaxPeersPerIP 50")
    server.put("f.bin", content(size))
    torrent = without_tracker(server.torrent("/f.bin"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Libtorrent(box, f"lt{i}")).add(torrent, tracker=False) for i in range(2)]
        for client in clients:
            client.connect(server.host, server.port)
        wait_for("them to meet by PEX", lambda: any(by_pex(client) for client in clients), 60)
        for client in clients:
            client.wait()
            assert client.file.read_bytes() == content(size)
    assert server.status()["pex_sent"] >= 1


def test_transmission_hears_of_a_peer(httpd, box, content):
    """libtorrent without extensions neither announces nor hears of others: only Transmission can find it, by PEX. It has half of the
    file, and the seed is slow."""
    size = 4 << 20
    with Namespace() as namespace:
        server = httpd(web_seed=False, address=namespace.host_address,
                       conf="BTHTTPTorrentVersion v1\nBTHTTPUploadRate 16K\nBTHTTPTrackerInterval 10s")
        server.put("f.bin", content(size))
        torrent = server.torrent("/f.bin")
        # At an address of its own: Transmission knows one peer an address only, and the seed has the first.
        with Libtorrent(box, address=namespace.second_host_address, plugins=False) as other:
            (other.dir / "f.bin").write_bytes(content(size)[:size // 2] + bytes(size // 2))
            other.add(without_tracker(torrent), tracker=False)
            other.connect(server.host, server.port)
            with Transmission(box, namespace, torrent, pex=True) as client:
                wait_for("Transmission to connect to it",
                         lambda: [p for p in other.handle.get_peer_info()
                                  if p.ip[0] == namespace.address and not p.flags & p.local_connection], 60)
                wait_for("Transmission to take what it has", lambda: other.status().total_payload_upload > 0, 60)
                assert client.process.poll() is None


# --- by hand


def test_who_is_told_of_whom(httpd, content):
    server = httpd(conf="BTHTTPMaxPeersPerIP 50")
    server.put("f.bin", content(1 << 20))
    torrent = server.torrent("/f.bin")
    where = (server.host, server.port)
    with contextlib.ExitStack() as stack:
        def peer(source, info_hash, port=None):
            made = stack.enter_context(Peer(where, info_hash, source=source, reserved=EXTENSIONS))
            return say_hello(made, port)

        first = peer("127.9.0.1", torrent.v1, 7001)
        assert names_pex(first) > 0
        silent = peer("127.9.0.2", torrent.v1)  # does not say where it listens
        second = peer("127.9.0.3", torrent.v1, 7003)
        other = peer("127.9.0.4", torrent.v2[:20], 7004)  # in the v2 swarm, and no v1 hash of it is known

        assert next_news(first) == {b"added": compact("127.9.0.3", 7003), b"added.f": b"\0"}
        assert next_news(second) == {b"added": compact("127.9.0.1", 7001), b"added.f": b"\0"}
        both = next_news(silent)[b"added"]
        assert {both[:6], both[6:]} == {compact("127.9.0.1", 7001), compact("127.9.0.3", 7003)}
        fifth = peer("127.9.0.5", torrent.v2[:20], 7005)
        assert next_news(other) == {b"added": compact("127.9.0.5", 7005), b"added.f": b"\0"}
        assert next_news(fifth) == {b"added": compact("127.9.0.4", 7004), b"added.f": b"\0"}


def test_who_left_is_not_told_of(httpd, content):
    server = httpd(conf="BTHTTPMaxPeersPerIP 50")
    server.put("f.bin", content(1 << 20))
    torrent = server.torrent("/f.bin")
    where = (server.host, server.port)
    with Peer(where, torrent.v1, source="127.9.1.1", reserved=EXTENSIONS) as gone:
        say_hello(gone, 7001)
        names_pex(gone)
    server.wait_closed("gone")
    with Peer(where, torrent.v1, source="127.9.1.2", reserved=EXTENSIONS) as first, \
            Peer(where, torrent.v1, source="127.9.1.3", reserved=EXTENSIONS) as second:
        say_hello(first, 7002)
        say_hello(second, 7003)
        assert next_news(first) == {b"added": compact("127.9.1.3", 7003), b"added.f": b"\0"}


def test_hearing(httpd, content):
    """What peers tell is taken, whatever it is; a flood of it is not."""
    server = httpd(conf="BTHTTPMaxPeersPerIP 50")
    server.put("f.bin", content(1 << 20))
    torrent = server.torrent("/f.bin")
    with Peer((server.host, server.port), torrent.v1, reserved=EXTENSIONS) as peer:
        say_hello(peer, 7001)
        number = bytes([names_pex(peer)])
        peer.send(EXTENDED, number + encode({b"added": compact("1.2.3.4", 5), b"added.f": b"\0"}))
        peer.send(EXTENDED, number + b"no bencoding")
        peer.send(EXTENDED, number + encode({b"added": b"12345"}))
        before = server.closed("pex-flood")
        try:
            for _ in range(20000):
                peer.send(EXTENDED, number + encode({b"added": compact("1.2.3.4", 5), b"added.f": b"\0"}))
        except Closed:
            pass
        peer.wait_closed()
        server.wait_closed("pex-flood", before)
