"""A collection follows its files: what is changed, added, removed or protected withdraws it, and a new one is made."""
import os

import pytest

import wire
from test_32_collection import ASK, asked
from trees import CONF, TreeTorrent, collection, put_tree, sizes
from waiting import wait_for

TREE = {"one": b"1" * 40000, "two": b"2" * 50000, "sub/three": b"3" * 30000, "sub/four": b"4" * 5}


@pytest.fixture
def server(httpd):
    server = httpd(start=False)
    server.write_conf(CONF.format(docroot=server.docroot, more=""))
    put_tree(server, "pub", TREE)
    return server.start()


def another(server, torrent, path="/pub"):
    """Waits until there is another torrent than this one."""
    def made():
        new = collection(server, path)
        return new if new.v1 != torrent.v1 else None
    return wait_for("another torrent", made)


def peer_of(server, torrent):
    return wire.Peer((server.host, server.port), torrent.v1)


def changed(server):
    server.put("pub/two", b"!" * 50000)
    return {**TREE, "two": b"!" * 50000}


def touched(server):
    """The same bytes at another time are taken for another version; their torrent is the same."""
    os.utime(server.docroot / "pub/two", (10**9, 10**9))
    return TREE


def grown(server):
    with open(server.docroot / "pub/sub/four", "ab") as file:
        file.write(b"more")
    return {**TREE, "sub/four": b"4" * 5 + b"more"}


def removed(server):
    (server.docroot / "pub/two").unlink()
    return {k: v for k, v in TREE.items() if k != "two"}


def added(server):
    server.put("pub/sub/deep/five", b"5")
    return {**TREE, "sub/deep/five": b"5"}


def renamed(server):
    (server.docroot / "pub/sub").rename(server.docroot / "pub/other")
    return {k.replace("sub/", "other/"): v for k, v in TREE.items()}


def protected(server):
    server.put("pub/sub/.htaccess", b"Require all denied\n")
    return {k: v for k, v in TREE.items() if not k.startswith("sub/")}


def unreadable(server):
    (server.docroot / "pub/two").chmod(0)
    return {k: v for k, v in TREE.items() if k != "two"}


CHANGES = [changed, grown, removed, added, renamed, protected, unreadable]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_a_change_gives_a_new_torrent(server, change):
    torrent = collection(server, "/pub")
    alone = server.torrent("/pub/one")
    assert server.announce(torrent.v1)[b"peers"]
    tree = change(server)
    new = another(server, torrent)
    assert new.files == sizes(tree)
    assert new.meta[b"similar"] == [torrent.v1, torrent.v2]
    assert b"failure reason" in server.announce(torrent.v1)
    assert b"failure reason" in server.announce(torrent.v2[:20])
    assert server.announce(new.v1)[b"peers"]
    assert server.announce(alone.v1)[b"peers"], "a file of its own is not concerned"


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_peers_are_closed_though_nobody_asks(server, change):
    """Within a second or two: the seeder looks at the files, and the steward at the directory."""
    torrent = collection(server, "/pub")
    with peer_of(server, torrent) as peer:
        change(server)
        peer.wait_closed()
    server.wait_closed("withdrawn")
    assert b"failure reason" in server.announce(torrent.v1)


def test_the_same_files_again_are_the_same_torrent(server):
    torrent = collection(server, "/pub")
    touched(server)
    wait_for("the old one to be withdrawn", lambda: asked(server, "/pub/", "torrent") and
             server.log().count("BTH0404: made the torrent of") == 2)
    assert collection(server, "/pub").v1 == torrent.v1
    assert server.announce(torrent.v1)[b"peers"]


@pytest.mark.parametrize("more", ["BTHTTPCollection Off", "BTHTTP Off", "Require all denied"])
def test_a_reload_that_ends_it(server, more):
    torrent = collection(server, "/pub")
    server.expect("AH01630: client denied by server configuration")
    with peer_of(server, torrent) as peer:
        server.write_conf(CONF.format(docroot=server.docroot, more=f"{more}\n"))
        server.graceful()
        peer.wait_closed()
    assert server.get("/pub.torrent").status == (403 if "Require" in more else 404)
    assert server.get("/pub/", ASK).header("X-BT-Status") in ("off", "transformed", None)
    assert b"failure reason" in server.announce(torrent.v1)


def test_a_reload_and_a_restart_keep_it(server):
    torrent = collection(server, "/pub")
    with peer_of(server, torrent) as peer:
        server.graceful()
        assert collection(server, "/pub").v1 == torrent.v1
        assert peer.interest().block(0, 0) == b"1" * 16384
    server.stop()
    server.start()
    assert server.get("/pub.torrent").status == 200, "it is known at once"
    assert TreeTorrent(server.get("/pub.torrent").body).infodict == torrent.infodict
    assert server.log().count("BTH0404: made the torrent of") == 1


def test_two_collections_share_files(server):
    """A file that is changed ends every collection that it is in, and no other."""
    put_tree(server, "other", {"x": b"x" * 1000})
    outer, inner, other = (collection(server, p) for p in ("/pub", "/pub/sub", "/other"))
    server.put("pub/one", b"another")
    another(server, outer)
    assert collection(server, "/pub/sub").v1 == inner.v1
    assert server.announce(inner.v1)[b"peers"]
    grown(server)
    another(server, inner, "/pub/sub")
    assert collection(server, "/other").v1 == other.v1


def test_httpd_stops_while_a_large_directory_is_listed(server):
    """Neither the steward nor a hashing worker holds it up, and nothing is withdrawn for it."""
    put_tree(server, "large", {f"{i // 100}/{i}": b"x" for i in range(5000)})
    torrent = collection(server, "/large")
    for round in range(3):
        server.put("large/.htaccess", b"# %d" % round)  # all are judged anew
        with peer_of(server, torrent):
            server.stop(timeout=10)
            server.start()
    assert collection(server, "/large").v1 == torrent.v1
    assert server.log().count("BTH0404: made the torrent of") == 1
