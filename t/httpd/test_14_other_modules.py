"""Beside the other modules of a real server: deflate, include, headers, cache, rewrite, alias, dir, negotiation, vhosts."""
import gzip
import time

from bencode import Torrent

SIZE = 2 << 20
ASK = {"X-BT-Accept": "torrent"}


def test_deflate_leaves_the_torrent_alone(httpd):
    """A text file is compressed for the wire, yet it is the same file to a stranger."""
    server = httpd(conf="AddOutputFilterByType DEFLATE application/x-bittorrent application/octet-stream\n"
                        '<Location "/">\nSetOutputFilter DEFLATE\n</Location>')
    text = b"".join(b"line %d\n" % i for i in range(300000))
    server.put("f.txt", text)
    server.torrent("/f.txt").check(text)
    packed = server.get("/f.txt", {"Accept-Encoding": "gzip"})
    assert packed.header("Content-Encoding") == "gzip" and gzip.decompress(packed.body) == text
    answer = server.get("/f.txt", {**ASK, "Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") is None
    assert answer.header("Content-Type") == "application/x-bittorrent"
    assert answer.header("Content-Length") == str(len(answer.body)) and not answer.header("ETag").endswith('-gzip"')
    Torrent(answer.body).check(text)


def test_announces_are_not_compressed(httpd, content):
    server = httpd(conf='<Location "/">\nSetOutputFilter DEFLATE\n</Location>')
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    answer = server.announce(torrent.hash, headers={"Accept-Encoding": "gzip"})
    assert b"peers" in answer


def test_include(httpd):
    server = httpd(modules=["include"], conf="AddOutputFilter INCLUDES .shtml\nAddType text/html .shtml")
    server.put(".htaccess", b"Options +Includes\n")
    page = b'<!--#echo var="DATE_LOCAL" -->\n' + b"x" * SIZE
    server.put("f.shtml", page)
    server.put("f.bin", b"y" * SIZE)
    server.put("outer.shtml", b'<!--#include virtual="/f.bin" -->' + b"z" * SIZE)
    answer = server.get("/f.shtml", ASK)
    assert answer.header("X-BT-Status") == "transformed" and b"#echo" not in answer.body
    assert server.get("/f.shtml.torrent").status == 404
    # A sub-request is never answered with a torrent, whatever the header of the outer one.
    outer = server.get("/outer.shtml", ASK)
    assert outer.body == b"y" * SIZE + b"z" * SIZE
    assert server.status()["hashed_files"] == 0


def test_headers(httpd, content):
    server = httpd(modules=["headers"], conf='Header set X-Mine "yes"\nHeader merge Vary "Cookie"\n'
                                             'Header set Cache-Control "max-age=3600"\n<Files "*.nobt">\n'
                                             "RequestHeader unset X-BT-Accept early\n</Files>")
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    for answer in (server.get("/f.bin", ASK), server.get("/f.bin")):
        assert answer.header("X-Mine") == "yes"
        assert {v.strip() for v in answer.header("Vary").split(",")} == {"X-BT-Accept", "Cookie"}
    server.get("/f.bin", ASK)


CACHE = """
CacheRoot "{dir}/cache"
CacheEnable disk "/"
CacheIgnoreNoLastMod On
CacheQuickHandler {quick}
CacheHeader On
CacheMaxFileSize 100000000
"""


def cache_server(httpd, content, quick):
    server = httpd(start=False, modules=["cache", "cache_disk"])
    (server.dir / "cache").mkdir()
    (server.dir / "cache").chmod(0o777)
    server.write_conf(CACHE.format(dir=server.dir, quick=quick))
    server.start()
    path = server.put("f.bin", content(SIZE))
    import os
    os.utime(path, (time.time() - 9e5,) * 2)
    return server


def both_orders(server, content):
    for order in ((None, ASK), (ASK, None)):
        for _ in range(3):
            for headers in order:
                answer = server.get("/f.bin", headers or {})
                assert answer.status == 200
                if headers:
                    assert answer.header("Content-Type") == "application/x-bittorrent", answer
                    Torrent(answer.body).check(content(SIZE))
                else:
                    assert answer.body == content(SIZE), answer


def test_cache_never_mixes_file_and_torrent(httpd, content):
    for quick in ("on", "off"):
        server = cache_server(httpd, content, quick)
        server.get("/f.bin", ASK)
        both_orders(server, content)
        assert "HIT" in (server.get("/f.bin").header("X-Cache") or ""), "the file itself is cached as before"
        for _ in range(3):
            Torrent(server.get("/f.bin.torrent").body).check(content(SIZE))


REWRITE = """RewriteEngine On
RewriteRule "^/pretty$" "/f.bin" [PT]
RewriteRule "^/moved$" "/f.bin" [R=302]
RewriteRule "^/gone$" - [G]
RewriteCond "%{HTTP_COOKIE}" "member=1"
RewriteRule "^/members$" "/f.bin" [PT]
RewriteCond "%{QUERY_STRING}" "key=secret"
RewriteRule "^/keyed$" "/f.bin" [PT]
"""


def test_rewrite(httpd, content):
    server = httpd(modules=["rewrite"], conf=REWRITE)
    server.put("f.bin", content(SIZE))
    answer = server.get("/pretty", ASK)
    if answer.header("X-BT-Status") != "torrent":  # made within the wait, or asked again
        server.torrent("/pretty")
        answer = server.get("/pretty", ASK)
    torrent = Torrent(answer.body)
    torrent.check(content(SIZE))
    assert b"/pretty?bthttp=file" in torrent.data
    assert answer.header("Link") == '</pretty>; rel="alternate"'
    assert server.get("/pretty?bthttp=file", ASK).body == content(SIZE)
    moved = server.get("/moved", ASK)
    assert moved.status == 302 and moved.header("X-BT-Status") in (None, "transformed")
    assert server.get("/gone", ASK).status == 410


def test_rewrite_in_htaccess(httpd, content):
    server = httpd(modules=["rewrite"])
    server.put("d/real.bin", content(SIZE))
    server.put("d/.htaccess", b'RewriteEngine On\nRewriteRule "^nice$" "real.bin" [L]\n')
    torrent = server.torrent("/d/nice")
    torrent.check(content(SIZE))
    assert server.get("/d/nice", ASK).header("X-BT-Status") == "torrent"
    assert server.get("/d/nice").body == content(SIZE)


def test_alias(httpd, content):
    server = httpd(start=False)
    elsewhere = server.dir / "elsewhere"
    elsewhere.mkdir()
    server.write_conf(f'Alias "/pub" "{elsewhere}"\n<Directory "{elsewhere}">\nRequire all granted\n</Directory>')
    server.start()
    (elsewhere / "f.bin").write_bytes(content(SIZE))
    torrent = server.torrent("/pub/f.bin")
    torrent.check(content(SIZE))
    assert b"/pub/f.bin?bthttp=file" in torrent.data


def test_dir(httpd, content):
    """A directory's index is a file like any other, under the directory's URL."""
    server = httpd(conf="DirectoryIndex index.bin")
    server.put("d/index.bin", content(SIZE))
    server.torrent("/d/index.bin")
    answer = server.get("/d/", ASK)
    assert answer.header("X-BT-Status") in ("torrent", "transformed")
    if answer.header("X-BT-Status") == "torrent":
        Torrent(answer.body).check(content(SIZE))
    assert server.get("/d/").body == content(SIZE)
    assert server.get("/d", ASK).status == 301
    listing = server.get("/", ASK)
    assert listing.status == 200 and b"Index of" in listing.body


def test_negotiation(httpd, content):
    server = httpd(conf="AddLanguage de .de\nAddLanguage en .en\nLanguagePriority en de\nForceLanguagePriority Prefer")
    server.put(".htaccess", b"Options +MultiViews\n")
    server.put("f.bin.en", content(SIZE, 1))
    server.put("f.bin.de", content(SIZE, 2))
    for language, seed in (("en", 1), ("de", 2)):
        answer = server.get("/f.bin", {"Accept-Language": language})
        assert answer.body == content(SIZE, seed) and answer.header("Content-Language") == language
        server.torrent(f"/f.bin.{language}").check(content(SIZE, seed))
        # Which file a name means depends on who asks: the torrent of another visitor's file must never be sent.
        answer = server.get("/f.bin", {**ASK, "Accept-Language": language})
        if answer.header("Content-Type") == "application/x-bittorrent":
            Torrent(answer.body).check(content(SIZE, seed))
        else:
            assert answer.body == content(SIZE, seed)


VHOSTS = """
<VirtualHost *:{port}>
ServerName one.example
DocumentRoot "{root}/one"
</VirtualHost>
<VirtualHost *:{port}>
ServerName two.example
DocumentRoot "{root}/two"
</VirtualHost>
<VirtualHost *:{port}>
ServerName shut.example
DocumentRoot "{root}/two"
<Location "/">
Require ip 127.0.0.1
</Location>
</VirtualHost>
"""


def vhosts(httpd):
    server = httpd(start=False)
    server.write_conf(VHOSTS.format(port=server.port, root=server.docroot))
    (server.docroot / "one").mkdir()
    (server.docroot / "two").mkdir()
    return server.start()


def test_name_based_virtual_hosts(httpd, content):
    server = vhosts(httpd)
    server.put("one/f.bin", content(SIZE, 1))
    server.put("two/f.bin", content(SIZE, 2))
    for name, seed in (("one", 1), ("two", 2)):
        torrent = server.torrent("/f.bin", host=f"{name}.example")
        torrent.check(content(SIZE, seed))
        assert torrent.meta[b"announce"].startswith(f"http://{name}.example".encode())
        assert server.announce(torrent.hash, host=f"{name}.example")[b"complete"] >= 1
    # The very same file is for strangers under one name, and not under another.
    assert server.get("/f.bin", ASK, host="shut.example").header("X-BT-Status") == "protected"
    assert server.get("/f.bin", ASK, host="two.example").header("X-BT-Status") == "torrent"


def test_one_info_hash_under_two_virtual_hosts(httpd, content):
    """Two copies of a file are one torrent; when one of them goes, the other still feeds the swarm."""
    server = vhosts(httpd)
    for name in ("one", "two"):
        server.put(f"{name}/f.bin", content(SIZE))
    one, two = (server.torrent("/f.bin", host=f"{name}.example") for name in ("one", "two"))
    assert one.v1 == two.v1 and one.meta[b"announce"] != two.meta[b"announce"]
    (server.docroot / "one/f.bin").unlink()
    assert b"failure reason" not in server.announce(one.hash, host="two.example")
    from wire import Peer
    with Peer((server.host, server.port), one.hash) as peer:
        peer.interest().piece(one, 0)
