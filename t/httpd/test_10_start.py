"""Starting: with nothing but LoadModule, with trouble in the state directory, and refusing nonsense."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from httpd import WELL_KNOWN
from waiting import wait_for
from wire import Peer

MIB = 1 << 20

# Every directive with values that make no sense. "" stands for a quoted empty value, None for none at all.
NONSENSE = {
    "BTHTTP": ["maybe", None],
    "BTHTTPMinSize": ["-1", "1X", "", "1.5M", "99999999999999999999", "M", "9223372036854775807G", None],
    "BTHTTPMaxSize": ["banana", "-5", "", "1KK", None],
    "BTHTTPTorrentVersion": ["v3", "1", "", None],
    "BTHTTPPieceSize": ["17K", "8K", "32M", "0", "large", "", None],
    "BTHTTPWait": ["-1s", "soon", "5parsecs", "", "99999999h", None],
    "BTHTTPAlias": ["bogus", "none torrent", "torrent torrents", "", None],
    "BTHTTPAcceptMetalink": ["maybe", None],
    "BTHTTPCollection": ["maybe", None],
    "BTHTTPScan": ["maybe", None],
    "BTHTTPWebSeed": ["maybe", None],
    "BTHTTPMirror": ["not-a-url", "gopher://x/", "http://", "", None],
    "BTHTTPAnnounce": ["nonsense", "mailto:x@y", "", None],
    "BTHTTPStateDir": ["", None],
    "BTHTTPPath": ["no-slash", "/", "/a?b", "/announcements", "", None],
    "BTHTTPPeerPorts": ["70000", "0", "banana", "off 6881", "1.2.3:80", "[::1]", "", None],
    "BTHTTPPeerAddress": ["300.1.1.1", "1.2.3.4:99999", "host.example", "", None],
    "BTHTTPMaxPeers": ["0", "-1", "many", "99999999999", "", None],
    "BTHTTPMaxPeersPerIP": ["0", "-1", "many", "", None],
    "BTHTTPUploadRate": ["fast", "-1", "0", "", None],
    "BTHTTPUplink": ["fast", "-1", "0", "", None],
    "BTHTTPUploadSlots": ["-1", "0", "some", "", None],
    "BTHTTPEncryption": ["on", "rc4", "required", "", None],
    "BTHTTPHashThreads": ["0", "-2", "1000000", "all", "", None],
    "BTHTTPTracker": ["maybe", "", None],
    "BTHTTPTrackerInterval": ["-1", "1ms", "often", "", None],
    "BTHTTPTrackerMemory": ["1", "-64M", "lots", "", None],
    "BTHTTPTrackerUDP": ["70000", "0", "on", "off 6969", "1.2.3:80", "[::1]", "127.0.0.1", "", None],
    "BTHTTPTrackerStore": ["disk", "redis", "redis://", "redis://:x@", "redis://x@host", "redis://h:0", "redis://h:70000", "redis://h/x",
                           "redis://h/1/2", "redis://:%zz@h", "redis://[::1", "redis://h h", "", None],
    "BTHTTPAnnounceToken": ["short", "file:", "file:/nonexistent/file", "0123456789abcdef soon", "0123456789abcdef 1s",
                            "0123456789abcdef -1h", "0123456789abcdef 1000000h", "off 1h", "", None],
    "BTHTTPTrackerGeo": ["/nonexistent", "/etc/passwd", "/", "off /x", "", None],
    "BTHTTPTrackerRate": ["-1", "0", "often", "10001", "", None],
    "BTHTTPTrackerPrivateAddresses": ["perhaps", "", None],
}


def directives(top):
    """All directives that the code has."""
    return set(re.findall(r'AP_INIT_\w+\(\s*"(BTHTTP\w*)"', "".join(p.read_text() for p in (top / "module").glob("*.c"))))


def test_every_directive_is_tried(top):
    assert directives(top) == set(NONSENSE)


@pytest.mark.parametrize("directive", NONSENSE)
def test_nonsense_stops_the_start(httpd, directive):
    server = httpd(start=False)
    for value in NONSENSE[directive]:
        said = '""' if value == "" else "" if value is None else value
        server.write_conf(f"\n{directive} {said}\n")
        line = server.conf.read_text().splitlines().index(f"{directive} {said}") + 1
        run = server.command("-t")
        assert run.returncode != 0, f"accepted: {directive} {said}"
        assert f"line {line} of {server.conf}:" in run.stderr, run.stderr
        reason = run.stderr.split(f"{server.conf}:", 1)[1].strip()
        assert directive in reason, reason
        if value:
            assert len(reason) > len(directive) + 10, reason


@pytest.mark.parametrize("directive", ["BTHTTPStateDir x", "BTHTTPMaxPeers 5", "BTHTTPTracker off", "BTHTTPPeerPorts 6881"])
def test_global_directives_only_in_the_global_server(httpd, directive):
    server = httpd(start=False)
    for scope in (f"<VirtualHost *:1>\n{directive}\n</VirtualHost>", f'<Directory "/srv">\n{directive}\n</Directory>'):
        server.write_conf(scope)
        run = server.command("-t")
        assert run.returncode != 0 and directive.split()[0] in run.stderr, run.stderr


def statedir_of(build):
    return Path(re.search(r"^statedir = (.+)$", (build / "Makefile").read_text(), re.M).group(1))


def test_loadmodule_alone(httpd, build, content):
    """No directive of ours at all: the state directory is the build's (./check gives it a private one)."""
    state = statedir_of(build)
    assert "$" not in str(state), f"configure with --with-statedir=DIR for the tests ({state})"
    for old in state.glob("*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    server = httpd(state_dir=False)
    server.put("f.bin", content(2 * MIB))
    assert "BTHTTP" not in server.conf.read_text()
    torrent = server.torrent("/f.bin")
    torrent.check(content(2 * MIB))
    with Peer((server.host, server.port), torrent.hash) as peer:
        peer.interest()
        assert peer.piece(torrent, 1) == content(2 * MIB)[torrent.piece_length:2 * torrent.piece_length]
    assert list(state.iterdir())


def serves_plainly(server, content):
    server.put("f.bin", content)
    for headers in ({}, {"X-BT-Accept": "torrent"}):
        response = server.get("/f.bin", headers)
        assert response.status == 200 and response.body == content
    assert server.get("/f.bin.torrent").status == 404
    assert server.get(f"{WELL_KNOWN}/announce?info_hash=" + "x" * 20).status == 404


def test_state_dir_that_cannot_be_made(httpd, content):
    """A regular file is in the way of it: nobody, not even root, can make that directory."""
    server = httpd(start=False)
    server.state_dir.write_text("in the way")
    server.expect("BTH0001|BTH0002|BTH0102")
    server.start()
    serves_plainly(server, content(2 * MIB))


def test_state_dir_far_below_what_exists(httpd, content):
    """As on a fresh machine, where nothing above it exists either: the children, another user, must get there."""
    server = httpd(start=False)
    server.state_dir = server.dir / "var" / "cache" / "bthttp"
    server.write_conf("")
    server.start()
    server.put("f.bin", content(2 * MIB))
    assert server.torrent("/f.bin").name == b"f.bin"
    assert server.state_dir.stat().st_mode & 0o77 == 0, "what is in it is nobody else's"


def test_state_dir_that_cannot_be_used(httpd, content):
    """A directory stands where the catalogue should be: it cannot be opened, whoever asks."""
    server = httpd(start=False)
    (server.state_dir / "catalog.mdb" / "x").mkdir(parents=True)
    (server.state_dir / "catalog.mdb" / "x").chmod(0o555)
    server.expect(r"BTH0\d\d\d")
    server.start()
    server.put("f.bin", content(2 * MIB))
    assert server.get("/f.bin", {"X-BT-Accept": "torrent;wait=0"}).status == 200
    assert server.get("/f.bin").body == content(2 * MIB)


def damage_random(path):
    path.write_bytes(b"\xa5" * path.stat().st_size)


def damage_short(path):
    path.write_bytes(path.read_bytes()[:5000])


def damage_empty_text(path):
    path.write_text("this is no catalogue\n")


@pytest.mark.parametrize("damage", [damage_random, damage_short, damage_empty_text])
def test_damaged_catalogue_is_set_aside(httpd, content, damage):
    server = httpd()
    server.put("f.bin", content(2 * MIB))
    before = server.torrent("/f.bin")
    server.stop()
    catalogue = server.state_dir / "catalog.mdb"
    damage(catalogue)
    server.expect(r"BTH01\d\d")
    server.start()
    assert server.torrent("/f.bin").v1 == before.v1
    assert list(server.state_dir.glob("catalog.mdb.bad-*"))


def test_catalogue_is_kept_over_a_restart(httpd, content):
    server = httpd()
    server.put("f.bin", content(2 * MIB))
    before = server.torrent("/f.bin")
    hashed = server.status()["hashed_files"]
    assert hashed == 1
    server.stop()
    server.start()
    response = server.get("/f.bin", {"X-BT-Accept": "torrent;wait=0"})
    assert response.header("X-BT-Status") == "torrent"
    assert server.status()["hashed_files"] == 0
    assert before.infodict in response.body


def test_kill_9_of_everything_keeps_the_catalogue(httpd, content):
    server = httpd()
    server.put("f.bin", content(2 * MIB))
    before = server.torrent("/f.bin")
    pids = server.children() + [server.pid]
    subprocess.run(["kill", "-9", *map(str, pids)], check=True)
    server.process.wait()
    wait_for("all children to be gone", lambda: not any(Path(f"/proc/{p}/exe").exists() for p in pids))
    server.expect("AH00098")  # "pid file overwritten"
    server.start()
    assert server.torrent("/f.bin").v1 == before.v1
    assert server.status()["hashed_files"] == 0
