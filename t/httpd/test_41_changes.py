"""Files that change while they are seeded: what a client has accepted is always of the old version, whole pieces of it."""
import os
import socket
import time

import pytest

from clients import Libtorrent
from waiting import wait_for
from wire import Peer, refused

SIZE = 32 << 20


def rewrite_in_place(path, new):
    """The same size, and even the old time on it."""
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(new)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(path, new):
    os.truncate(path, SIZE // 2 + 333)


def replace(path, new):
    other = path.with_name("other")
    other.write_bytes(new)
    other.rename(path)


def delete(path, new):
    path.unlink()


def restore_backup(path, new):
    """Other bytes with an older time."""
    path.write_bytes(new)
    os.utime(path, (time.time() - 1e6,) * 2)


@pytest.mark.parametrize("change", [rewrite_in_place, truncate, replace, delete, restore_backup])
def test_a_file_changes_under_its_seed(httpd, box, content, change):
    old, new = content(SIZE, 1), content(SIZE, 2)
    server = httpd(web_seed=False, conf="BTHTTPUploadRate 4M")
    path = server.put("f.bin", old)
    torrent = server.torrent("/f.bin")
    address = (server.host, server.port)
    with Libtorrent(box) as client:
        client.add(torrent)
        wait_for("the download to be on its way", lambda: client.status().total_done > 4 << 20)
        change(path, new)
        # By us, as withdrawn; or by the client, if the new bytes reached it within the second between two looks.
        wait_for("the end of the connection", lambda: server.status()["peers"] == 0)
        wait_for("the seed to refuse the old one", lambda: refused(address, torrent.hash), 10)
        answer = server.announce(torrent.hash)
        assert b"changed" in answer[b"failure reason"]
        check_pieces(client, torrent, old)
    assert server.alive()
    if change is delete:
        assert server.get("/f.bin.torrent").status == 404
        return
    now = path.read_bytes()
    fresh = server.torrent("/f.bin")
    assert fresh.v1 != torrent.v1
    fresh.check(now)
    with Peer(address, fresh.hash) as peer:
        assert peer.interest().piece(fresh, 3) == now[3 * fresh.piece_length:4 * fresh.piece_length]


def check_pieces(client, torrent, old):
    """What the client has accepted, piece by piece."""
    client.handle.flush_cache()
    pieces = client.status().pieces
    assert any(pieces) and not all(pieces)
    def written():
        have = client.file.read_bytes()
        return all(have[i * torrent.piece_length:(i + 1) * torrent.piece_length] ==
                   old[i * torrent.piece_length:(i + 1) * torrent.piece_length] for i, has in enumerate(pieces) if has)
    wait_for("its pieces to be those of the old file", written, 10)


def test_touching_keeps_the_hash(httpd, content):
    """Same bytes, new stamp: hashed again, and the same torrent."""
    server = httpd()
    path = server.put("f.bin", content(2 << 20))
    torrent = server.torrent("/f.bin")
    os.utime(path)
    assert server.torrent("/f.bin").v1 == torrent.v1
    assert server.status()["hashed_files"] == 2
    with Peer((server.host, server.port), torrent.hash) as peer:
        peer.interest().piece(torrent, 0)


def test_the_old_torrent_is_never_sent_for_a_new_file(httpd, content):
    server = httpd(conf="BTHTTPWait 0s")
    for seed in range(6):
        server.put("f.bin", content(4 << 20, seed))
        for path in ("/f.bin.torrent", "/f.bin?torrent"):
            answer = server.get(path)
            assert answer.status in (200, 503)
        server.torrent("/f.bin").check(content(4 << 20, seed))


def test_a_file_that_grows(httpd, content):
    """A log: written to while it is hashed and after. No torrent of a version that never was."""
    server = httpd()
    path = server.put("f.log", content(3 << 20))
    for _ in range(20):
        with open(path, "ab") as file:
            file.write(b"one more line\n" * 100)
        server.get("/f.log", {"X-BT-Accept": "torrent;wait=0"})
    # A file that was caught changing is tried again after a while.
    wait_for("its torrent", lambda: server.get("/f.log.torrent").status == 200, 40)
    server.torrent("/f.log").check(path.read_bytes())


@pytest.mark.parametrize("kind", ["fifo", "directory", "dangling symlink", "socket"])
def test_what_is_no_regular_file(httpd, kind):
    server = httpd(level="warn")
    path = server.docroot / "odd"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(path))
    else:
        path.symlink_to("/nowhere")
    server.expect("AH00037|AH00129|AH00132")  # httpd's own words for what it does not send
    for _ in range(2):
        assert server.get("/odd.torrent").status in (403, 404)
        if kind != "fifo":  # a stock httpd waits for its writer
            answer = server.get("/odd", {"X-BT-Accept": "torrent"}, "HEAD")
            assert answer.header("X-BT-Status") in (None, "transformed", "unavailable")
    assert server.status()["torrents"] == 0


def test_a_symlink_that_is_moved_elsewhere(httpd, content):
    server = httpd()
    server.put("one", content(2 << 20, 1))
    server.put("two", content(2 << 20, 2))
    link = server.docroot / "f.bin"
    link.symlink_to("one")
    first = server.torrent("/f.bin")
    first.check(content(2 << 20, 1))
    new = server.docroot / "new"
    new.symlink_to("two")
    new.rename(link)
    server.torrent("/f.bin").check(content(2 << 20, 2))
    wait_for("the old one to be refused", lambda: refused((server.host, server.port), first.hash), 10)
