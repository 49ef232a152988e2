"""Files that have left the page cache: they are read by threads of their own, and everybody gets the right bytes."""
import os
from pathlib import Path

from clients import Libtorrent
from waiting import wait_for
from wire import Peer

SIZE = 12 << 20


def evict(path):
    """Out of the page cache, if its file system has one. Returns whether it is."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(file.fileno(), [bytearray(16384)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            return True
        except OSError:  # it cannot tell: tmpfs
            pass
    return False


def has_readers(pid):
    return any(task.read_text() == "bthttp-read\n" for task in Path(f"/proc/{pid}/task").glob("*/comm"))


def test_cold_files(httpd, content, box):
    server = httpd(web_seed=False)
    paths = [server.put(f"{n}.bin", content(SIZE, seed=n)) for n in range(3)]
    torrents = [server.torrent(f"/{n}.bin") for n in range(3)]
    seeder = server.status()["seeder_pid"]
    cold = [evict(path) for path in paths]
    peers = [Peer((server.host, server.port), torrent.hash) for torrent in torrents]
    for peer in peers:
        peer.interest()
    for index in range(torrents[0].piece_count - 1, -1, -7):  # backwards: nothing is read ahead
        for peer, torrent in zip(peers, torrents):
            peer.piece(torrent, index)
    for peer in peers:
        peer.close()
    assert has_readers(seeder) or not any(cold)
    evict(paths[0])
    with Libtorrent(box) as client:
        client.add(torrents[0])
        client.wait()
        assert client.file.read_bytes() == content(SIZE, seed=0)


def test_restart_and_change_with_cold_files(httpd, content):
    server = httpd(web_seed=False)
    path = server.put("a.bin", content(SIZE))
    torrent = server.torrent("/a.bin")
    with Peer((server.host, server.port), torrent.hash, timeout=60) as peer:
        peer.interest()
        blocks = [(piece, 0) for piece in range(0, torrent.piece_count - 1, 2)]
        evict(path)
        for block in blocks:
            peer.request(*block)
        server.graceful()
        for piece, _ in blocks:
            payload = peer.until(7)
            begin = piece * torrent.piece_length
            assert payload[8:] == content(SIZE)[begin:begin + 16384]
        evict(path)
        for block in blocks:
            peer.request(*block)
        os.truncate(path, SIZE // 2)
        peer.wait_closed()
    wait_for("its withdrawal", lambda: server.closed("withdrawn") == 1)
