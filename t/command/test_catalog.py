"""scan, list, forget, gc and check, without a server."""
import os
import random
import resource
import shutil
import signal

import pytest

from command import fill


@pytest.fixture
def state(box):
    path = box / "state"
    path.mkdir()
    return path


@pytest.fixture
def docs(box):
    return fill(box / "docs", {"big": 3_000_000, "a/small": 5_000, "a/middle": 1_200_000, "empty": 0})


def scan(torrentgen, state, *words, **options):
    return torrentgen.lines("scan", "--state-dir", str(state), *map(str, words), **options)


def listed(torrentgen, state, *words):
    return {entry["path"]: entry for entry in torrentgen.lines("list", "--state-dir", str(state), *words)}


def test_scan_on_a_full_disk(torrentgen, box, state):
    """Files cannot grow beyond what some of the torrents need: what was in the catalogue is, and the next scan goes on."""
    words = ["scan", "--state-dir", str(state), str(box / "docs"), "--piece-size", "16K", "--threads", "1"]
    before = {f"{fill(box / 'docs', {name: 2_000_000})}/{name}" for name in ("a", "b")}
    torrentgen(*words)
    fill(box / "docs", {f"f{i:02}": 2_000_000 for i in range(38)})

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))  # room for LMDB's lock
    failed = torrentgen(*words, code=3, preexec_fn=full)
    assert "the disk is full" in failed.stderr
    made = listed(torrentgen, state)
    assert before <= set(made) and len(made) < 40
    torrentgen("check", "--state-dir", str(state))
    assert torrentgen.lines(*words)[-1]["known"] == len(made)
    assert len(listed(torrentgen, state)) == 40
    torrentgen("check", "--state-dir", str(state))


def test_scan(torrentgen, box, state, docs):
    """What is at least 1 MiB, newest first; then nothing more to do; then what changed."""
    os.utime(docs / "a/middle", (1, 1))
    events = scan(torrentgen, state, docs, "--threads", "1")
    assert [(event["event"], event.get("path")) for event in events] == \
        [("made", f"{docs}/big"), ("made", f"{docs}/a/middle"), ("end", None)]
    assert (events[-1]["made"], events[-1]["failed"], events[-1]["bytes"]) == (2, 0, 4_200_000)
    entries = listed(torrentgen, state)
    assert set(entries) == {f"{docs}/big", f"{docs}/a/middle"}
    made = torrentgen.json("create", "docs/big")
    entry = entries[f"{docs}/big"]
    assert {key: entry[key] for key in ("infohash_v1", "infohash_v2", "size")} == \
        {key: made[key] for key in ("infohash_v1", "infohash_v2", "size")}
    assert not entry["published"] and entry["url"] == "" and len(entry["sha256"]) == 64
    assert scan(torrentgen, state, docs)[-1]["known"] == 2
    (docs / "big").write_bytes(os.urandom(2_000_000))
    events = scan(torrentgen, state, docs, "--min-size", "1K", "--threads", "3")
    assert {event.get("path") for event in events} == {f"{docs}/big", f"{docs}/a/small", None}
    assert events[-1]["known"] == 1
    torrentgen("check", "--state-dir", str(state))


@pytest.mark.parametrize("order, expected", [("newest", "cab"), ("oldest", "bac"), ("smallest", "bca"), ("largest", "acb"), ("path", "abc")])
def test_orders(torrentgen, box, state, order, expected):
    fill(box / "docs", {"a": 9_000, "b": 1_000, "c": 5_000})
    for name, time in {"a": 2_000, "b": 1_000, "c": 3_000}.items():
        os.utime(box / "docs" / name, (time, time))
    events = scan(torrentgen, state, "docs", "--min-size", "0", "--order", order, "--threads", "1")
    assert "".join(event["path"][-1] for event in events[:-1]) == expected


def test_sizes_versions_and_pieces(torrentgen, state, docs):
    scan(torrentgen, state, docs, "--min-size", "2K", "--max-size", "1M", "--torrent-version", "v1", "--piece-size", "64K")
    entry, = listed(torrentgen, state).values()
    assert (entry["path"], entry["version"], entry["piece_length"]) == (f"{docs}/a/small", "v1", 65536)
    for words in (["--min-size", "x"], ["--max-size", "1Q"], ["--order", "random"], ["--piece-size", "1"], []):
        torrentgen("scan", *words, *([docs] if words else []), code=2)


def test_sidecars(torrentgen, state, docs):
    """One that fits is taken, one that does not is left alone with a word."""
    made = torrentgen.json("create", "docs/big", "-o", "docs/big.torrent", "--torrent-version", "v1", "--piece-size", "128K")
    shutil.copy(docs / "big.torrent", docs / "a/middle.torrent")
    run = torrentgen("scan", "--state-dir", str(state), "docs")
    assert "a/middle.torrent: left alone: " in run.stderr
    entries = listed(torrentgen, state)
    assert entries[f"{docs}/big"]["adopted"] and entries[f"{docs}/big"]["infohash_v1"] == made["infohash_v1"]
    assert not entries[f"{docs}/a/middle"]["adopted"] and entries[f"{docs}/a/middle"]["version"] == "hybrid"
    assert scan(torrentgen, state, docs)[-1]["known"] == 2
    (docs / "big.torrent").unlink()
    assert scan(torrentgen, state, docs)[-1]["made"] == 1
    assert listed(torrentgen, state)[f"{docs}/big"]["version"] == "hybrid"


def test_bad_files_disturb_no_others(torrentgen, box, state):
    docs = box / "docs"
    odd = [b"\xff\xfe", b"new\nline", b"n" * 255, b"\xe4" * 255, "\u202egnp".encode()]
    fill(docs, {**{name: 3_000 for name in odd}, "secret": 4_000})
    (docs / "secret").chmod(0)
    os.mkfifo(docs / "fifo")
    os.symlink(".", docs / "loop")
    box.chmod(0o777), state.chmod(0o777), docs.chmod(0o755)
    if os.getuid() == 0:
        shutil.chown(state, "nobody", "nogroup")  # whom the command becomes
    run = torrentgen("scan", "--state-dir", str(state), "docs", "--min-size", "0", "--follow-links", "-v", code=1)
    assert "secret: Permission denied" in run.stderr and "loop: left out" in run.stderr
    assert len(run.stdout.splitlines()) == len(odd) + 2 and "\u202e" not in run.stdout
    paths = [entry.get("path_hex") or entry["path"].encode().hex() for entry in listed(torrentgen, state).values()]
    assert {bytes.fromhex(path).rsplit(b"/", 1)[1] for path in paths} == set(odd)


def test_forget_gc_check(torrentgen, state, docs):
    where = "--state-dir", str(state)
    scan(torrentgen, state, docs, "--min-size", "1")
    assert len(listed(torrentgen, state)) == 3
    assert set(listed(torrentgen, state, "docs/a")) == {f"{docs}/a/small", f"{docs}/a/middle"}
    torrentgen("forget", *where, "docs/big", "docs/nothing", code=1)
    torrentgen("forget", *where, "docs/a", code=1)  # no entry itself
    assert set(listed(torrentgen, state)) == {f"{docs}/a/small", f"{docs}/a/middle"}
    torrentgen("forget", *where, "-r", "docs/a")
    assert not listed(torrentgen, state)
    scan(torrentgen, state, docs, "--min-size", "1")
    torrentgen("check", *where)
    (docs / "big").unlink()
    (docs / "a/small").write_bytes(b"other")
    events = torrentgen.lines("check", *where, code=1)
    assert {(event["event"], event.get("path")) for event in events} == \
        {("gone", f"{docs}/big"), ("changed", f"{docs}/a/small"), ("end", None)}
    assert torrentgen.json("gc", *where) == {"seen": 3, "gone": 1, "changed": 1, "unknown": 0}
    assert set(listed(torrentgen, state)) == {f"{docs}/a/middle"}
    torrentgen("check", "-q", *where)


def test_there_must_be_a_state_directory(torrentgen, box, state, docs):
    for words in (["scan", "docs"], ["list"], ["gc"], ["check"], ["forget", "x"]):
        assert "no such directory" in torrentgen(words[0], "--state-dir", "nowhere", *words[1:], code=3).stderr
    for words in (["list"], ["gc"], ["check"], ["forget", "x"]):
        assert "no catalogue" in torrentgen(words[0], "--state-dir", str(state), *words[1:], code=3).stderr
    assert os.listdir(state) == []
    torrentgen("scan", "--state-dir", str(state), "missing", code=3)
    torrentgen("scan", "--state-dir", str(state), "docs/big", code=2)


def test_whose_the_catalogue_is(torrentgen, box, state, docs):
    """It belongs to whom the state directory belongs to; anybody else is told so."""
    box.chmod(0o755), state.chmod(0o700)
    if os.getuid() == 0:
        shutil.chown(state, "www-data", "www-data")
    scan(torrentgen, state, docs)
    owner = state.stat().st_uid, state.stat().st_gid
    assert all((path.stat().st_uid, path.stat().st_gid) == owner for path in state.iterdir())
    if os.getuid() == 0:
        run = torrentgen("list", "--state-dir", str(state), code=3, user="nobody", group="nogroup", extra_groups=[])
        assert "belongs to user www-data" in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle(torrentgen, box, state, number):
    """What is done is kept, the catalogue is sound whatever ended the scan, and the next one does the rest."""
    sizes = {f"d{i % 7}/f{i}": 40_000 + i for i in range(1500)}
    fill(box / "docs", sizes)
    (box / "docs/large").write_bytes(random.Random(1).randbytes(32 << 20))
    run = torrentgen.start("scan", "--state-dir", str(state), "docs", "--min-size", "0", "--order", "smallest", "-v", "--threads", "1",
                           bufsize=0)
    first = run.stdout.readline(), run.stdout.readline()  # a batch is in the catalogue
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert b"made" in first[1], err
    assert run.returncode == (-number if number == signal.SIGKILL else 128 + number), (run.returncode, err)
    if number != signal.SIGKILL:
        assert b"stopped before the end" in out
        said = sum(line.startswith(b"made") for line in [*first, *out.splitlines()])
        assert len(listed(torrentgen, state)) == said
    done = len(listed(torrentgen, state))
    assert 0 < done < len(sizes) + 1
    torrentgen("check", "--state-dir", str(state))
    end = scan(torrentgen, state, "docs", "--min-size", "0")[-1]
    assert (end["known"], end["made"]) == (done, len(sizes) + 1 - done)


def test_two_scans_at_once(torrentgen, box, state):
    fill(box / "docs", {f"f{i}": 20_000 + i for i in range(400)})
    words = "scan", "--state-dir", str(state), "docs", "--min-size", "0", "-q"
    runs = [torrentgen.start(*words) for _ in range(3)]
    for run in runs:
        assert run.communicate(timeout=60)[1] == b"" and run.returncode == 0
    assert len(listed(torrentgen, state)) == 400
    torrentgen("check", "--state-dir", str(state))


def test_a_file_that_keeps_changing(torrentgen, box, state):
    (box / "docs").mkdir()
    path = box / "docs/growing"
    path.write_bytes(os.urandom(64 << 20))
    run = torrentgen.start("scan", "--state-dir", str(state), "docs", "--threads", "1")
    with open(path, "ab", buffering=0) as file:
        while run.poll() is None:
            file.write(b"x")
    out, err = run.communicate()
    assert run.returncode == 1 and b"changed each of 3 times" in err, (out, err)
    assert not listed(torrentgen, state)
