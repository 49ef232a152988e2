"""The directives that bound the seeder: where peers are taken, how many, how fast."""
import contextlib
import socket
import threading
import time

import pytest

from clients import Libtorrent
from httpd import peers_of
from waiting import free_port, wait_for
from wire import Closed, Peer, refused

SIZE = 16 << 20


@pytest.fixture
def serve(httpd, content):
    def make(conf, **options):
        server = httpd(web_seed=False, conf=conf, **options)
        server.put("f.bin", content(SIZE))
        return server, server.torrent("/f.bin")
    return make


def test_a_port_of_its_own(serve, box, content):
    port = free_port()
    server, torrent = serve(f"BTHTTPPeerPorts 127.0.0.1:{port}")
    assert peers_of(server.announce(torrent.hash)) == {(server.host, port)}
    with Peer((server.host, server.port)) as peer:  # httpd's own answer to what is no HTTP
        peer.raw(b"\x13BitTorrent protocol" + bytes(48) + b"\r\n\r\n")
        assert peer.exactly(8) == b"HTTP/1.1"
    server.expect("AH0")
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    server.graceful()
    with Peer((server.host, port), torrent.hash) as peer:
        peer.interest().piece(torrent, 0)


def test_http_and_a_port_of_its_own(serve):
    port = free_port()
    server, torrent = serve(f"BTHTTPPeerPorts http {port}")
    for p in (server.port, port):
        with Peer((server.host, p), torrent.hash) as peer:
            peer.interest().piece(torrent, 0)
    told = peers_of(server.announce(torrent.hash))
    assert told == {(server.host, server.port)}, "one port to everybody"


def test_ports_change_with_a_reload(serve):
    first, second = free_port(), free_port()
    server, torrent = serve(f"BTHTTPPeerPorts {first}")
    server.write_conf(f"BTHTTPPeerPorts {second}")
    server.graceful()
    wait_for("the new port to be served", lambda: not refuses_connection(server.host, second))
    with Peer((server.host, second), torrent.hash) as peer:
        peer.interest().piece(torrent, 0)
    wait_for("the old port to be closed", lambda: refuses_connection(server.host, first))


def refuses_connection(host, port):
    try:
        Peer((host, port)).close()
        return False
    except ConnectionRefusedError:
        return True


def test_a_port_that_is_taken_stops_the_start(httpd):
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = httpd(start=False, conf=f"BTHTTPPeerPorts 127.0.0.1:{taken.getsockname()[1]}")
        run = server.command("-DFOREGROUND")
        assert run.returncode != 0 and "BTH0006" in run.stderr + server.log()
    server.expect("BTH0006|AH00016|AH00020")


def test_peers_nowhere(serve):
    server, torrent = serve("BTHTTPPeerPorts off")
    assert peers_of(server.announce(torrent.hash)) == set()
    server.expect("AH0")
    with Peer((server.host, server.port)) as peer:
        peer.raw(b"\x13BitTorrent protocol" + bytes(48) + b"\r\n\r\n")
        assert peer.exactly(8) == b"HTTP/1.1"


def test_peer_address(serve):
    server, torrent = serve("BTHTTPPeerAddress 198.51.100.7:4711 198.51.100.8")
    assert peers_of(server.announce(torrent.hash)) == {("198.51.100.7", 4711), ("198.51.100.8", server.port)}


HTTP_PORTS = "BTHTTPPeerAddress 198.51.100.7:80 198.51.100.7:443 198.51.100.8:4711\n"


@pytest.mark.parametrize("client", [b"-UT3550-", b"-UM1870-", b"-BT7950-"])
def test_clients_that_refuse_the_ports_of_http(serve, client):
    port = free_port()
    server, torrent = serve(HTTP_PORTS + f"BTHTTPPeerPorts http {port}")
    everybody = {("198.51.100.7", 80), ("198.51.100.7", 443), ("198.51.100.8", 4711)}
    assert peers_of(server.announce(torrent.hash)) == everybody
    told = server.announce(torrent.hash, peer_id=client + b"abcdefghijkl")
    assert peers_of(told) == {("198.51.100.7", port), ("198.51.100.8", 4711)}
    with Peer((server.host, port), torrent.hash) as peer:  # and there is a seed
        peer.interest().piece(torrent, 0)
    server.write_conf("BTHTTPPeerAddress 198.51.100.7:80")
    server.graceful()
    def is_told_none():
        answer = server.announce(torrent.hash, peer_id=client + b"abcdefghijkl")
        return answer[b"complete"] == 1 and peers_of(answer) == set()
    wait_for("no second port to be told", is_told_none)
    assert peers_of(server.announce(torrent.hash)) == {("198.51.100.7", 80)}


def test_a_second_port_of_another_address_is_not_told(serve):
    server, torrent = serve(f"BTHTTPPeerAddress 198.51.100.7:443\nBTHTTPPeerPorts http 127.0.0.99:{free_port()}")
    assert peers_of(server.announce(torrent.hash, peer_id=b"-UT3550-abcdefghijkl")) == set()


def test_max_peers(serve):
    server, torrent = serve("BTHTTPMaxPeers 5\nBTHTTPMaxPeersPerIP 100")
    address = (server.host, server.port)
    peers = [Peer(address, torrent.hash, source=f"127.7.7.{i + 1}") for i in range(5)]
    wait_for("five peers", lambda: server.status()["peers"] == 5)
    for i in range(3):
        assert refused(address, torrent.hash, source=f"127.7.8.{i + 1}")
    assert server.closed("full") == 3
    for peer in peers:
        peer.interest().piece(torrent, 1)
    peers.pop().close()
    wait_for("room for another", lambda: not refused(address, torrent.hash, source="127.7.9.1"))
    for peer in peers:
        peer.close()


def test_max_peers_per_ip(serve):
    server, torrent = serve("BTHTTPMaxPeersPerIP 3")
    address = (server.host, server.port)
    peers = [Peer(address, torrent.hash, source="127.7.7.7") for _ in range(3)]
    assert refused(address, torrent.hash, source="127.7.7.7")
    assert server.closed("full-address") == 1
    with Peer(address, torrent.hash, source="127.7.7.8") as other:
        other.interest().piece(torrent, 0)
    for peer in peers:
        peer.close()


def test_upload_rate(serve):
    """Three greedy peers together get 2 MiB/s: over some seconds neither much more nor much less."""
    rate = 2 << 20
    server, torrent = serve("BTHTTPUploadRate 2M")
    peers = [Peer((server.host, server.port), torrent.hash, source=f"127.7.7.{i + 1}") for i in range(3)]
    for peer in peers:
        peer.interest()
    begin, sent = time.monotonic(), server.status()["bytes_sent"]
    index = 0
    while time.monotonic() - begin < 5:
        for peer in peers:
            for at in range(0, torrent.piece_length, 16384):
                peer.request(index % torrent.piece_count, at)
        for peer in peers:
            for _ in range(0, torrent.piece_length, 16384):
                peer.until(7)
        index += 1
    seconds, sent = time.monotonic() - begin, server.status()["bytes_sent"] - sent
    assert 0.6 * rate < sent / seconds < 1.3 * rate, f"{sent / seconds / rate:.2f} of the rate"
    for peer in peers:
        peer.close()


def keep_asking(peer, length):
    """Asks for the first piece again and again, whenever it is served, until its connection ends."""
    with contextlib.suppress(OSError, Closed):
        peer.send(2)
        while True:
            kind, _ = peer.receive()
            for _ in range({1: 32, 7: 1}.get(kind, 0)):
                peer.request(0, 0, length)


def test_a_saturated_seed_is_spared(serve):
    """While peers wait and the rate is at its limit, a swarm with seeds enough is not told of the server."""
    server, torrent = serve("BTHTTPUploadRate 256K\nBTHTTPUploadSlots 1\nBTHTTPTorrentVersion v1")
    for i in range(4):
        server.announce(torrent.hash, port=7000, left=0, source=f"127.9.0.{i + 1}")
    seeds = {(f"127.9.0.{i + 1}", 7000) for i in range(4)}
    told = server.announce(torrent.hash)
    assert peers_of(told) == seeds | {(server.host, server.port)}
    assert server.status()["saturated"] == 0
    peers = [Peer((server.host, server.port), torrent.hash, source=f"127.7.7.{i + 1}") for i in range(3)]
    threads = [threading.Thread(target=keep_asking, args=(peer, min(torrent.piece_length, 16384))) for peer in peers]
    for thread in threads:
        thread.start()
    try:
        wait_for("the seed to be spared", lambda: peers_of(server.announce(torrent.hash)) == seeds, timeout=60)
        assert server.announce(torrent.hash)[b"complete"] == 5
        wait_for("two to wait for the third", lambda: server.status()["waiting"] == 2)
    finally:
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
            peers.pop().close()
    wait_for("the seed to be named again", lambda: (server.host, server.port) in peers_of(server.announce(torrent.hash)))


def test_upload_slots(serve):
    server, torrent = serve("BTHTTPUploadSlots 2")
    peers = [Peer((server.host, server.port), torrent.hash, source=f"127.7.7.{i + 1}") for i in range(5)]
    for peer in peers:
        peer.send(2)
    unchoked, end = 0, time.monotonic() + 1.5
    for peer in peers:
        try:
            peer.socket.settimeout(max(end - time.monotonic(), 0.01))
            peer.until(1)
            unchoked += 1
        except TimeoutError:
            pass
    assert unchoked == 2  # the others have not waited long enough for a turn, and those who are served have not been idle for long
    # Everybody gets a turn.
    for peer in peers:
        peer.socket.settimeout(60)
        if peer.choked:
            peer.until(1)
        peer.close()
