"""Downloads by nothing but a magnet link: the infodict comes from the seed (BEP 9), and no .torrent is ever fetched."""
import re

import pytest

from clients import Aria2, Libtorrent, Rtorrent
from netns import Namespace, Transmission

SIZE = 24 << 20
V1 = "BTHTTPTorrentVersion v1"


@pytest.fixture
def serve(httpd, content):
    def make(**options):
        server = httpd(web_seed=False, **options)
        server.put("f.bin", content(SIZE))
        magnet = server.magnet("/f.bin")
        assert "&tr=" in magnet and "&ws=" not in magnet
        return server, magnet
    return make


def check(server, client, content):
    assert client.file.read_bytes() == content(SIZE)
    assert server.status()["bytes_sent"] >= SIZE, "the bytes came from peers"
    asked = [line for line in server.accesses() if "GET /f.bin" in line and "GET /f.bin.magnet" not in line]
    assert not asked, f"something else than the magnet link was asked for: {asked}"


@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_libtorrent(serve, box, content, version):
    """A v2-only one gets its piece layers by hash requests (BEP 52), since they are not in the infodict."""
    server, magnet = serve(conf=f"BTHTTPTorrentVersion {version}")
    with Libtorrent(box) as client:
        client.add_magnet(magnet, "f.bin", at_once=version == "v1")
        if version == "v1":
            client.wait()
        else:
            client.wait_after_hashes(server)
        check(server, client, content)


@pytest.mark.parametrize("version", ["hybrid", "v1"])
def test_aria2(serve, box, content, version):
    """Of a hybrid, too: it takes the v1 hash, checks the infodict against it, and then announces another (aria2 issue 1903)."""
    server, magnet = serve(conf=f"BTHTTPTorrentVersion {version}")
    with Aria2(box, magnet, file="f.bin") as client:
        client.wait()
        check(server, client, content)


@pytest.mark.parametrize("version", ["hybrid", "v1"])
def test_rtorrent(serve, box, content, version):
    """It refuses links that name a v2 hash as well; of a hybrid, its v1 hash alone is for it."""
    server, magnet = serve(conf=f"BTHTTPTorrentVersion {version}")
    magnet = re.sub("&xt=urn:btmh:[0-9a-f]+", "", magnet)
    with Rtorrent(box, None, magnet=magnet, file="f.bin") as client:
        client.wait()
        check(server, client, content)


def test_transmission(box, content, serve):
    """Version 3 reads no infodict with an empty key, and each of v2 has one: v1 is for it."""
    with Namespace() as namespace:
        server, magnet = serve(address=namespace.host_address, conf=V1)
        with Transmission(box, namespace, None, url=magnet, file="f.bin") as client:
            client.wait()
            check(server, client, content)


def test_transmission_by_the_v1_half_of_a_hybrid(box, content, httpd):
    """The link that names the v1 half alone, which is a torrent of its own to old clients."""
    with Namespace() as namespace:
        server = httpd(web_seed=False, address=namespace.host_address)
        server.put("f.bin", content(SIZE))
        half = server.torrent("/f.bin", headers={"User-Agent": "Transmission/3.00"})
        assert half.has_v1 and not half.has_v2
        magnet = f"magnet:?xt=urn:btih:{half.v1.hex()}&tr={half.meta[b'announce'].decode()}"
        with Transmission(box, namespace, None, url=magnet, file="f.bin") as client:
            client.wait()
            assert client.file.read_bytes() == content(SIZE)
