"""A real FILE.torrent beside FILE: used and seeded under its own info-hash if it describes the file, else left alone."""
import os
import re
import subprocess

import libtorrent as lt
import pytest

from bencode import Torrent, encode
from clients import Libtorrent
from waiting import wait_for

SIZE = 3 << 20
LEFT_ALONE = r"BTH0419: .*{}\.torrent is left alone, a torrent of .*{} is made instead: {}"
ASK = {"X-BT-Accept": "torrent;wait=30"}


def by_libtorrent(path, version="hybrid", piece=65536, trackers=("http://theirs.example/announce",),
                  seeds=("http://seed.example/f.bin",), change=None):
    """The .torrent of a file or directory as libtorrent makes it; change(create_torrent) may add to it."""
    storage = lt.file_storage()
    lt.add_files(storage, str(path))
    flags = {"hybrid": 0, "v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only}[version]
    made = lt.create_torrent(storage, piece, flags=flags)
    for url in trackers:
        made.add_tracker(url)
    for url in seeds:
        made.add_url_seed(url)
    lt.set_piece_hashes(made, str(path.parent))
    if change:
        change(made)
    return lt.bencode(made.generate())


def by_mktorrent(path, out, piece=16, url="http://theirs.example/announce"):
    subprocess.run(["mktorrent", "-a", url, "-l", str(piece), "-o", str(out), str(path)], check=True, capture_output=True)
    data = out.read_bytes()
    out.unlink()
    return data


def served(server, path="/f.bin"):
    """The torrent that a request by header gets, once it is made."""
    def ready():
        answer = server.get(path, ASK)
        return answer.header("X-BT-Status") == "torrent" and Torrent(answer.body)
    return wait_for(f"the torrent of {path}", ready)


@pytest.fixture
def server(httpd, content):
    server = httpd(web_seed=False)
    server.put("f.bin", content(SIZE))
    return server


# --- used


MAKERS = {
    "mktorrent": lambda path: by_mktorrent(path, path.with_name("made.torrent")),
    "mktorrent, pieces of 1 MiB": lambda path: by_mktorrent(path, path.with_name("made.torrent"), piece=20),
    "libtorrent v1": lambda path: by_libtorrent(path, "v1"),
    "libtorrent v2": lambda path: by_libtorrent(path, "v2"),
    "libtorrent hybrid": lambda path: by_libtorrent(path, "hybrid"),
    "libtorrent hybrid, pieces of 16 KiB": lambda path: by_libtorrent(path, "hybrid", piece=16384),
    "libtorrent v2, one piece": lambda path: by_libtorrent(path, "v2", piece=4 << 20),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_it_is_used_and_seeded(server, box, content, maker):
    sidecar = MAKERS[maker](server.docroot / "f.bin")
    server.put("f.bin.torrent", sidecar)
    own = Torrent(sidecar)
    torrent = served(server)
    assert torrent.infodict == own.infodict, "its infodict, and so its info-hash"
    torrent.check(content(SIZE))
    announced = torrent.meta[b"announce"].decode()
    assert announced == f"{server.base}/.well-known/bthttp/announce"
    lt.torrent_info(torrent.data)
    assert server.get("/f.bin.torrent").body == sidecar, "the file itself stays what it is"
    assert server.get("/f.bin?torrent").body == torrent.data
    for add in (torrent, own):  # by our tracker; and whoever has the admin's own file, by his own way to us
        with Libtorrent(box, f"by-{len(add.data)}") as client:
            client.add(add, tracker=add is torrent)
            if add is own:
                client.connect(server.host, server.port, v2=not own.has_v1)
            client.wait()
            assert client.file.read_bytes() == content(SIZE)
    assert server.status()["bytes_sent"] >= 2 * SIZE


def test_a_hybrid_is_seeded_by_both_hashes(server, box, content):
    sidecar = Torrent(by_libtorrent(server.docroot / "f.bin"))
    server.put("f.bin.torrent", sidecar.data)
    served(server)
    for v2 in (False, True):
        with Libtorrent(box, f"v2-{v2}") as client:
            client.add(sidecar, tracker=False)
            client.connect(server.host, server.port, v2=v2)
            client.wait()
            assert client.file.read_bytes() == content(SIZE)


def test_what_is_around_the_infodict(httpd, content):
    """Ours first, then what its author wrote, nothing twice."""
    server = httpd(conf="BTHTTPAnnounce udp://more.example:1/announce\nBTHTTPMirror http://mirror.example/")
    path = server.put("f.bin", content(SIZE))
    trackers = ["http://theirs.example/announce", "udp://more.example:1/announce", "udp://theirs.example:2/announce"]
    server.put("f.bin.torrent", by_libtorrent(path, trackers=trackers, seeds=["http://seed.example/f.bin"]))
    torrent = served(server)
    ours = f"{server.base}/.well-known/bthttp/announce".encode()
    assert torrent.meta[b"announce"] == ours
    flat = [url for tier in torrent.meta[b"announce-list"] for url in tier]
    assert flat[:2] == [ours, b"udp://more.example:1/announce"]
    assert sorted(flat[2:]) == [b"http://theirs.example/announce", b"udp://theirs.example:2/announce"]
    assert torrent.meta[b"url-list"] == [f"{server.base}/f.bin?bthttp=file".encode(), b"http://mirror.example/f.bin",
                                         b"http://seed.example/f.bin"]
    assert torrent.meta[b"update-url"] == f"{server.base}/f.bin?torrent".encode(), "that of ours, not of the real file"
    assert torrent.meta[b"created by"].startswith(b"mod_bthttp")


def test_other_forms_of_it(server):
    sidecar = Torrent(by_libtorrent(server.docroot / "f.bin"))
    server.put("f.bin.torrent", sidecar.data)
    served(server)
    magnet = server.get("/f.bin.magnet").body.decode()
    assert sidecar.v1.hex() in magnet and sidecar.v2.hex() in magnet and "theirs.example" in magnet
    metalink = server.get("/f.bin.meta4").body.decode()
    assert f"{server.base}/f.bin?torrent" in metalink and "/f.bin.torrent<" not in metalink
    links = [value for name, value in server.get("/f.bin").headers if name == "Link"]
    assert any(link.startswith("</f.bin?torrent>;") for link in links) and not any("f.bin.torrent" in link for link in links)


def test_old_clients_get_its_v1_half(server, box, content):
    sidecar = Torrent(by_libtorrent(server.docroot / "f.bin"))
    server.put("f.bin.torrent", sidecar.data)
    served(server)
    half = Torrent(server.get("/f.bin?torrent", {"User-Agent": "Transmission/3.00"}).body)
    assert not half.has_v2 and half.info[b"pieces"] == sidecar.info[b"pieces"]
    with Libtorrent(box) as client:
        client.add(half)
        client.wait()
        assert client.file.read_bytes() == content(SIZE)


def test_it_is_kept_over_a_restart(server):
    sidecar = Torrent(by_libtorrent(server.docroot / "f.bin"))
    server.put("f.bin.torrent", sidecar.data)
    served(server)
    hashed = server.status()["hashed_files"]
    server.graceful()
    assert served(server).infodict == sidecar.infodict
    server.stop()
    server.start()
    assert served(server).infodict == sidecar.infodict
    assert server.status()["hashed_files"] in (0, hashed), "nothing was hashed again"


# --- left alone


def of_directory(path):
    other = path.parent / "dir"
    other.mkdir()
    os.link(path, other / "f.bin")
    (other / "g.bin").write_bytes(b"g" * 100)
    return by_libtorrent(other, "v1")


def wrong(field, value):
    def make(path):
        torrent = Torrent(by_libtorrent(path, "v1"))
        return encode({**torrent.meta, b"info": {**torrent.info, field: value(torrent.info[field])}})
    return make


BAD = {
    "a directory's": (of_directory, "it is of a directory"),
    "private": (lambda path: by_libtorrent(path, "v1", change=lambda made: made.set_priv(True)), "it is private"),
    "of another name": (wrong(b"name", lambda name: b"g.bin"), "it is of a file of another name"),
    "of another length": (lambda path: wrong(b"length", lambda length: length - 1)(path), "it is of a file of another length"),
    "of other bytes": (wrong(b"pieces", lambda pieces: pieces[:-1] + bytes([pieces[-1] ^ 1])), "its hashes are not those of the file"),
    "garbage": (lambda path: b"\x00\xffnot a torrent", ".*"),
    "empty": (lambda path: b"", "it is empty"),
    "cut": (lambda path: by_libtorrent(path)[:-100], ".*"),
}


@pytest.mark.parametrize("bad", BAD)
def test_it_is_left_alone_and_logged_once(server, content, bad):
    make, why = BAD[bad]
    sidecar = make(server.docroot / "f.bin")
    plain = served(server)
    server.put("f.bin.torrent", sidecar)
    line = LEFT_ALONE.format("f\\.bin", "f\\.bin", why)
    server.expect(line)
    torrent = served(server)
    assert torrent.infodict == plain.infodict, "ours, as if it were not there"
    torrent.check(content(SIZE))
    hashed = server.status()["hashed_files"]
    for _ in range(3):
        assert served(server).infodict == plain.infodict
    assert len(re.findall(line, server.log())) == 1
    assert server.status()["hashed_files"] == hashed, "it is not looked at again and again"
    assert server.get("/f.bin.torrent").body == sidecar
    links = [value for name, value in server.get("/f.bin").headers if name == "Link"]
    assert not any("f.bin.torrent" in link for link in links), "nobody is sent there"
    assert b"theirs.example" not in torrent.data


def test_what_a_stranger_may_not_have_is_not_there(server):
    """Its trackers may hold somebody's passkey."""
    server.put(".htaccess", b'<Files "*.torrent">\nRequire ip 127.0.0.1\n</Files>\n')
    server.put("f.bin.torrent", by_libtorrent(server.docroot / "f.bin", piece=1 << 20))
    torrent = served(server)
    assert torrent.piece_length != 1 << 20 and b"theirs.example" not in torrent.data
    server.put(".htaccess", b"")
    opened = served(server)
    assert opened.piece_length == 1 << 20 and b"theirs.example" in opened.data
    server.put(".htaccess", b'<Files "*.torrent">\nRequire ip 127.0.0.1\n</Files>\n')
    closed = served(server)
    assert closed.infodict == torrent.infodict and b"theirs.example" not in closed.data


def test_fifos_and_directories_are_no_torrents(server):
    plain = served(server)
    os.mkfifo(server.docroot / "f.bin.torrent")
    assert served(server).infodict == plain.infodict
    (server.docroot / "f.bin.torrent").unlink()
    (server.docroot / "f.bin.torrent").mkdir()
    assert served(server).infodict == plain.infodict


# --- later


def test_it_comes_changes_and_goes(server, box, content):
    path = server.docroot / "f.bin"
    ours = served(server)
    first, second = (Torrent(by_libtorrent(path, "v1", piece=piece)) for piece in (32768, 131072))
    server.put("f.bin.torrent", first.data)
    assert served(server).infodict == first.infodict
    server.put("f.bin.torrent", second.data)
    assert served(server).infodict == second.infodict
    with Libtorrent(box) as client:
        client.add(second, tracker=False)
        client.connect(server.host, server.port)
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert b"failure reason" in server.announce(first.v1), "what is no longer seeded is not tracked"
    (server.docroot / "f.bin.torrent").unlink()
    assert served(server).infodict == ours.infodict
    assert server.torrent("/f.bin").infodict == ours.infodict, "and the alias exists again"


def test_the_file_changes_under_it(server, content):
    sidecar = by_libtorrent(server.docroot / "f.bin", "v1")
    server.put("f.bin.torrent", sidecar)
    assert served(server).infodict == Torrent(sidecar).infodict
    server.put("f.bin", content(SIZE, 2))
    server.expect(LEFT_ALONE.format("f\\.bin", "f\\.bin", "its hashes are not those of the file"))
    torrent = served(server)
    torrent.check(content(SIZE, 2))
    assert torrent.infodict != Torrent(sidecar).infodict


def test_plain_requests_do_not_look_for_it(server):
    """A plain GET costs nothing for sidecars: one that comes later is only seen by who asks for a torrent."""
    ours = served(server)
    server.put("f.bin.torrent", by_libtorrent(server.docroot / "f.bin", "v1"))
    for _ in range(3):
        assert server.get("/f.bin").status == 200
    assert server.announce(ours.v1)[b"complete"] == 1, "what was published is still so"
    assert served(server).infodict != ours.infodict


def test_one_that_httpd_cannot_read(server):
    plain = served(server)
    path = server.put("f.bin.torrent", by_libtorrent(server.docroot / "f.bin", "v1"))
    path.chmod(0)
    if os.getuid() == 0:  # else httpd runs as its owner, who may not read it either
        os.chown(path, 0, 0)
    server.expect(LEFT_ALONE.format("f\\.bin", "f\\.bin", "it cannot be opened"))
    server.expect(r"AH00132: file permissions deny server access")
    assert served(server).infodict == plain.infodict
    hashed = server.status()["hashed_files"]
    assert served(server).infodict == plain.infodict
    assert server.status()["hashed_files"] == hashed
