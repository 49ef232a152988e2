"""Our torrents against other programs: libtorrent takes them, makes the same ones itself and finds the data right; aria2
and Transmission know them by the hashes that we expect of them."""
import hashlib
import random
import re
import subprocess

import libtorrent as lt
import pytest

from bencode import Torrent, decode, encode

BLOCK = 16384
PIECES = [BLOCK, 65536, 1 << 20]
VERSIONS = ["v1", "v2", "hybrid"]


def sizes(piece):
    """Every length at which blocks, pieces or the tree change shape, and one of many pieces."""
    near = {1, BLOCK - 1, BLOCK, BLOCK + 1, piece - 1, piece, piece + 1, piece + BLOCK, 2 * piece + 1, 3 * piece - 1, 3 * piece,
            3 * piece + 1, 4 * piece}
    return sorted(near | {(5 << 20) + 12345})


CASES = [pytest.param(piece, size, version, id=f"{version}-{piece >> 10}K-{size}")
         for version in VERSIONS for piece in PIECES for size in sizes(piece)]


class Made:
    """A file of that size, its torrent, and the hashes that we say it has."""

    def __init__(self, build, directory, piece, size, version):
        self.directory = directory
        self.file = directory / "a file.bin"
        self.content = random.Random(f"{piece} {size}").randbytes(size)
        self.file.write_bytes(self.content)
        self.path = directory / "out.torrent"
        self.make(build, version, piece)
        self.torrent = Torrent(self.path.read_bytes())

    def make(self, build, version, piece):
        run = subprocess.run([build / "t/unit/tg_make_cli", self.file, version, str(piece), self.path], check=True,
                             capture_output=True, text=True)
        self.hashes = dict(line.split() for line in run.stdout.splitlines())


@pytest.fixture(scope="module")
def session():
    """A libtorrent that talks to nobody."""
    return lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
                       "enable_natpmp": False, "alert_mask": lt.alert.category_t.all_categories})


def progress_of_recheck(session, made):
    """How much of the file libtorrent finds right, 0 to 1."""
    handle = session.add_torrent({"ti": lt.torrent_info(str(made.path)), "save_path": str(made.directory),
                                  "flags": lt.torrent_flags.update_subscribe})  # neither paused nor queued: checked at once
    try:
        checked = False
        while not checked:
            assert session.wait_for_alert(60000), "no alert within a minute"
            for alert in session.pop_alerts():
                checked = checked or (isinstance(alert, lt.torrent_checked_alert) and alert.handle == handle)
        status = handle.status()
        assert not status.errc.value(), status.errc.message()
        assert status.is_seeding == (status.progress == 1)
        return status.progress
    finally:
        session.remove_torrent(handle)


def made_by_libtorrent(made, piece, version):
    files = lt.file_storage()
    lt.add_files(files, str(made.file))
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[version]
    torrent = lt.create_torrent(files, piece, flags)
    lt.set_piece_hashes(torrent, str(made.directory))
    return decode(lt.bencode(torrent.generate()))


def shown_by(*command):
    """The info-hash that a program prints."""
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    found = re.search(r"^ *(?:Info Hash|Hash): ([0-9a-f]{40})$", run.stdout, re.M)
    return found and found[1]


def as_aria2_reads(value):
    """Without the members that have an empty key."""
    return {k: as_aria2_reads(v) for k, v in value.items() if k} if isinstance(value, dict) else value


@pytest.mark.parametrize("piece, size, version", CASES)
def test_libtorrent(build, box, session, piece, size, version):
    made = Made(build, box, piece, size, version)
    made.torrent.check(made.content)
    assert (made.torrent.piece_length, made.torrent.name) == (piece, made.file.name.encode())
    assert (made.torrent.has_v1, made.torrent.has_v2) == (version != "v2", version != "v1")

    info = lt.torrent_info(str(made.path))
    files, hashes = info.files(), info.info_hashes()
    assert (info.name(), info.piece_length(), files.file_size(0)) == (made.file.name, piece, size)
    assert all(files.file_flags(i) & files.flag_pad_file for i in range(1, files.num_files()))  # its own, where it is v2 only
    assert (hashes.has_v1(), hashes.has_v2()) == ("v1" in made.hashes, "v2" in made.hashes)
    if hashes.has_v1():
        assert str(hashes.v1) == made.hashes["v1"] == hashlib.sha1(made.torrent.infodict).hexdigest()
    if hashes.has_v2():
        assert str(hashes.v2) == made.hashes["v2"] == hashlib.sha256(made.torrent.infodict).hexdigest()

    theirs = made_by_libtorrent(made, piece, version)
    assert theirs[b"info"] == made.torrent.info
    assert theirs.get(b"piece layers", {}) == made.torrent.meta.get(b"piece layers", {})

    assert progress_of_recheck(session, made) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_recheck_finds_a_wrong_byte(build, box, session, version):
    made = Made(build, box, BLOCK, 10 * BLOCK + 1, version)
    wrong = bytearray(made.content)
    wrong[-1] ^= 1
    made.file.write_bytes(wrong)
    assert 0.9 < progress_of_recheck(session, made) < 1


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("version", ["v1", "hybrid"])
def test_aria2(build, box, piece, version):
    """Which knows hybrids by a hash of its own: see torrentgen/old_clients.h."""
    for size in [0, *sizes(piece)]:
        made = Made(build, box, piece, size, version)
        expected = hashlib.sha1(encode(as_aria2_reads(made.torrent.info))).hexdigest()
        ours = made.hashes["v1" if version == "v1" else "keyless"]
        assert shown_by("aria2c", "--no-conf", "-S", made.path) == ours == expected, size
        assert (made.hashes["v1"] == ours) == (version == "v1")


@pytest.mark.parametrize("piece", PIECES)
def test_transmission(build, box, piece):
    for size in sizes(piece):
        made = Made(build, box, piece, size, "v1")
        assert shown_by("transmission-show", made.path) == made.hashes["v1"], size


def test_the_v1_half_of_a_hybrid(build, box):
    """It stands alone as the very v1 torrent of that file: see torrentgen/old_clients.h."""
    for size in sizes(65536):
        made = Made(build, box, 65536, size, "hybrid")
        v1 = Made(build, box, 65536, size, "v1")
        half = {k: v for k, v in made.torrent.info.items() if k not in (b"file tree", b"meta version")}
        assert encode(half) == v1.torrent.infodict
        assert shown_by("transmission-show", v1.path) == v1.hashes["v1"] == made.hashes["alone"], size


def test_transmission_and_hybrids(build, box):
    """Transmission before 4.0 takes an empty key for the end of its input (its issue 1339), and BEP 52 puts one into every
    file tree: not even libtorrent's hybrids open. Whatever it says to those it says to ours."""
    made = Made(build, box, BLOCK, 3 * BLOCK, "hybrid")
    lt_path = box / "lt.torrent"
    lt_path.write_bytes(encode(made_by_libtorrent(made, BLOCK, "hybrid")))
    shown = shown_by("transmission-show", made.path)
    assert shown == shown_by("transmission-show", lt_path)
    assert shown in (None, made.hashes["v1"])


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_file(build, box, version):
    """It has no pieces and no root; libtorrent takes no torrent without a byte in it, whoever made it."""
    made = Made(build, box, BLOCK, 0, version)
    made.torrent.check(b"")
    assert made.torrent.info.get(b"pieces", b"") == b""
    assert made.torrent.meta.get(b"piece layers", {}) == {}
    if version != "v1":
        assert made.torrent.info[b"file tree"] == {made.torrent.name: {b"": {b"length": 0}}}
    with pytest.raises(RuntimeError, match="invalid length"):
        lt.torrent_info(str(made.path))
