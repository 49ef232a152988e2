"""Real clients download 64 MiB over the peer protocol from httpd's own port, web seeds off, byte for byte."""
import pytest

from clients import Aria2, Libtorrent, Rtorrent
from netns import Namespace, Transmission
from waiting import wait_for

SIZE = 64 << 20


@pytest.fixture
def serve(httpd, content):
    def make(**options):
        server = httpd(web_seed=False, **options)
        server.put("f.bin", content())
        return server, server.torrent("/f.bin")
    return make


def check(server, client, content, size=SIZE):
    assert client.file.read_bytes() == content(size)
    status = server.status()
    assert status["bytes_sent"] >= size, "the bytes came from peers"
    bodies = [line for line in server.accesses() if '"GET ' in line and int(line.split('" ')[1].split()[1]) > size // 2]
    assert not bodies, f"the file was sent over HTTP: {bodies}"


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_aria2(serve, box, content, mpm):
    """Nothing but the header: aria2 asks for the file, gets the torrent and follows it."""
    server, _ = serve(mpm=mpm)
    with Aria2(box, f"{server.base}/f.bin") as client:
        client.wait()
        check(server, client, content)


def test_rtorrent(serve, box, content):
    server, torrent = serve()
    with Rtorrent(box, torrent) as client:
        client.wait()
        check(server, client, content)


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_libtorrent(serve, box, content, mpm):
    """With its own settings: a hybrid by the tracker."""
    server, torrent = serve(mpm=mpm)
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        check(server, client, content)


@pytest.mark.parametrize("v2", [False, True], ids=["as v1", "as v2"])
def test_libtorrent_hybrid(serve, box, content, v2):
    server, torrent = serve()
    with Libtorrent(box) as client:
        client.add(torrent, tracker=False)
        client.connect(server.host, server.port, v2=v2)
        client.wait()
        check(server, client, content)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_libtorrent_one_version(serve, box, content, version):
    server, torrent = serve(conf=f"BTHTTPTorrentVersion {version}")
    assert (torrent.has_v1, torrent.has_v2) == (version == "v1", version == "v2")
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        check(server, client, content)


def test_libtorrent_at_a_tls_port(serve, box, content, tls):
    """The torrent came by https, so its tracker is there, and so are the peers: in the clear on the TLS port."""
    server, _ = serve(tls=tls)
    torrent = server.torrent("/f.bin", address=(server.host, server.tls_port), tls=True)
    assert torrent.meta[b"announce"].startswith(b"https://")
    with Libtorrent(box) as client:
        client.add(torrent, tracker=False)
        client.connect(server.host, server.tls_port)
        client.wait()
        check(server, client, content)


def test_libtorrent_by_the_https_tracker(serve, box, content, tls):
    server, _ = serve(tls=tls)
    torrent = server.torrent("/f.bin", host=f"127.0.0.1:{server.tls_port}", address=(server.host, server.tls_port), tls=True)
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        check(server, client, content)


# Transmission before 4.0 reads no metainfo with an empty key in it, and every v2 file tree has one: v1 is for it.
V1 = "BTHTTPTorrentVersion v1"


def test_transmission(serve, box, content):
    with Namespace() as namespace:
        server, torrent = serve(address=namespace.host_address)
        with Transmission(box, namespace, torrent, url=f"{server.base}/f.bin.torrent") as client:
            client.wait()
            check(server, client, content)


def every_other(piece_length, data, first):
    """The data with every other piece blank; `first` is the first that is left."""
    pieces = [data[i:i + piece_length] for i in range(0, len(data), piece_length)]
    return b"".join(p if i % 2 == first else bytes(len(p)) for i, p in enumerate(pieces))


def test_transmission_and_libtorrent_exchange_pieces(httpd, box, content):
    """Each begins with the half that the other lacks, and the seed is slow: in one swarm, both finish by each other."""
    size = 8 << 20
    with Namespace() as namespace:
        server = httpd(web_seed=False, address=namespace.host_address,
                       conf=V1 + "\nBTHTTPUploadRate 16K\nBTHTTPTrackerInterval 10s")
        server.put("f.bin", content(size))
        torrent = server.torrent("/f.bin")
        halves = [every_other(torrent.piece_length, content(size), first) for first in (0, 1)]
        # At an address of its own: Transmission knows one peer an address only, and the seed has the first.
        with Libtorrent(box, address=namespace.second_host_address) as one:
            (one.dir / "f.bin").write_bytes(halves[0])
            one.add(torrent)
            with Transmission(box, namespace, torrent, data=halves[1]) as two:
                wait_for("both to finish", lambda: one.complete() and two.done(), 120)
                assert one.file.read_bytes() == two.file.read_bytes() == content(size)
        assert server.status()["bytes_sent"] < size // 2, "half of what was missing came from the other"


def test_many_clients_from_many_children(serve, box, content):
    """Whichever child accepts a peer, one seeder serves it."""
    server, torrent = serve(mpm="prefork", conf="StartServers 8\nBTHTTPMaxPeersPerIP 50")
    seeder = server.seeder()
    clients = [Libtorrent(box, f"lt{i}").add(torrent, tracker=False) for i in range(8)]
    for client in clients:
        client.connect(server.host, server.port)
    for client in clients:
        client.wait()
        assert client.file.read_bytes() == content()
        client.stop()
    assert server.seeder() == seeder
    assert server.status()["handshakes"] >= 8
