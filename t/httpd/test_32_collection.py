"""A directory as one torrent: what is in it, how it is asked for, and how real clients take it."""
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from clients import Aria2, Libtorrent, Rtorrent
from netns import Namespace, Transmission
from trees import CONF, TreeTorrent, check_tree, collection, put_tree, sizes
from waiting import wait_for

MIB = 1 << 20
ASK = {"X-BT-Accept": "torrent"}


@pytest.fixture
def tree(content):
    """Nested, with names that want escaping, sizes around pieces, and padding between."""
    return {"a file.bin": content(3 * MIB + 12345), "b/c/d/deep": content(70000, 2), "b/one byte": b"x",
            "b/ü %41?#+&;é.txt": content(65536, 3), "b.after": content(16384, 4), "z/last": content(MIB + 1, 5)}


@pytest.fixture
def serve(httpd):
    """serve(tree, ...): a server whose /pub/ holds that tree, collections on."""
    def make(tree, directory="pub", more="", conf="", **options):
        server = httpd(start=False, **options)
        server.write_conf(CONF.format(docroot=server.docroot, more=more) + conf)
        put_tree(server, directory, tree)
        return server.start()
    return make


def asked(server, path, status, headers=None, **options):
    """A request with X-BT-Accept, repeated while the torrent is being made."""
    def answer():
        response = server.get(path, {**ASK, **(headers or {})}, **options)
        return response if not (response.header("X-BT-Status") or "").startswith("pending") else None
    response = wait_for(f"an answer for {path}", answer)
    assert response.header("X-BT-Status") == status, response
    return response


# --- forms

def test_every_way_to_ask(serve, tree):
    server = serve(tree)
    torrent = collection(server, "/pub")
    assert torrent.files == sizes(tree)
    assert torrent.name == b"pub" and torrent.has_v1 and torrent.has_v2
    by_header = asked(server, "/pub/", "torrent")
    assert by_header.status == 200
    assert TreeTorrent(by_header.body).infodict == torrent.infodict
    assert by_header.header("Content-Type") == "application/x-bittorrent"
    assert by_header.header("Content-Disposition") == 'attachment; filename="pub.torrent"'
    assert by_header.header("Cache-Control") == "no-store"
    assert by_header.header("Vary") == "X-BT-Accept"
    assert by_header.header("Link") == '</pub/>; rel="alternate"'
    assert TreeTorrent(server.get("/pub/?torrent").body).infodict == torrent.infodict
    head = server.get("/pub/?torrent", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert server.get("/pub/?torrent", {"If-None-Match": head.header("ETag")}).status == 304
    magnet = server.get("/pub.magnet")
    assert magnet.status == 200 and b"btih:" + torrent.v1.hex().encode() in magnet.body and b"dn=pub" in magnet.body
    assert asked(server, "/pub/", "magnet", {"X-BT-Accept": "magnet"}).body == magnet.body
    assert server.get("/pub.meta4").status == 404
    assert server.get("/pub/b/?torrent").status == 200, "a directory below is a collection of its own"
    assert server.get("/pub", ASK).status == 301
    assert torrent.meta[b"collections"] == [f"{server.base}/pub/".encode()]
    assert b"similar" not in torrent.meta


@pytest.mark.parametrize("version", ["v1", "v2", "hybrid"])
def test_versions(serve, tree, version):
    torrent = collection(serve(tree, more=f"BTHTTPTorrentVersion {version}"), "/pub")
    assert (torrent.has_v1, torrent.has_v2) == (version != "v2", version != "v1")
    assert torrent.files == sizes(tree)


def test_the_root_has_the_name_of_the_host_and_no_web_seed(serve):
    server = serve({"x": b"1" * 100})
    torrent = TreeTorrent(wait_for("the root", lambda: (r := server.get("/?torrent")).status == 200 and r.body))
    assert torrent.name == server.host.encode()
    assert b"url-list" not in torrent.meta
    assert list(torrent.files) == [b"pub/x"]
    assert collection(server, "/pub").meta[b"url-list"] in (f"{server.base}/".encode(), [f"{server.base}/".encode()])


@pytest.mark.parametrize("index", ["index.html", "autoindex", "forbidden"])
def test_the_page_of_a_directory_is_as_it_was(httpd, tree, index):
    """Without X-BT-Accept: byte for byte, but for Vary and, once there is a torrent, Link."""
    more = "Options -Indexes" if index == "forbidden" else ""
    tree = {**tree, "index.html": b"<p>page" * 1000} if index == "index.html" else tree
    servers = []
    for bthttp in (False, True):
        server = httpd(bthttp=bthttp, start=False)
        put_tree(server, "pub", tree)
        for path in server.docroot.rglob("*"):
            os.utime(path, (10**9, 10**9))
        server.write_conf(CONF.format(docroot=server.docroot, more=more) if bthttp
                          else f'<Directory "{server.docroot}">\n{more}\n</Directory>')
        servers.append(server.start())
        if index == "forbidden":
            server.expect("AH01276: Cannot serve directory")
    plain, ours = servers

    def page(server, headers=None):
        response = server.get("/pub/", headers, host="localhost")
        kept = [(k, v) for k, v in response.headers if k not in ("Date", "Vary", "Link", "ETag")]
        vary = {v for k, values in response.headers if k == "Vary" for v in values.replace(" ", "").split(",")}
        return response.status, kept, response.body, vary, response.header("Link")
    before = page(ours)
    assert before[:3] == page(plain)[:3]
    assert before[3] - {"Accept-Encoding"} == (set() if index == "forbidden" else {"X-BT-Accept"}) and before[4] is None
    torrent = asked(ours, "/pub/", "torrent", host="localhost")
    assert TreeTorrent(torrent.body).files == sizes(tree)
    after = page(ours)
    assert after[:4] == before[:4]
    if index != "forbidden":
        assert after[4] == '</pub/?torrent>; rel="describedby"; type="application/x-bittorrent"'
    assert page(ours, {"X-BT-Accept": "nonsense"})[2] == before[2]
    assert ours.get("/pub/?bthttp=file", ASK, host="localhost").body == before[2]


def test_off_by_default(httpd, tree):
    server = httpd()
    put_tree(server, "pub", tree)
    page = server.get("/pub/")
    assert server.get("/pub/", ASK).body == page.body
    assert server.get("/pub/?torrent").body == page.body
    assert server.get("/pub.torrent").status == 404
    assert server.get("/pub.magnet").status == 404


# --- what is in it

def test_only_what_a_stranger_would_be_offered(serve, content):
    good = {"plain": content(1000), "sub/plain": content(2000), "no page/plain": content(3000), ".dot": b"dot",
            "new\nline": b"line", "n" * 255: b"long", "..twice..": b"dots"}
    bad = {"protected/secret": b"x", "small/small": b"x", "large/large": content(5000), "off/off": b"x", "empty": b"",
           ".htpasswd": b"x", "included.shtml": b"x" * 20, "script.cgi": b"x", "unreadable": b"x", ".pad/12": b"x"}
    server = serve({**good, **bad}, modules=("include", "cgi"), conf="""
        <LocationMatch "^/pub/no">
          Options -Indexes
        </LocationMatch>""", more="Options +Includes +ExecCGI\nAddOutputFilter INCLUDES .shtml\nAddHandler cgi-script .cgi")
    root = server.docroot / "pub"
    (root / "protected/.htaccess").write_text("Require all denied\n")
    (root / "small/.htaccess").write_text("BTHTTPMinSize 2\n")
    (root / "large/.htaccess").write_text("BTHTTPMaxSize 4K\n")
    (root / "off/.htaccess").write_text("BTHTTP Off\n")
    (root / "sub/.htaccess").write_text("BTHTTPCollection Off\n")
    (root / "unreadable").chmod(0)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
    (root / "device").symlink_to("/dev/zero")
    (root / "nowhere").symlink_to("nothing")
    (root / "loop").symlink_to(root)
    (root / "sub/up").symlink_to("..")
    (root / "itself").symlink_to("itself")
    (root / "inside").symlink_to("plain")
    with open(os.fsencode(root) + b"/not utf-8 \xff", "wb") as file:
        file.write(b"x")
    torrent = collection(server, "/pub")
    assert torrent.files == {**sizes(good), b"inside": 1000}
    assert "1 files are left out" in server.log()
    assert server.get("/pub/sub.torrent").status == 404, "a collection of its own is what was turned off there"
    server.expect("AH01630: client denied by server configuration")
    assert server.get("/pub/protected/", ASK).status == 403


@pytest.mark.parametrize("options, found", [("FollowSymLinks", {b"own", b"link", b"dir/own", b"foreign"}),
                                            ("-FollowSymLinks", {b"own", b"dir/own"}),
                                            ("-FollowSymLinks +SymLinksIfOwnerMatch", {b"own", b"dir/own", b"link"})])
def test_links_as_httpd_follows_them(serve, options, found):
    server = serve({"own": b"1", "dir/own": b"2"}, more=f"Options {options}" if options[0] == "-" else "")
    root = server.docroot / "pub"
    (root / "link").symlink_to("own")
    foreign = server.docroot / "foreign"
    foreign.write_bytes(b"3")
    (root / "foreign").symlink_to(foreign)
    if os.getuid() == 0:
        os.chown(foreign, 12345, 12345)
    else:
        found = found | ({b"foreign"} if "IfOwner" in options else set())
    assert set(collection(server, "/pub").files) == found


def test_a_directory_without_anything_to_offer(serve):
    server = serve({"empty": b"", "secret": b"x", ".htaccess": b'<Files secret>\nRequire all denied\n</Files>\n'})
    server.expect("AH01630: client denied by server configuration")  # the index page looks at it
    page = server.get("/pub/")
    response = server.get("/pub/", ASK)
    assert (response.body, response.header("X-BT-Status")) == (page.body, "unavailable")
    assert server.get("/pub.torrent").status == 404
    assert server.get("/pub/?torrent").status == 404
    server.put("pub/now", b"something")
    wait_for("it to become a collection", lambda: server.get("/pub/", ASK).header("X-BT-Status") == "torrent")


def test_a_protected_directory_is_no_collection(serve):
    """Not even of files that are open by name; and whoever is let in learns that."""
    server = serve({"open": b"x" * 100, ".htaccess": b"""AuthType Basic
AuthName here
AuthUserFile /dev/null
Require valid-user
<Files open>
Require all granted
</Files>
"""})
    assert server.get("/pub/open").status == 200
    assert server.get("/pub/", ASK).status == 401
    assert server.get("/pub.torrent").status == 404


def test_ten_thousand_files(serve, box):
    tree = {f"{i // 100:03}/{i:05}": b"%d" % i for i in range(10000)}
    server = serve(tree)
    torrent = collection(server, "/pub", timeout=120)
    assert torrent.files == sizes(tree)
    server.put("pub/050/new", b"x")
    wait_for("the new file in the torrent", lambda: len(collection(server, "/pub", timeout=120).files) == 10001)


def test_too_many_files(serve):
    """Links can lead to the same file in very many ways."""
    server = serve({f"many/{i}": b"x" for i in range(300)})
    for i in range(300):
        (server.docroot / f"pub/link{i}").symlink_to("many")
    server.expect("BTH0061")
    page = server.get("/pub/")
    response = asked(server, "/pub/", "too-large")
    assert response.body == page.body
    wait_for("all children to know", lambda: all(server.get("/pub.torrent").status == 404 for _ in range(8)), 60)
    assert len([line for line in server.log().splitlines() if "BTH0061" in line]) >= 1
    assert collection(server, "/pub/many").length == 300


GATE = """#!/bin/sh
while read -r path; do
    echo "$path" >> {box}/asked
    while [ ! -e {box}/open ]; do sleep 0.02; done
    echo x
done
"""


def test_nobody_waits_for_a_listing_that_takes_long(serve, box):
    """The stranger's request for one of the files hangs until the test lets it go."""
    gate = box / "gate"
    gate.write_text(GATE.format(box=box))
    gate.chmod(0o755)
    box.chmod(0o777)
    tree = {"a": b"a" * 1000, "slow": b"s" * 1000}
    server = serve(tree, more="BTHTTPWait 200ms", mpm="prefork", modules=("rewrite",),
                   conf=f"""RewriteEngine On
RewriteMap gate "prg:{gate}"
RewriteCond %{{REQUEST_URI}} slow$
RewriteRule ^ - [E=gate:${{gate:%{{REQUEST_URI}}}}]
""")
    # Several at once, by either way; the map answers one at a time, so that all children hang at it.
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.get("/pub/", ASK), range(4)))
    assert {a.header("X-BT-Status") for a in answers} == {"pending; progress=0"}
    assert {a.body for a in answers} == {server.get("/pub/").body}
    waiting = server.get("/pub.torrent")
    assert waiting.status == 503 and waiting.header("Retry-After")
    (box / "open").touch()
    torrent = collection(server, "/pub")
    assert torrent.files == sizes(tree)
    asked(server, "/pub/", "torrent")


def test_a_listing_is_made_once_for_all_who_wait(serve, box):
    """In one child: not once for each of them."""
    gate = box / "gate"
    gate.write_text(GATE.format(box=box))
    gate.chmod(0o755)
    box.chmod(0o777)
    server = serve({"a": b"a" * 1000, "slow": b"s" * 1000}, modules=("rewrite",), conf=f"""StartServers 1
MinSpareThreads 1
RewriteEngine On
RewriteMap gate "prg:{gate}"
RewriteCond %{{REQUEST_URI}} slow$
RewriteRule ^ - [E=gate:${{gate:%{{REQUEST_URI}}}}]
""")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.get("/pub/", {"X-BT-Accept": "torrent;wait=0"}), range(8)))
    assert {a.header("X-BT-Status") for a in answers} == {"pending; progress=0"}
    assert (box / "asked").read_text() == "/pub/slow\n"
    (box / "open").touch()
    assert collection(server, "/pub").length > 0


def test_padding_is_there_for_web_seeds(serve, tree):
    server = serve(tree)
    zeros = server.get("/pub/.pad/70000")
    assert (zeros.status, zeros.body) == (200, bytes(70000))
    part = server.get("/pub/.pad/70000", {"Range": "bytes=1-2", **ASK})
    assert (part.status, part.body, part.header("X-BT-Status")) == (206, b"\0\0", None)
    for name in ("0", "01", "x", "", "1x", "16777217", "99999999999999999999"):
        assert server.get(f"/pub/.pad/{name}").status == 404, name
    assert server.get("/pub/b.after/.pad/5").status == 404
    server.write_conf("")
    server.graceful()
    assert server.get("/pub/.pad/5").status == 404


# --- real clients

@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_libtorrent(serve, box, tree, version):
    server = serve(tree, web_seed=False, more=f"BTHTTPTorrentVersion {version}")
    torrent = collection(server, "/pub")
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        check_tree(client.dir / "pub", tree)
    assert server.status()["bytes_sent"] >= torrent.length


@pytest.mark.parametrize("v2", [False, True], ids=["as v1", "as v2"])
def test_libtorrent_takes_each_half_of_a_hybrid(serve, box, tree, v2):
    server = serve(tree, web_seed=False)
    torrent = collection(server, "/pub")
    with Libtorrent(box) as client:
        client.add(torrent, tracker=False)
        client.connect(server.host, server.port, v2=v2)
        client.wait()
        check_tree(client.dir / "pub", tree)


def test_aria2(serve, box, tree):
    """Nothing but the header, as for a file."""
    server = serve(tree, web_seed=False)
    with Aria2(box, f"{server.base}/pub/") as client:
        client.wait()
        check_tree(client.dir / "pub", tree)
    assert server.status()["bytes_sent"] >= sum(map(len, tree.values()))


def test_rtorrent(serve, box, tree):
    server = serve(tree, web_seed=False)
    with Rtorrent(box, collection(server, "/pub")) as client:
        client.wait()
        check_tree(client.dir / "pub", tree)


def test_transmission(serve, box, tree):
    with Namespace() as namespace:
        server = serve(tree, web_seed=False, address=namespace.host_address)
        with Transmission(box, namespace, collection(server, "/pub"), url=f"{server.base}/pub.torrent") as client:
            client.wait()
            check_tree(client.dir / "pub", {name.replace("?", "_"): content for name, content in tree.items()})


@pytest.mark.parametrize("directory", ["pub", "a b%3f/ü&"], ids=["plain", "escaped"])
def test_libtorrent_by_web_seed_alone(serve, box, tree, directory):
    """url-list names the parent of the directory: clients add the torrent's name and the path."""
    server = serve(tree, directory, conf="BTHTTPPeerPorts off\n")
    from urllib.parse import quote
    torrent = collection(server, "/" + quote(directory))
    assert torrent.name.decode() == directory.rsplit("/")[-1]
    with Libtorrent(box) as client:
        client.add(torrent)
        client.wait()
        check_tree(client.dir / torrent.name.decode(), tree)
    assert server.status()["bytes_sent"] == 0


def test_aria2_by_web_seed_alone(serve, box, tree):
    """It repeats its X-BT-Accept to the web seed, and gets the files all the same, for it asks for ranges (but of one
    byte); and it asks for the padding."""
    del tree["b/one byte"]
    server = serve(tree, conf="BTHTTPPeerPorts off\n")
    with Aria2(box, f"{server.base}/pub/") as client:
        client.wait()
        check_tree(client.dir / "pub", tree)
    assert server.status()["bytes_sent"] == 0
