"""Files of every awkward size."""
import hashlib

import pytest

from clients import Libtorrent
from wire import BLOCK, Peer

PIECE = 65536
SIZES = [1, BLOCK - 1, BLOCK, BLOCK + 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 7 * PIECE + 12345, 1000 * PIECE + 1]


@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_sizes(httpd, box, content, version):
    server = httpd(web_seed=False, conf=f"BTHTTPMinSize 0\nBTHTTPPieceSize 64K\nBTHTTPTorrentVersion {version}\n"
                                        "BTHTTPMaxPeersPerIP 50")
    for size in SIZES:
        server.put(f"{size}.bin", content(size))
        torrent = server.torrent(f"/{size}.bin")
        torrent.check(content(size))
        assert torrent.piece_length == PIECE
        with Libtorrent(box, f"lt-{size}") as client:
            client.add(torrent, tracker=False)
            client.connect(server.host, server.port)
            client.wait(60)
            assert client.file.read_bytes() == content(size), size


def test_an_empty_file_is_never_offered(httpd):
    """libtorrent and others refuse a torrent without a byte in it."""
    server = httpd(conf="BTHTTPMinSize 0")
    server.put("empty.bin", b"")
    answer = server.get("/empty.bin", {"X-BT-Accept": "torrent"})
    assert (answer.status, answer.body, answer.header("X-BT-Status")) == (200, b"", "too-small")
    assert server.get("/empty.bin.torrent").status == 404


@pytest.mark.parametrize("size", [4 << 20, 300 << 20])
def test_piece_length_by_the_table(httpd, size):
    server = httpd()
    with open(server.docroot / "f.bin", "wb") as file:
        file.truncate(size)
    torrent = server.torrent("/f.bin")
    assert 16384 <= torrent.piece_length <= 16 << 20
    assert torrent.piece_length & (torrent.piece_length - 1) == 0
    assert torrent.piece_count <= 2048


def test_beyond_4_gib(httpd, content):
    """A sparse file of 6 GiB with marks on both sides of each power of two; its pieces are what its hashes say."""
    server = httpd()
    size = (6 << 30) + 4321
    marks = [0, (2 << 30) - 100, (4 << 30) - 100, (4 << 30) + 5_000_000, 6 << 30]
    path = server.docroot / "large.bin"
    with open(path, "wb") as file:
        file.truncate(size)
        for i, mark in enumerate(marks):
            file.seek(mark)
            file.write(content(4321, i))
    torrent = server.torrent("/large.bin", timeout=150)
    assert torrent.length == size
    with Peer((server.host, server.port), torrent.hash) as peer, open(path, "rb") as file:
        peer.interest()
        for mark in marks:
            index = mark // torrent.piece_length
            for i in {index, min(index + 1, torrent.piece_count - 1)}:
                data = peer.piece(torrent, i)
                file.seek(i * torrent.piece_length)
                assert data == file.read(torrent.piece_length)
                assert hashlib.sha1(data).digest() == torrent.piece_hash(i)
    range_ = server.get("/large.bin", {"Range": f"bytes={(4 << 30) + 5_000_000}-{(4 << 30) + 5_000_099}"})
    assert range_.body == content(4321, 3)[:100]
