"""Torrents of several files against other programs: libtorrent makes the very same ones, takes ours and finds the data right;
Transmission and aria2 know them by the hashes that we expect."""
import hashlib
import random

import libtorrent as lt
import pytest

from bencode import decode, encode
from test_libtorrent import Made, as_aria2_reads, progress_of_recheck, session, shown_by  # noqa: F401 (a fixture)

PIECE = 32768
VERSIONS = ["v1", "v2", "hybrid"]
TREES = {
    "nested": [("a.txt", 10), ("a/b", PIECE), ("a/c", PIECE + 1), ("b/e/f", 3 * PIECE + 5), ("z", 100)],
    "empty-files": [("0", 0), ("a.txt", 10), ("b/e/f", 3 * PIECE + 5), ("e0", 0), ("z", 0)],
    "aligned": [("x", PIECE), ("y", 4 * PIECE)],
    "order": [("A", 5), ("B.x", PIECE), ("B/q", 7), ("B!", 3), ("c", 9), (".hidden", 33), ("\u00e4/\u4e16\u754c", PIECE + 1)],
    "one": [("sub/only", 2 * PIECE + 7)],
    "equal": [("1", 0), ("copy/same", 3 * PIECE), ("same", 3 * PIECE)],
}
CASES = [pytest.param(tree, version, id=f"{version}-{tree}") for version in VERSIONS for tree in TREES]


class MadeTree(Made):
    """A directory of those files, its torrent, and the hashes that we say it has."""

    def __init__(self, build, directory, files, version, piece=PIECE):
        self.directory, self.files = directory, files
        self.file = directory / "the tree"
        for path, size in files:
            to = self.file / path
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(random.Random(f"{to.name} {size}").randbytes(size))
        self.path = directory / "out.torrent"
        self.make(build, version, piece)
        self.meta = decode(self.path.read_bytes())
        self.info = self.meta[b"info"]


def made_by_libtorrent(made, version, piece=PIECE):
    """Without padding after the last file, which the others do not need either."""
    files = lt.file_storage()
    lt.add_files(files, str(made.file))
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[version]
    torrent = lt.create_torrent(files, piece, flags | lt.create_torrent.canonical_files_no_tail_padding)
    lt.set_piece_hashes(torrent, str(made.directory))
    return decode(lt.bencode(torrent.generate()))


@pytest.mark.parametrize("tree, version", CASES)
def test_libtorrent(build, box, session, tree, version):  # noqa: F811
    made = MadeTree(build, box, TREES[tree], version)
    theirs = made_by_libtorrent(made, version)
    assert theirs[b"info"] == made.info
    assert encode(theirs[b"info"]) in made.path.read_bytes()
    assert theirs.get(b"piece layers", {}) == made.meta.get(b"piece layers", {})

    info = lt.torrent_info(str(made.path))
    hashes, files = info.info_hashes(), info.files()
    assert (hashes.has_v1(), hashes.has_v2()) == (version != "v2", version != "v1")
    if hashes.has_v1():
        assert str(hashes.v1) == made.hashes["v1"] == hashlib.sha1(encode(made.info)).hexdigest()
    if hashes.has_v2():
        assert str(hashes.v2) == made.hashes["v2"] == hashlib.sha256(encode(made.info)).hexdigest()
    real = [i for i in range(files.num_files()) if not files.file_flags(i) & files.flag_pad_file]
    assert sorted((files.file_path(i), files.file_size(i)) for i in real) == \
        sorted((f"the tree/{path}", size) for path, size in made.files)
    assert progress_of_recheck(session, made) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_recheck_finds_a_wrong_byte(build, box, session, version):  # noqa: F811
    made = MadeTree(build, box, TREES["nested"], version)
    (made.file / "a.txt").write_bytes(b"wrong all!")
    assert progress_of_recheck(session, made) < 1


@pytest.mark.parametrize("tree", TREES)
def test_transmission(build, box, tree):
    made = MadeTree(build, box, TREES[tree], "v1")
    assert shown_by("transmission-show", made.path) == made.hashes["v1"]


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("version", ["v1", "hybrid"])
def test_aria2(build, box, tree, version):
    made = MadeTree(build, box, TREES[tree], version)
    expected = hashlib.sha1(encode(as_aria2_reads(made.info))).hexdigest()
    assert shown_by("aria2c", "--no-conf", "-S", made.path) == expected
    assert made.hashes["v1" if version == "v1" else "keyless"] == expected


@pytest.mark.parametrize("tree", TREES)
def test_the_v1_half_of_a_hybrid(build, box, tree):
    """It is the v1 torrent of the same tree: Transmission before 4.0 gets it (torrentgen/old_clients.h)."""
    hybrid = MadeTree(build, box, TREES[tree], "hybrid")
    alone = hybrid.hashes["alone"]
    hybrid.make(build, "v1", PIECE)
    assert hybrid.hashes["v1"] == alone
    assert shown_by("transmission-show", hybrid.path) == alone


def test_very_many_files(build, box, session):  # noqa: F811
    made = MadeTree(build, box, [(f"d{i % 20}/file {i}", 1 + i % 7) for i in range(2000)], "hybrid", 16384)
    assert made_by_libtorrent(made, "hybrid", 16384)[b"info"] == made.info
    assert progress_of_recheck(session, made) == 1
