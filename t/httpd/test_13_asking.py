"""How a torrent is asked for: the header's grammar, X-BT-Status, alias URLs."""
import random

import pytest

from bencode import Torrent

SIZE = 2 << 20


@pytest.fixture
def server(httpd, content):
    server = httpd()
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    return server


def outcome(server, value, path="/f.bin"):
    answer = server.get(path, {"X-BT-Accept": value} if value is not None else {})
    assert answer.status == 200
    if answer.header("Content-Type") == "application/x-bittorrent":
        return "torrent"
    assert answer.body == (server.docroot / path[1:]).read_bytes()
    return answer.header("X-BT-Status") or "file"


@pytest.mark.parametrize("value", [
    "torrent", "Torrent", "application/x-bittorrent", "*", "1", "yes", "true", "on", "torrent;q=1", "torrent;q=0.001",
    "torrent; v=1", "torrent;v=2", "torrent;v=hybrid", "torrent;wait=5", "torrent;wait=0", "torrent;unknown=x",
    "torrent ; wait=1 ; q=0.5", "foo, torrent", "foo;q=1, torrent;q=0.1", " torrent ", ",,torrent,,", "torrent,torrent",
    "magnet;q=0, torrent",
])
def test_takes(server, value):
    assert outcome(server, value) == "torrent"


@pytest.mark.parametrize("value", [None, "", "foo", "torrent;q=0", "torrent;q=0.000", "metalink;q=0", "*;q=0", "text/html", "no", "0"])
def test_takes_not(server, value):
    assert outcome(server, value) == "file"


def malformed():
    """Fifty values that cannot be parsed, the same each time."""
    by_hand = [
        b"torrent;q", b"torrent;q=", b"torrent;q=2", b"torrent;q=-1", b"torrent;q=1.1", b"torrent;q=0.0001", b"torrent;q=x",
        b"torrent;v=3", b"torrent;v=", b"torrent;v", b"torrent;wait=", b"torrent;wait=-1", b"torrent;wait=x",
        b"torrent;wait=1e9", b"torrent;", b";torrent", b"torrent=", b"=torrent", b"tor rent", b"torrent torrent",
        b"\"torrent\"", b"torrent;q=\"2\"", b"torrent;q=1;", b"(torrent)", b"torrent)", b"<torrent>", b"torrent@1", b"{torrent}",
        b"[torrent]", b"torrent\x7f", b"torr\xffent", b"\xff\xfe", b"torrent\\", b"torrent;=1", b"torrent;;v=1", b"torrent/",
        b"/torrent", b"torrent//x", b";", b";;;", b"=", b"==,==", b"torrent;v=1=2", b"torrent:1", b"torrent?",
        b"torrent;wait=1,5;", b"q=1", b"torrent" * 200 + b"(", b"torrent;" + b"a=b;" * 500, b"\t\x01",
    ]
    assert len(by_hand) == 50
    return by_hand


def test_fifty_malformed_values_give_the_file(server, content):
    for value in malformed():
        answer = server.get("/f.bin", [("X-BT-Accept", value)])
        if any(c < 32 and c != 9 or c == 127 for c in value):
            # httpd itself refuses control characters; a GET that it takes must give the file.
            assert answer.status in (200, 400), value
            if answer.status == 400:
                continue
        assert answer.status == 200 and answer.body == content(SIZE), (value, answer)


def test_noise_never_fails_a_get(server, content):
    alphabet = b"torentmagi*/;=,. \t\"qvw0123456789-ABC\xe9"
    r = random.Random(7)
    for _ in range(300):
        value = bytes(r.choice(alphabet) for _ in range(r.randrange(1, 60)))
        answer = server.get("/f.bin", [("X-BT-Accept", value)])
        assert answer.status == 200, value
        if answer.header("Content-Type") == "application/x-bittorrent":
            Torrent(answer.body)
        else:
            assert answer.body == content(SIZE), value


def test_repeated_header(server):
    answer = server.get("/f.bin", [("X-BT-Accept", "foo"), ("X-BT-Accept", "torrent")])
    assert answer.header("X-BT-Status") == "torrent"


def test_version_that_does_not_fit(server, content):
    for version, other in (("v1", "2"), ("v2", "1")):
        server.put(f"{version}/f.bin", content(SIZE, 5))
        server.put(f"{version}/.htaccess", f"BTHTTPTorrentVersion {version}\n".encode())
        server.torrent(f"/{version}/f.bin")
        assert outcome(server, f"torrent;v={other}", f"/{version}/f.bin") == "unavailable"
        assert outcome(server, f"torrent;v={version[1]}", f"/{version}/f.bin") == "torrent"
        assert outcome(server, "torrent;v=hybrid", f"/{version}/f.bin") == "unavailable"


def test_status_values(httpd, content):
    server = httpd(modules=["include", "headers"])
    server.put("small.bin", content(1000))
    server.put("large/f.bin", content(SIZE))
    server.put("large/.htaccess", b"BTHTTPMaxSize 1M\nBTHTTPMinSize 0\n")
    server.put("off/f.bin", content(SIZE))
    server.put("off/.htaccess", b"BTHTTP Off\n")
    server.put("lock/f.bin", content(SIZE))
    server.put("lock/.htaccess", b"Require ip 127.0.0.1\n")
    server.put("ssi/f.bin", content(SIZE))
    server.put("ssi/.htaccess", b"Options +Includes\nSetOutputFilter INCLUDES\n")
    for path, status in (("/small.bin", "too-small"), ("/large/f.bin", "too-large"), ("/off/f.bin", "off"),
                         ("/lock/f.bin", "protected"), ("/ssi/f.bin", "transformed")):
        answer = server.get(path, {"X-BT-Accept": "torrent"})
        assert answer.status == 200 and answer.header("X-BT-Status") == status, path
        assert answer.header("Content-Type") != "application/x-bittorrent"
        assert server.get(path).header("X-BT-Status") is None, "nobody asked"
        assert server.get(path + ".torrent").status == 404
    assert server.get("/off/f.bin").header("Vary") is None


def test_bounds_of_size(httpd, content):
    server = httpd(conf="BTHTTPMinSize 100K\nBTHTTPMaxSize 200K")
    for size, status in ((102399, "too-small"), (102400, "torrent"), (204800, "torrent"), (204801, "too-large")):
        server.put(f"{size}.bin", content(size))
        answer = server.get(f"/{size}.bin", {"X-BT-Accept": "torrent"})
        assert answer.header("X-BT-Status") == status, size


def slow(server):
    """A file that takes long to hash: sparse, 40 GiB."""
    path = server.docroot / "slow.bin"
    with open(path, "wb") as file:
        file.truncate(40 << 30)
    return "/slow.bin"


def test_pending(httpd):
    server = httpd()
    path = slow(server)
    answer = server.get(path, {"X-BT-Accept": "torrent;wait=0"}, "HEAD")
    status = answer.header("X-BT-Status")
    assert answer.status == 200 and status.startswith("pending") and "progress=" in status
    assert answer.header("Content-Length") == str(40 << 30)
    assert 0 <= int(status.split("progress=")[1]) <= 100
    for alias in (path + ".torrent", path + "?torrent"):
        answer = server.get(alias)
        assert answer.status == 503 and int(answer.header("Retry-After")) > 0, alias
        assert answer.header("Content-Type").startswith("text/plain")
        assert answer.body.count(b"\n") <= 1 and answer.header("Cache-Control") == "no-store"


def test_wait_is_capped(httpd):
    import time
    server = httpd(conf="BTHTTPWait 300ms")
    path = slow(server)
    start = time.monotonic()
    answer = server.get(path, {"X-BT-Accept": "torrent;wait=3600"}, "HEAD")
    assert answer.header("X-BT-Status").startswith("pending")
    assert 0.25 < time.monotonic() - start < 10
    start = time.monotonic()
    server.get(path, {"X-BT-Accept": "torrent;wait=0"}, "HEAD")
    assert time.monotonic() - start < 5


def test_aliases(server):
    by_header = server.get("/f.bin", {"X-BT-Accept": "torrent"})
    for path in ("/f.bin.torrent", "/f.bin?torrent", "/f.bin?x=1&torrent"):
        answer = server.get(path)
        assert answer.status == 200 and answer.body == by_header.body, path
        assert answer.header("Content-Type") == "application/x-bittorrent"
        assert "no-store" not in (answer.header("Cache-Control") or ""), "an alias may be cached"
        assert answer.header("ETag")
        assert server.get(path, {"If-None-Match": answer.header("ETag")}).status == 304
    for path in ("/none.bin.torrent", "/f.bin.torrent.torrent", "/.torrent", "/f.bin.torrent/", "/f.bin.torrent/x"):
        assert server.get(path).status == 404, path


def test_always_the_file(server, content):
    for path in ("/f.bin?bthttp=file", "/f.bin?bthttp=file&torrent", "/f.bin?x&bthttp=file"):
        answer = server.get(path, {"X-BT-Accept": "torrent"})
        assert answer.body == content(SIZE) and answer.header("Content-Type") != "application/x-bittorrent", path


def test_aliases_can_be_switched_off(httpd, content):
    server = httpd()
    for name, line in (("none", "none"), ("query", "query"), ("torrent", "torrent")):
        server.put(f"{name}/f.bin", content(SIZE))
        server.put(f"{name}/.htaccess", f"BTHTTPAlias {line}\n".encode())
        assert server.get(f"/{name}/f.bin", {"X-BT-Accept": "torrent"}).header("X-BT-Status") == "torrent"
        assert (server.get(f"/{name}/f.bin.torrent").status == 200) == (name == "torrent")
        by_query = server.get(f"/{name}/f.bin?torrent").header("Content-Type")
        assert (by_query == "application/x-bittorrent") == (name == "query")


def test_a_real_torrent_file_wins(server):
    server.put("g.bin.torrent", b"this is a file of its own")
    server.put("f.bin.torrent", b"d4:infodee")
    assert server.get("/g.bin.torrent").body == b"this is a file of its own"
    answer = server.get("/f.bin.torrent")
    assert answer.body == b"d4:infodee" and answer.header("X-BT-Status") is None


def test_post_to_an_alias_is_as_usual(server):
    assert server.get("/f.bin.torrent", {"Content-Length": "0"}, "POST").status in (404, 405)
    assert server.get("/f.bin", {"X-BT-Accept": "torrent", "Content-Length": "0"}, "POST").header("X-BT-Status") is None
