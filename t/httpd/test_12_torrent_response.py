"""The response that is a torrent: its headers, validators, HEAD, Range, and what the metainfo names."""
import pytest

from bencode import Torrent
from waiting import wait_for

SIZE = 2 << 20
ASK = {"X-BT-Accept": "torrent"}


@pytest.fixture
def server(httpd, content):
    server = httpd()
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    return server


def test_headers(server):
    file = server.get("/f.bin")
    answer = server.get("/f.bin", ASK)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/x-bittorrent"
    assert answer.header("Content-Disposition") == 'attachment; filename="f.bin.torrent"'
    assert answer.header("Content-Length") == str(len(answer.body))
    assert answer.header("Vary") == "X-BT-Accept"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Link") == '</f.bin>; rel="alternate"'
    assert answer.header("X-BT-Status") == "torrent"
    etag = answer.header("ETag")
    assert etag.startswith('"') and etag != file.header("ETag")
    for name in ("Content-Encoding", "Content-MD5", "Content-Language", "Transfer-Encoding"):
        assert answer.header(name) is None
    names = [n.lower() for n, _ in answer.headers]
    assert len(names) == len(set(names)), f"a header twice: {names}"


def test_metainfo(server, content):
    torrent = Torrent(server.get("/f.bin", ASK, host=f"files.example:{server.port}").body)
    torrent.check(content(SIZE))
    assert torrent.has_v1 and torrent.has_v2
    base = f"http://files.example:{server.port}"
    assert torrent.meta[b"announce"].decode() == f"{base}/.well-known/bthttp/announce"
    web_seed = torrent.meta[b"url-list"]
    assert [web_seed] == [f"{base}/f.bin?bthttp=file".encode()] or web_seed == [f"{base}/f.bin?bthttp=file".encode()]
    assert torrent.meta[b"created by"].startswith(b"mod_bthttp")
    assert isinstance(torrent.meta[b"creation date"], int)


def test_libtorrent_agrees(server, content):
    import libtorrent as lt
    for version, options in (("hybrid", ""), ("v1", ""), ("v2", "")):
        server.put(f"{version}/f.bin", content(SIZE, 7))
        server.put(f"{version}/.htaccess", f"BTHTTPTorrentVersion {version}\n".encode())
        torrent = server.torrent(f"/{version}/f.bin")
        torrent.check(content(SIZE, 7))
        info = lt.torrent_info(torrent.data)
        hashes = info.info_hashes()
        assert hashes.has_v1() == (version != "v2") == torrent.has_v1
        assert hashes.has_v2() == (version != "v1") == torrent.has_v2
        if torrent.has_v1:
            assert hashes.v1.to_bytes() == torrent.v1
        if torrent.has_v2:
            assert hashes.v2.to_bytes() == torrent.v2
        assert info.total_size() == SIZE and info.num_files() == 1


def test_head(server):
    get, head = server.get("/f.bin", ASK), server.get("/f.bin", ASK, "HEAD")
    assert [h for h in head.headers if h[0] != "Date"] == [h for h in get.headers if h[0] != "Date"]
    assert head.status == 200 and head.body == b""


def test_conditions_are_those_of_the_torrent(server):
    file, torrent = server.get("/f.bin"), server.get("/f.bin", ASK)
    own, files = torrent.header("ETag"), file.header("ETag")
    assert server.get("/f.bin", {**ASK, "If-None-Match": own}).status == 304
    assert server.get("/f.bin", {**ASK, "If-None-Match": f'"x", {own}'}).status == 304
    for headers in ({"If-None-Match": files}, {"If-None-Match": '"x"'}, {"If-Match": own}):
        answer = server.get("/f.bin", {**ASK, **headers})
        assert answer.status == 200 and answer.header("Content-Type") == "application/x-bittorrent", headers
    for headers in ({"If-Match": files}, {"If-Match": '"x"'}):
        assert server.get("/f.bin", {**ASK, **headers}).status == 412, headers
    # And the other way round: the torrent's validator says nothing about the file.
    assert server.get("/f.bin", {"If-None-Match": own}).body == file.body
    assert server.get("/f.bin", {"If-None-Match": files}).status == 304


def test_304_has_the_torrents_headers(server):
    etag = server.get("/f.bin", ASK).header("ETag")
    answer = server.get("/f.bin", {**ASK, "If-None-Match": etag})
    assert answer.header("ETag") == etag and answer.body == b""
    assert answer.header("Vary") == "X-BT-Accept"


def test_a_file_older_than_the_torrent(server):
    """The client has the file since it was written; that is no reason to say 304 to it for the torrent."""
    modified = server.get("/f.bin").header("Last-Modified")
    answer = server.get("/f.bin", {**ASK, "If-Modified-Since": modified, "If-None-Match": server.get("/f.bin").header("ETag")})
    assert answer.status == 200 and answer.header("X-BT-Status") == "torrent"


def test_a_range_is_the_files(server, content):
    answer = server.get("/f.bin", {**ASK, "Range": "bytes=100-199"})
    assert answer.status == 206 and answer.body == content(SIZE)[100:200]
    for path in ("/f.bin.torrent", "/f.bin?torrent"):
        whole = server.get(path)
        part = server.get(path, {"Range": "bytes=10-29"})
        assert part.status == 206 and part.body == whole.body[10:30], path
        assert part.header("Content-Range") == f"bytes 10-29/{len(whole.body)}"


@pytest.mark.parametrize("path,asked,named", [
    ("with space.bin", "/with%20space.bin", 'filename="with space.bin.torrent"'),
    ('quote".bin', "/quote%22.bin", "filename*=UTF-8''quote%22.bin.torrent"),
    ("back\\slash.bin", "/back%5cslash.bin", "filename*=UTF-8''back%5Cslash.bin.torrent"),
    ("übung.bin", "/%c3%bcbung.bin", "filename*=UTF-8''%C3%BCbung.bin.torrent"),
    ("new\nline.bin", "/new%0aline.bin", "filename*=UTF-8''new%0Aline.bin.torrent"),
    ("semi;colon%.bin", "/semi;colon%25.bin", 'filename="semi;colon%.bin.torrent"'),
    ("-dash.bin", "/-dash.bin", 'filename="-dash.bin.torrent"'),
])
def test_odd_names(httpd, content, path, asked, named):
    server = httpd()
    server.put(path, content(SIZE))
    torrent = server.torrent(asked)
    assert torrent.name == path.encode()
    answer = server.get(asked, ASK)
    disposition = answer.header("Content-Disposition")
    assert disposition.startswith("attachment;")
    assert named.lower() in disposition.lower(), disposition
    assert all(32 <= ord(c) < 127 for c in disposition), disposition
    assert answer.header("Link") == f"<{asked}>; rel=\"alternate\""


def test_a_name_that_is_not_utf_8(httpd, content):
    server = httpd()
    path = server.docroot.joinpath("x")
    raw = bytes(server.docroot) + b"/latin\xe9.bin"
    path.write_bytes(content(SIZE))
    import os
    os.rename(path, raw)
    torrent = server.torrent("/latin%e9.bin")
    torrent.name.decode("utf-8")
    torrent.check(content(SIZE))


def test_the_same_hash_under_every_name(httpd, content, tls):
    """Host, scheme, alias, restart: only the bytes and the name decide the info-hash."""
    server = httpd(tls=tls)
    server.put("f.bin", content(SIZE))
    first = server.torrent("/f.bin")
    others = [server.get("/f.bin", ASK, host="other.example"), server.get_tls("/f.bin", ASK), server.get("/f.bin?torrent"),
              server.get("/f.bin", ASK, version="1.0")]
    assert {Torrent(r.body).v1 for r in others} == {first.v1}
    assert Torrent(others[1].body).meta[b"announce"].startswith(b"https://")
    server.stop()
    server.start()
    assert server.torrent("/f.bin").v1 == first.v1


def test_many_requests_hash_once(httpd, content):
    from concurrent.futures import ThreadPoolExecutor
    server = httpd()
    server.put("f.bin", content(32 << 20))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.get("/f.bin", ASK).status, range(20)))
    assert set(answers) == {200}
    server.torrent("/f.bin")
    wait_for("the count", lambda: server.status()["hashed_files"] == 1)
    assert server.status()["hashed_bytes"] == 32 << 20


@pytest.mark.parametrize("asked, plain", [
    ("/x>;rel=a,<b/../f.bin", "/f.bin"), ("/spam/%2e%2e/f.bin", "/f.bin"), ("/./f.bin", "/f.bin"), ("//f.bin", "/f.bin"),
    ("/%66.bin", "/f.bin"), ('/a<">b.bin', "/a%3C%22%3Eb.bin"), ("/a%3C%22%3eb.bin", "/a%3C%22%3eb.bin")])
def test_who_asks_first_writes_no_text_into_the_urls_that_all_get(httpd, content, asked, plain):
    server = httpd()
    server.put("f.bin", content(2 << 20))
    server.put('a<">b.bin', content(2 << 20))
    answer = wait_for("the torrent", lambda: (a := server.get(asked, {"X-BT-Accept": "torrent"})).header("X-BT-Status") == "torrent"
                      and a)
    assert answer.header("Link") == f'<{plain}>; rel="alternate"'
    assert Torrent(answer.body).meta[b"url-list"] == [f"{server.base}{plain}?bthttp=file".encode()]
