"""Real clients at full speed stay far from every rule of docs/protocol.md ("Limits"): nobody is closed for one."""
import re
from pathlib import Path

import pytest

from clients import Aria2, Libtorrent, QBittorrent, Rtorrent
from netns import Namespace, Transmission
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
SIZE = 64 << 20
# What a peer of good will may end by: it is done, or so is the server; and it may come twice, by both its hashes.
INNOCENT = {"gone", "also-seed", "shutdown", "full-address"}


def broken(server):
    """The reasons for which somebody was closed, but for innocent ones."""
    return {reason: n for reason, n in server.status()["closed"].items() if n and reason not in INNOCENT}


def of_malice():
    section = (ROOT / "docs/protocol.md").read_text().split("\n## Limits\n")[1].split("\nRules that clumsy")[0]
    return set(re.findall(r"^\|.*\| `([a-z-]+)` \|$", section, re.M))


@pytest.fixture
def serve(httpd, content):
    def make(conf="", **options):
        server = httpd(web_seed=False, conf=f"BTHTTPPieceSize 16K\n{conf}", **options)  # many haves, many hashes
        server.publish(content(SIZE))
        assert server.made.piece_count == SIZE >> 14
        return server
    return make


def test_the_list_of_malice_is_known():
    assert {"flood", "have-flood", "request-flood", "metadata-flood", "pex-flood", "hash-flood", "bad-message"} <= of_malice()
    assert not of_malice() & INNOCENT


@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_libtorrent(serve, box, content, version):
    server = serve(conf=f"BTHTTPTorrentVersion {version}")
    with Libtorrent(box, download_rate_limit=0, max_out_request_queue=2000) as client:
        client.add(server.made)
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert broken(server) == {}


def test_aria2(serve, box, content):
    server = serve()
    with Aria2(box, f"{server.base}/f.bin") as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert broken(server) == {}


def test_rtorrent(serve, box, content):
    server = serve()
    with Rtorrent(box, server.made) as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert broken(server) == {}


def test_qbittorrent(serve, box, content):
    server = serve()
    with QBittorrent(box, server.made) as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert broken(server) == {}


def test_transmission(serve, box, content):
    with Namespace() as namespace:
        server = serve(address=namespace.host_address, conf="BTHTTPTorrentVersion v1")
        with Transmission(box, namespace, server.made, url=f"{server.base}/f.bin.torrent") as client:
            client.wait()
            assert client.file.read_bytes() == content(SIZE)
        assert broken(server) == {}


def test_all_together_by_turns(serve, box, content):
    """One slot: each is choked in the middle again and again, with hundreds of requests under way, while they pass
    pieces to each other and tell of them."""
    server = serve(conf="BTHTTPUploadSlots 1\nBTHTTPUploadRate 6M")
    clients = [Libtorrent(box, f"lt{i}").add(server.made) for i in range(2)]
    clients += [Aria2(box, f"{server.base}/f.bin", name="a2"), Rtorrent(box, server.made), QBittorrent(box, server.made)]
    try:
        def done(client):
            return client.complete() if isinstance(client, Libtorrent) else client.done()
        for client in clients:
            wait_for("each to be done", lambda client=client: done(client), 180)
        for client in clients:
            assert client.file.read_bytes() == content(SIZE)
        assert not {reason: n for reason, n in broken(server).items() if reason in of_malice() | {"slow-reader", "trickle"}}
    finally:
        for client in clients:
            client.stop()
