"""create, show and magnet, against other programs of the field."""
import json
import os
import re
import subprocess
from pathlib import Path

import libtorrent as lt
import pytest

from bencode import Torrent, decode
from clients import Rtorrent
from command import fill
from waiting import wait_for

VERSIONS = ["v1", "v2", "hybrid"]
TREE = {"z.bin": 100_000, "a/b.bin": 70_000, "a/c/d": 1, "a.x": 32768, "m": 200_001}
TRACKERS = "http://t.example:81/announce", "http://u.example/announce"


def by_libtorrent(path, piece, version):
    """The metainfo that libtorrent makes of the same files."""
    files = lt.file_storage()
    lt.add_files(files, str(path))
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[version]
    torrent = lt.create_torrent(files, piece, flags | lt.create_torrent.canonical_files_no_tail_padding)
    lt.set_piece_hashes(torrent, str(path.parent))
    return lt.torrent_info(decode_lt(torrent))


def decode_lt(torrent):
    return lt.bdecode(lt.bencode(torrent.generate()))


def said(program, *words):
    run = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def parse_torrent(build, argument):
    """What npm's parse-torrent makes of a .torrent or magnet link."""
    package = build / "npm/node_modules/parse-torrent/index.js"
    assert package.exists(), "npm's parse-torrent is missing: ./check gets it"
    script = (f"import parse from {json.dumps(str(package))}; import fs from 'fs'; const a = process.argv[1];"
              "const t = await parse(a.startsWith('magnet:') ? a : fs.readFileSync(a));"
              "console.log(JSON.stringify({v1: t.infoHash, v2: t.infoHashV2, name: t.name, length: t.length, xl: t.xl,"
              "announce: t.announce, urlList: t.urlList, pieceLength: t.pieceLength, pieces: (t.pieces || []).length}))")
    return json.loads(said("node", "--input-type=module", "-e", script, argument))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["file", "tree"])
def test_the_same_torrent_as_libtorrents(torrentgen, box, version, kind):
    path = box / "it"
    if kind == "tree":
        fill(path, TREE)
    else:
        path.write_bytes(os.urandom(300_000))
    made = torrentgen.json("create", "it", "--torrent-version", version, "--piece-size", "32K")
    theirs = by_libtorrent(path, 32768, version).info_hashes()
    ours = lt.torrent_info(str(box / "it.torrent"))
    assert made.get("infohash_v1") == (str(theirs.v1) if theirs.has_v1() else None)
    assert made.get("infohash_v2") == (str(theirs.v2) if theirs.has_v2() else None)
    assert ours.info_hashes() == theirs
    assert (made["name"], made["version"], made["piece_length"]) == ("it", version, 32768)
    assert made["size"] == (sum(TREE.values()) if kind == "tree" else 300_000)
    assert {file["path"] for file in made["files"]} == (set(TREE) if kind == "tree" else {"it"})


def test_the_same_pieces_as_mktorrents(torrentgen, box):
    (box / "it").write_bytes(os.urandom(1_000_000))
    torrentgen("create", "-q", "it", "--torrent-version", "v1", "--piece-size", "64K", "--threads", "3")
    said("mktorrent", "-l", "16", "-t", "1", "-o", box / "mk.torrent", box / "it")
    ours, theirs = (Torrent((box / name).read_bytes()) for name in ("it.torrent", "mk.torrent"))
    assert ours.infodict == theirs.infodict


def test_what_other_programs_read_of_it(torrentgen, build, box):
    """Trackers, web seeds and comment come through."""
    (box / "it").write_bytes(os.urandom(200_000))
    made = torrentgen.json("create", "it", "--torrent-version", "v1", "-a", TRACKERS[0], "--announce", TRACKERS[1], "-w",
                           "http://w.example/it?x=1", "--comment", "round \u00e4", "--piece-size", "16K")
    shown = said("transmission-show", box / "it.torrent")
    assert re.search(rf"^\s*Hash: {made['infohash_v1']}$", shown, re.M) and TRACKERS[0] in shown and TRACKERS[1] in shown
    assert "round \u00e4" in shown and "bthttp-torrentgen" in shown
    shown = said("aria2c", "--no-conf", "-S", box / "it.torrent")
    assert f"Info Hash: {made['infohash_v1']}" in shown and TRACKERS[1] in shown
    parsed = parse_torrent(build, str(box / "it.torrent"))
    assert (parsed["v1"], parsed["name"], parsed["length"], parsed["pieces"]) == (made["infohash_v1"], "it", 200_000, 13)
    assert sorted(parsed["announce"]) == sorted(TRACKERS) and parsed["urlList"] == ["http://w.example/it?x=1"]
    info = lt.torrent_info(str(box / "it.torrent"))
    assert [tracker.url for tracker in info.trackers()] == list(TRACKERS) and info.comment() == "round \u00e4"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_magnet_names_what_the_torrent_is(torrentgen, build, box, version):
    (box / "it").write_bytes(os.urandom(100_000))
    made = torrentgen.json("create", "it", "--torrent-version", version, "-a", TRACKERS[0])
    link = torrentgen("magnet", "it.torrent", "-w", "http://w.example/it").stdout.strip()
    if version != "v2":  # which it does not know without a v1 hash
        parsed = parse_torrent(build, link)
        assert (parsed["v1"], parsed.get("v2")) == (made["infohash_v1"], made.get("infohash_v2"))
        assert (parsed["name"], parsed["xl"], parsed["announce"]) == ("it", "100000", [TRACKERS[0]])
        assert parsed["urlList"] == ["http://w.example/it"]
    hashes = lt.parse_magnet_uri(link).info_hashes
    assert hashes == lt.torrent_info(str(box / "it.torrent")).info_hashes()
    again = torrentgen("magnet", "it", "--torrent-version", version, "-a", TRACKERS[0], "-w", "http://w.example/it")
    assert again.stdout.strip() == link
    assert "x.pe=127.0.0.1:99" in torrentgen("magnet", "it.torrent", "--peer", "127.0.0.1:99").stdout
    torrentgen("magnet", "it.torrent", "--peer", "nonsense", code=2)


def test_rtorrent_takes_it_and_finds_the_data(torrentgen, box):
    (box / "it").write_bytes(os.urandom(500_000))
    torrentgen("create", "-q", "it", "-a", "http://127.0.0.1:1/announce")  # without a tracker it loads nothing
    complete = box / "complete"
    told = f'method.set_key = event.download.hash_done, told, "branch=d.complete=,\\"execute.nothrow=touch,{complete}\\""'
    with Rtorrent(box, Torrent((box / "it.torrent").read_bytes()), options=f"directory.default.set = {box}\n{told}") as client:
        wait_for(f"rtorrent to find all of it; it said:\n{client.tail()}", complete.exists, timeout=60)


def test_show(torrentgen, box):
    fill(box / "d", TREE)
    torrentgen("create", "-q", "d", "--no-date")
    text, shown = torrentgen("show", "d.torrent").stdout, torrentgen.json("show", "d.torrent")
    assert {file["path"]: file["length"] for file in shown["files"]} == TREE
    assert all(path in text for path in TREE) and shown["infohash_v1"] in text and shown["infohash_v2"] in text
    assert "created" not in shown and shown["created_by"].startswith("bthttp-torrentgen/")
    piped = subprocess.run([torrentgen.program, "show", "--json", "-"], input=(box / "d.torrent").read_bytes(),
                           capture_output=True, check=True)
    assert json.loads(piped.stdout) == shown
    (box / "no.torrent").write_bytes(b"d4:infod4:name1:xee")
    assert "no torrent" in torrentgen("show", "no.torrent", code=1).stderr
    torrentgen("show", "missing.torrent", code=3)


def test_output(torrentgen, box):
    """To a file, never over one unless forced; to standard output; to a device as it is; always whole."""
    (box / "it").write_bytes(b"x" * 50_000)
    assert torrentgen("create", "it").stdout.startswith("it.torrent\n")
    first = (box / "it.torrent").read_bytes()
    assert "--force" in torrentgen("create", "it", code=3).stderr
    assert (box / "it.torrent").read_bytes() == first
    torrentgen("create", "-o", "it.torrent", "it", "--name", "other", "--force")
    assert decode((box / "it.torrent").read_bytes())[b"info"][b"name"] == b"other"
    piped = subprocess.run([torrentgen.program, "create", "it", "-o", "-", "--no-date"], cwd=box, capture_output=True, check=True)
    torrentgen("create", "it", "-o", "same.torrent", "--no-date", "--threads", "4")
    assert (box / "same.torrent").read_bytes() == piped.stdout
    torrentgen("create", "it", "-o", "/dev/null")
    assert Path("/dev/null").is_char_device()
    os.symlink("real.torrent", box / "link.torrent")
    (box / "real.torrent").write_bytes(b"old")
    torrentgen("create", "-f", "it", "-o", "link.torrent")
    assert (box / "link.torrent").is_symlink() and (box / "real.torrent").stat().st_size > 3
    torrentgen("create", "it", "-o", "nowhere/it.torrent", code=3)
    assert sorted(os.listdir(box)) == ["it", "it.torrent", "link.torrent", "real.torrent", "same.torrent"]
    full = subprocess.run([torrentgen.program, "show", "it.torrent"], cwd=box, stdout=open("/dev/full", "wb"), stderr=subprocess.PIPE)
    assert full.returncode == 3 and b"standard output" in full.stderr


def test_several_files(torrentgen, box):
    fill(box, {"x/one": 40_000, "y/two": 50_000, "z/one": 3, "empty": 0})
    torrentgen("create", "x/one", "y/two", code=2)
    made = torrentgen.json("create", "x/one", "y/two", "empty", "--name", "both")
    assert [file["path"] for file in made["files"]] == ["one", "two"] and made["name"] == "both"
    assert "same name" in torrentgen("create", "x/one", "z/one", "--name", "n", code=2).stderr
    assert "no files" in torrentgen("create", "empty", "empty", "--name", "n", code=3).stderr


def test_names_that_are_anything(torrentgen, box):
    """Whatever a file is called, it gets a torrent, and what is said of it is one line."""
    names = [b"\xff\xfe.bin", b"new\nline  \x1b[2J", b"\xc2\x85next", "\u202egnp.exe".encode(), b"n" * 255, b"\xe4" * 85, b"back\\slash",
             b"-dash", b"%41 percent", b"..."]
    for name in names:
        fill(box / "d", {name: 20_000})
        run = torrentgen("create", "-f", "--", b"./d/" + name)
        lines = run.stdout.splitlines()
        assert len(lines) == 4 and all(ord(c) >= 32 and c not in "\x85\u202e\u2028" for line in lines for c in line), lines
    made = torrentgen.json("create", "d", "-o", "d.torrent", "--include-hidden")
    assert len(made["files"]) == len(names)
    assert torrentgen("show", "d.torrent").stdout.count("\n") == len(names) + 9
    info = lt.torrent_info(str(box / "d.torrent"))
    assert info.num_files() >= len(names)
    torrentgen("verify", "d.torrent", "d")
    assert torrentgen.json("create", "-o", "dot.torrent", ".", cwd=box / "d")["name"] == "d"


def test_a_name_that_is_too_long_once_escaped(torrentgen, box):
    """It is cut."""
    fill(box, {b"\xe4" * 255: 20_000})
    made = torrentgen.json("create", b"\xe4" * 255)
    assert made["name"] == "%E4" * 85 and made["torrent"] == "%E4" * 82 + "%" + ".torrent"


def test_what_cannot_be_hashed(torrentgen, box):
    fill(box, {"d/good": 30_000})
    os.mkfifo(box / "fifo")
    os.mkfifo(box / "d/fifo")
    for path in ("fifo", "/dev/zero", "missing", "missing/below"):
        assert torrentgen("create", path, "-o", "x.torrent", code=3).stderr.startswith(f"bthttp-torrentgen: {path}: ")
    os.symlink(".", box / "d/loop")
    os.symlink("self", box / "d/self")
    made = torrentgen.json("create", "d")
    assert [file["path"] for file in made["files"]] == ["good"]
    followed = torrentgen("create", "-f", "d", "--follow-links")
    assert "loop" in followed.stderr and "self" in followed.stderr
    (box / "d/.hidden").write_bytes(b"h" * 9)
    assert len(torrentgen.json("create", "-f", "d")["files"]) == 1
    assert len(torrentgen.json("create", "-f", "d", "--include-hidden")["files"]) == 2
    (box / "empty").write_bytes(b"")
    torrentgen("create", "empty")
    shown = torrentgen.json("show", "empty.torrent")
    assert (shown["size"], shown["pieces"]) == (0, 0)


def test_unreadable(torrentgen, box):
    fill(box, {"secret": 30_000})
    (box / "secret").chmod(0)
    box.chmod(0o777)
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    assert "Permission denied" in torrentgen("create", "secret", code=3, **who).stderr


def test_a_file_that_keeps_changing_is_given_up(torrentgen, box):
    """It grows at each moment that the command could take its measure; what comes of it is an error, never a torrent."""
    path = box / "growing"
    path.write_bytes(os.urandom(64 << 20))
    run = torrentgen.start("create", "growing", "--threads", "1", "-o", "g.torrent")
    with open(path, "ab", buffering=0) as file:
        while run.poll() is None:
            file.write(b"x")
    said_last = run.stderr.read().decode()
    assert run.returncode == 3 and "changed each of 3 times" in said_last, said_last
    assert not (box / "g.torrent").exists()
    run.stdout.close(), run.stderr.close()


@pytest.mark.parametrize("words", [["--piece-size", "20K", "it"], ["--piece-size", "32M", "it"], ["--torrent-version", "3", "it"],
                                   ["--threads", "0", "it"], ["--announce", "nonsense", "it"], ["--name", "a/b", "it"], ["--nonsense"],
                                   ["--web-seed", "http://a b", "it"], [], ["--json", "-o", "-", "it"], ["--name", "\udcff", "it"]])
def test_usage(torrentgen, box, words):
    (box / "it").write_bytes(b"x")
    run = torrentgen("create", *words, code=2)
    assert "--help" in run.stderr and not run.stdout and os.listdir(box) == ["it"]


def test_help_and_manual(torrentgen, top):
    manual = (top / "command/bthttp-torrentgen.1.in").read_text().replace("\\-", "-")
    completion = (top / "command/completion.bash").read_text()
    general = torrentgen("--help").stdout
    names = re.findall(r"^  (\w+) ", general, re.M)
    assert names == ["create", "show", "verify", "magnet", "scan", "list", "forget", "gc", "check"]
    assert re.fullmatch(r"bthttp-torrentgen \d+\.\d+\.\d+\n", torrentgen("--version").stdout)
    for name in names:
        text = torrentgen(name, "--help").stdout
        section = manual.split(f".SH {name.upper()}\n")[1].split("\n.SH ")[0]
        assert name in completion
        for option in set(re.findall(r"^ .{2,5}(--[a-z-]+)", text, re.M)) - {"--help"}:
            assert option in completion, f"{name} {option} is not completed"
            if name != "magnet" or option == "--peer":
                assert option in section, f"{name} {option} is not in the manual"
    torrentgen(code=2)
    torrentgen("nonsense", code=2)


def test_completion(top):
    def complete(*words):
        script = (f"source {top}/command/completion.bash; COMP_WORDS=({' '.join(words)!s} ''); COMP_CWORD={len(words)};"
                  "_bthttp_torrentgen; printf '%s\\n' \"${COMPREPLY[@]}\"")
        return said("bash", "-c", script).split()
    assert {"create", "scan", "--version"} <= set(complete("bthttp-torrentgen"))
    assert complete("bthttp-torrentgen", "create", "--torrent-version") == ["v1", "v2", "hybrid"]


def test_progress(torrentgen, box):
    """A bar on a terminal, gone at the end; nothing if it is to be quiet."""
    with open(box / "sparse", "wb") as file:
        file.truncate(1 << 30)

    def on_terminal(*words):
        ours, terminal = os.openpty()
        run = torrentgen.start("create", "-f", "sparse", "--threads", "1", "--torrent-version", "v2", *words, env={**os.environ, "TERM": "xterm"},
                               stderr=terminal)
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # the other end is closed
            os.close(ours)
        assert run.communicate()[0].count(b"\n") == (0 if words else 3) and run.returncode == 0
        return shown.decode()

    shown = on_terminal()
    assert re.search(r"\rhashing +\d+ % \[=*>? *\] .* of 1\.00 GiB, .*/s, [\d:]+ left\x1b\[K", shown), shown[-400:]
    assert shown.endswith("\r\x1b[K")
    assert on_terminal("--quiet") == ""
    assert all(len(line) < 80 + len("\x1b[K") for line in shown.split("\r"))
