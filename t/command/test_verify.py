"""verify: data held against torrents, ours and others'."""
import os
import random
import subprocess

import libtorrent as lt
import pytest

from command import fill

PIECE = 32768
TREE = {"a": 3 * PIECE + 5, "b/c": 10, "b/d": PIECE, "e": 2 * PIECE}


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("version", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_flipped_byte_anywhere(torrentgen, box, version, threads):
    fill(box / "d", TREE)
    torrentgen("create", "-q", "d", "--torrent-version", version, "--piece-size", "32K")
    assert "match" in torrentgen("verify", "d.torrent", "d").stdout
    draw = random.Random(version)
    for name, size in TREE.items():
        for at in {0, size - 1, draw.randrange(size)}:
            flip(box / "d" / name, at)
            found = torrentgen.json("verify", "--threads", threads, "d.torrent", "d", code=1)
            flip(box / "d" / name, at)
            states = {file["path"][2:]: file["state"] for file in found["files"]}
            assert states == {other: "bad" if other == name else "ok" for other in TREE}
            assert found["pieces_bad"] == 1 and not found["ok"]
            bad, = (file["bad_pieces"] for file in found["files"] if file["state"] == "bad")
            first = sum(-(-length // PIECE) for path, length in sorted(TREE.items()) if path < name)
            assert bad == [[first + at // PIECE] * 2]
    assert torrentgen.json("verify", "d.torrent", "d")["ok"]


def test_of_one_file(torrentgen, box):
    fill(box, {"it": 10 * PIECE + 1})
    torrentgen("create", "-q", "it", "--piece-size", "32K")
    torrentgen("verify", "it.torrent", "it")
    torrentgen("verify", "it.torrent", ".")  # the directory that it is in
    os.rename(box / "it", box / "renamed")
    torrentgen("verify", "-q", "it.torrent", "renamed")
    flip(box / "renamed", 5 * PIECE)
    flip(box / "renamed", 6 * PIECE)
    text = torrentgen("verify", "it.torrent", "renamed", code=1).stdout
    assert "2 of 11 pieces: 5-6" in text
    assert torrentgen("verify", "-q", "it.torrent", "renamed", code=1).stdout == ""


@pytest.mark.parametrize("maker", ["mktorrent", "libtorrent"])
def test_torrents_whose_pieces_span_files(torrentgen, box, maker):
    fill(box / "d", {**TREE, "f": 1, "g": 2, "h": 0, "i": 70_000})
    if maker == "mktorrent":
        subprocess.run(["mktorrent", "-l", "15", "-o", "d.torrent", "d"], cwd=box, check=True, capture_output=True)
    else:
        files = lt.file_storage()
        lt.add_files(files, str(box / "d"))
        torrent = lt.create_torrent(files, PIECE, lt.create_torrent.v1_only)
        lt.set_piece_hashes(torrent, str(box))
        (box / "d.torrent").write_bytes(lt.bencode(torrent.generate()))
    torrentgen("verify", "d.torrent", "d")
    torrentgen("verify", "d.torrent", ".")
    flip(box / "d/g", 0)
    found = torrentgen.json("verify", "d.torrent", "d", code=1)
    assert found["pieces_bad"] == 1
    assert "bad" in {file["state"] for file in found["files"] if file["path"] == "d/g"}
    os.unlink(box / "d/i")
    found = torrentgen.json("verify", "d.torrent", "d", code=1)
    assert {file["state"] for file in found["files"] if file["path"] == "d/i"} == {"missing"}


def test_what_is_not_there_as_it_should_be(torrentgen, box):
    fill(box / "d", TREE)
    torrentgen("create", "-q", "d", "--piece-size", "32K")
    os.unlink(box / "d/a")
    (box / "d/e").write_bytes(b"short")
    os.unlink(box / "d/b/c")
    os.mkfifo(box / "d/b/c")
    states = {file["path"]: file["state"] for file in torrentgen.json("verify", "d.torrent", "d", code=1)["files"]}
    assert states == {"d/a": "missing", "d/e": "size", "d/b/c": "unreadable", "d/b/d": "ok"}
    text = torrentgen("verify", "d.torrent", "d", code=1).stdout
    assert "missing     d/a" in text and "5 bytes, 65536 expected" in text and "unreadable  d/b/c" in text
    found = torrentgen.json("verify", "d.torrent", "elsewhere", code=1)
    assert {file["state"] for file in found["files"]} == {"missing"}


def test_nothing_is_said_of_data_without_a_torrent(torrentgen, box):
    fill(box, {"it": 100})
    torrentgen("verify", "it", "it", code=3)
    torrentgen("verify", "missing", "it", code=3)
    torrentgen("verify", "it", code=2)
    torrentgen("verify", "--threads", "x", "it", "it", code=2)
