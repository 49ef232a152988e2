"""A file that is sent again and again goes out from a mapping of it (seeder/view.h): every byte is right, and a file that
becomes shorter meanwhile takes nothing with it."""
import os
import struct
from pathlib import Path

import pytest

from waiting import wait_for
from wire import BLOCK, PIECE, REQUEST, Closed, Peer

SIZE = 16 << 20
TIMES = 8  # from 64 MiB on a file is mapped
BURST = 64


@pytest.fixture
def served(httpd, content):
    server = httpd(web_seed=False, conf="BTHTTPPieceSize 256K")
    server.path = server.put("f.bin", content(SIZE))
    server.made = server.torrent("/f.bin")
    return server


def blocks(torrent):
    return [(index, at) for index in range(torrent.piece_count) for at in range(0, torrent.piece_size(index), BLOCK)]


def download(peer, torrent):
    """All blocks, asked for in bursts, so that they go out in batches. Yields each as it comes: (offset, bytes)."""
    todo = blocks(torrent)
    for first in range(0, len(todo), BURST):
        burst = todo[first:first + BURST]
        peer.raw(b"".join(struct.pack(">IBIII", 13, REQUEST, index, at, BLOCK) for index, at in burst))
        for _ in burst:
            payload = peer.until(PIECE)
            index, at = struct.unpack(">II", payload[:8])
            yield index * torrent.piece_length + at, payload[8:]


def is_mapped(server):
    maps = Path(f"/proc/{server.status()['seeder_pid']}/maps").read_text()
    return str(server.path.resolve()) in maps


@pytest.fixture
def peer(served):
    """One that has been sent so much that the file is mapped."""
    with Peer((served.host, served.port), served.made.hash) as peer:
        peer.interest()
        for _ in range(TIMES):
            for _ in download(peer, served.made):
                pass
        assert is_mapped(served)
        yield peer


def test_every_byte(served, peer, content):
    data = content(SIZE)
    for _ in range(TIMES):
        for offset, got in download(peer, served.made):
            assert got == data[offset:offset + BLOCK], f"at {offset}"
    assert is_mapped(served)
    peer.close()
    wait_for("the file to be closed", lambda: not is_mapped(served), 60)


def test_it_becomes_shorter(served, peer, content):
    data, end, pid = content(SIZE), SIZE // 2 + 333, served.status()["seeder_pid"]
    os.truncate(served.path, end)
    with pytest.raises(Closed):
        for offset, got in download(peer, served.made):
            assert got == data[offset:offset + BLOCK], f"at {offset}"
            assert offset + len(got) <= end
    assert served.alive() and served.status()["seeder_pid"] == pid
