"""bthttp-torrentgen scan into the catalogue of a server, running or not: its first request is answered at once."""
import os
import subprocess

import pytest

from bencode import Torrent
from command import environment

ASKING = {"X-BT-Accept": "torrent"}


def torrentgen(build, *words, code=0):
    words = [*map(str, words)]
    run = subprocess.run([str(build / "bthttp-torrentgen"), *words], capture_output=True, text=True, timeout=60, env=environment(words))
    assert run.returncode == code, run.stdout + run.stderr
    return run.stdout


def is_answered_without_hashing(server, content):
    """Hashing would be counted, and logged."""
    answer = server.get("/big.bin", {"X-BT-Accept": "torrent;wait=0"})
    assert answer.header("X-BT-Status") == "torrent", answer.headers
    Torrent(answer.body).check(content)
    assert "BTH0404" not in server.log()
    return Torrent(answer.body)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_scan(httpd, build, content, running):
    server, data = httpd(), content(4 << 20)
    server.put("big.bin", data)
    if not running:
        server.stop()
    torrentgen(build, "scan", "--state-dir", server.state_dir, server.docroot, "-q")
    if not running:
        server.start()
    torrent = is_answered_without_hashing(server, data)
    assert server.get("/.well-known/bthttp/scrape?info_hash=" + "".join(f"%{b:02x}" for b in torrent.v1)).status == 200
    listed = torrentgen(build, "list", "--state-dir", server.state_dir)
    assert torrent.v1.hex() in listed and "  published  " in listed
    torrentgen(build, "check", "--state-dir", server.state_dir)


def test_the_same_torrent_as_the_servers(httpd, build, content):
    """Whichever of them makes it."""
    server = httpd()
    for name in ("plain.bin", "%41 b.bin", "b\udce4d.bin"):
        server.put(name, content(2 << 20))
    served = {name: Torrent(server.get(name, ASKING).body) for name in ("/plain.bin", "/%2541%20b.bin", "/b%e4d.bin")}
    torrentgen(build, "forget", "--state-dir", server.state_dir, "-r", server.docroot)
    torrentgen(build, "scan", "--state-dir", server.state_dir, server.docroot, "-q")
    for name, torrent in served.items():
        again = server.get(name, {"X-BT-Accept": "torrent;wait=0"})
        assert Torrent(again.body).infodict == torrent.infodict


def test_a_scan_publishes_nothing_that_a_stranger_may_not_have(httpd, build, content):
    server = httpd(conf='<Location "/secret">\nRequire all denied\n</Location>')
    server.put("secret/big.bin", content(2 << 20))
    torrentgen(build, "scan", "--state-dir", server.state_dir, server.docroot, "-q")
    listed = torrentgen(build, "list", "--state-dir", server.state_dir)
    assert "  hidden  " in listed
    server.expect("AH01630: client denied by server configuration")
    assert server.get("/secret/big.bin", ASKING).status == 403
    infohash = bytes.fromhex(listed.split()[0])
    answer = server.get("/.well-known/bthttp/announce?info_hash=" + "".join(f"%{b:02x}" for b in infohash)
                        + "&peer_id=-XX0000-000000000000&port=6881&left=1&compact=1")
    assert b"failure reason" in answer.body


def test_forget_ends_the_swarm(httpd, build, content):
    server = httpd()
    server.put("big.bin", content(2 << 20))
    torrent = Torrent(server.get("/big.bin", ASKING).body)
    announce = ("/.well-known/bthttp/announce?info_hash=" + "".join(f"%{b:02x}" for b in torrent.v1)
                + "&peer_id=-XX0000-000000000000&port=6881&left=1&compact=1")
    assert b"failure reason" not in server.get(announce).body
    torrentgen(build, "forget", "--state-dir", server.state_dir, os.path.join(server.docroot, "big.bin"))
    assert b"failure reason" in server.get(announce).body
