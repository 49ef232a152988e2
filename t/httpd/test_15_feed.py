"""The feed: read by a feed parser as its readers do, and by eye of a stranger: it names nothing that they could not find."""
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import feedparser
import libtorrent as lt
import pytest

from bencode import Torrent
from waiting import wait_for

FEED = "/.well-known/bthttp/feed.atom"
SCHEMA = Path(__file__).parent.parent / "schemas" / "atom.rng"
SMALL = "BTHTTPMinSize 0\n"
BASIC = 'AuthType Basic\nAuthName "x"\nAuthUserFile "{dir}/users"\nRequire valid-user\n'


def read(server, path=FEED, **options):
    """One page: valid, and parsed without a complaint."""
    response = server.get(path, **options)
    assert response.status == 200, response
    assert response.header("Content-Type") == "application/atom+xml"
    check = subprocess.run(["xmllint", "--noout", "--nonet", "--relaxng", SCHEMA, "-"], input=response.body, capture_output=True)
    assert check.returncode == 0, check.stderr.decode()
    page = feedparser.parse(response.body)
    assert not page.bozo, page.bozo_exception
    assert page.version == "atom10"
    return page


def link(of, rel):
    """The href of the one link of that relation, or None."""
    found = [one.href for one in of.links if one.rel == rel]
    assert len(found) <= 1, found
    return found[0] if found else None


def local(server, url):
    """Path and query of a URL of this server."""
    for base in (server.base, f"https://{server.host}:{server.tls_port}"):
        if url.startswith(base + "/"):
            return url[len(base):]
    raise AssertionError(f"{url} is not on this server")


def pages(server, **options):
    """All pages, first to last."""
    path, found = FEED, []
    while path:
        found.append(read(server, path, **options))
        following = link(found[-1].feed, "next")
        path = following and local(server, following)
    return found


def titles(server, **options):
    return [entry.title for page in pages(server, **options) for entry in page.entries]


def publish(server, name, content, **options):
    server.put(name, content)
    return server.torrent("/" + name, **options)


def test_an_empty_feed(httpd):
    server = httpd()
    page = read(server)
    assert page.entries == []
    assert link(page.feed, "self") == link(page.feed, "first") == page.feed.id == server.base + FEED
    assert link(page.feed, "next") is None


def test_an_entry(httpd, content):
    server = httpd(conf=SMALL)
    server.put("a b&c.iso", content(300000))
    torrent = server.torrent("/a%20b&c.iso")
    page = read(server)
    [entry] = page.entries
    assert entry.title == "a b&c.iso"
    assert link(entry, "alternate") == server.base + "/a%20b&c.iso"
    assert entry.id == f"urn:btih:{torrent.v1.hex()}#/a%20b&c.iso"
    assert entry.updated == page.feed.updated
    [enclosure] = entry.enclosures
    assert enclosure.type == "application/x-bittorrent"
    assert enclosure.href == server.base + "/a%20b&c.iso.torrent"
    sent = server.get(local(server, enclosure.href))
    assert Torrent(sent.body).v1 == torrent.v1
    assert 0 < int(enclosure.length) <= len(sent.body)
    assert f"xt=urn:btih:{torrent.v1.hex()}" in link(entry, "related")
    assert server.get(local(server, link(entry, "alternate"))).body == content(300000)


@pytest.mark.parametrize("aliases, suffix", [("torrent", ".torrent"), ("query", "?torrent"), ("none", None)])
def test_the_enclosure_is_an_alias_that_exists(httpd, content, aliases, suffix):
    server = httpd(conf=SMALL + f"BTHTTPAlias {aliases}\n")
    server.put("f.bin", content(100000))
    wait_for("the torrent", lambda: server.get("/f.bin", {"X-BT-Accept": "torrent"}).header("X-BT-Status") == "torrent")
    [entry] = read(server).entries
    assert link(entry, "enclosure") == (suffix and server.base + "/f.bin" + suffix)
    assert link(entry, "related").startswith("magnet:?xt=urn:btih:")


def test_odd_names(httpd, content):
    server = httpd(conf=SMALL)
    names = {b"caf\xc3\xa9 \xe2\x82\xac.bin": "café €.bin", b"latin\xe9.bin": "latin%E9.bin", b"<b>&amp;\"'].bin": "<b>&amp;\"'].bin",
             b"bell\x07.bin": "bell%07.bin", b"50%25.bin": "50%25.bin", b"x" * 247 + b".bin": "x" * 247 + ".bin"}
    for name in names:
        (Path(bytes(server.docroot).decode()) / name.decode(errors="surrogateescape")).write_bytes(content(20000, len(name)))
        url = "/" + "".join(f"%{byte:02x}" for byte in name)
        wait_for(f"the torrent of {url}", lambda: server.get(url + "?torrent").status == 200)
    # Feed readers take titles for text with entities when they look like it: what the writer wrote is looked at.
    raw = server.get(FEED).body.decode()
    page = read(server)
    assert len(page.entries) == len(names)
    for entry in page.entries:
        assert server.get(local(server, link(entry, "alternate"))).status == 200
        assert server.get(local(server, link(entry, "enclosure"))).status == 200
    for title in names.values():
        escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
        assert f"<title>{escaped}</title>" in raw or f"<title>{escaped}</title>".replace("&quot;", '"') in raw, title


def test_pages(httpd, content):
    """More entries than two pages, newest first; what is published meanwhile shifts nothing."""
    server = httpd(conf=SMALL)
    names = [f"f{i:03}.bin" for i in range(120)]
    for name in names:
        server.put(name, content(20000, int(name[1:4])))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: server.torrent("/" + name), names[:-1]))
    server.torrent("/" + names[-1])
    first, second, third = pages(server)
    assert [len(page.entries) for page in (first, second, third)] == [50, 50, 20]
    seen = [entry for page in (first, second, third) for entry in page.entries]
    assert sorted(entry.title for entry in seen) == names
    assert seen[0].title == names[-1]
    assert [entry.updated for entry in seen] == sorted((entry.updated for entry in seen), reverse=True)
    assert len({entry.id for entry in seen}) == 120
    assert {page.feed.id for page in (first, second, third)} == {first.feed.id}
    assert {link(page.feed, "first") for page in (first, second, third)} == {server.base + FEED}

    publish(server, "new.bin", content(20000, 999))
    assert read(server).entries[0].title == "new.bin"
    again = read(server, local(server, link(first.feed, "next")))
    assert [entry.title for entry in again.entries] == [entry.title for entry in second.entries]
    assert server.get(FEED + "?page=nonsense").status == 404
    assert server.get(FEED + "?page=" + "A" * 3000).status == 404


def test_conditional_requests(httpd, content):
    server = httpd(conf=SMALL)
    publish(server, "a.bin", content(20000))
    response = server.get(FEED)
    etag = response.header("ETag")
    assert etag.startswith('"') and response.header("Last-Modified") is None
    assert server.get(FEED).header("ETag") == etag
    unchanged = server.get(FEED, {"If-None-Match": etag})
    assert (unchanged.status, unchanged.body, unchanged.header("ETag")) == (304, b"", etag)
    head = server.get(FEED, method="HEAD")
    assert (head.status, head.header("ETag"), head.header("Content-Length")) == (200, etag, str(len(response.body)))
    publish(server, "b.bin", content(20000, 2))
    changed = server.get(FEED, {"If-None-Match": etag})
    assert changed.status == 200 and changed.header("ETag") != etag
    # By date alone nothing may be held back: a withdrawal leaves no newer date.
    assert server.get(FEED, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}).status == 200


def test_only_get_and_head(httpd):
    server = httpd()
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response = server.get(FEED, {"Content-Length": "0"}, method)
        assert response.status == 405, method
        assert "GET" in response.header("Allow")


@pytest.mark.parametrize("end", ["removed", "changed", "protected", "off"])
def test_what_is_withdrawn_disappears(httpd, content, end):
    server = httpd(conf=SMALL)
    path = server.put("d/a.bin", content(20000))
    server.torrent("/d/a.bin")
    publish(server, "b.bin", content(20000, 2))
    assert titles(server) == ["b.bin", "a.bin"]
    etag = server.get(FEED).header("ETag")
    if end == "removed":
        path.unlink()
    elif end == "changed":
        server.put("d/a.bin", content(20000, 3))
    elif end == "protected":
        server.put("d/.htaccess", b"Require all denied\n")
    else:
        server.put("d/.htaccess", b"BTHTTP Off\n")
    assert server.get(FEED, {"If-None-Match": etag}).status == 200
    assert titles(server) == ["b.bin"]


def test_a_changed_file_is_a_new_entry(httpd, content):
    server = httpd(conf=SMALL)
    publish(server, "a.bin", content(20000))
    publish(server, "b.bin", content(20000, 2))
    before = {entry.title: entry for entry in read(server).entries}
    publish(server, "a.bin", content(20000, 3))
    after = read(server).entries
    assert [entry.title for entry in after] == ["a.bin", "b.bin"]
    assert after[0].id != before["a.bin"].id and after[0].updated >= before["a.bin"].updated
    assert after[1].id == before["b.bin"].id


# name: (.htaccess of the directory, other files there, is what is there found by a stranger?)
DIRECTORIES = {
    "listed": ("", [], True),
    "no listing": ("Options -Indexes\n", [], False),
    "index file": ("", ["index.html"], False),
    "scan": ("Options -Indexes\nBTHTTPScan On\n", [], True),
    "scan and index file": ("BTHTTPScan On\n", ["index.html"], True),
    "listing refused": ('DirectoryIndex disabled\nRewriteEngine On\nRewriteRule "^$" "-" [F]\n', [], False),
}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_only_what_could_be_found(httpd, content, name):
    """All these files are open to whoever knows their names, and have torrents; the feed must not give the names away."""
    htaccess, others, found = DIRECTORIES[name]
    server = httpd(conf=SMALL, modules=["rewrite"])
    server.put("d/.htaccess", htaccess.encode())
    for other in others:
        server.put("d/" + other, b"x")
    publish(server, "d/secret.bin", content(20000))
    publish(server, "e/open.bin", content(20000, 2))
    assert titles(server) == (["open.bin", "secret.bin"] if found else ["open.bin"])


def test_hidden_names_stay_hidden(httpd, content):
    server = httpd(conf=SMALL)
    publish(server, ".hidden.bin", content(20000))
    publish(server, "shown.bin", content(20000, 2))
    assert titles(server) == ["shown.bin"]


def test_a_listing_that_ends_later(httpd, content):
    server = httpd(conf=SMALL)
    publish(server, "d/a.bin", content(20000))
    assert titles(server) == ["a.bin"]
    server.put("d/index.html", b"nothing here")
    assert titles(server) == []
    (server.docroot / "d/index.html").unlink()
    assert titles(server) == ["a.bin"]


def test_protected_files_are_never_listed(httpd, content):
    server = httpd(conf=SMALL)
    server.expect("AH01630")
    server.put("d/.htaccess", b"Require ip 127.0.0.0/8\n")
    server.put("d/mine.bin", content(20000))
    response = server.get("/d/mine.bin", {"X-BT-Accept": "torrent"})
    assert (response.status, response.header("X-BT-Status")) == (200, "protected")
    assert titles(server) == []


def test_each_host_has_its_own(httpd, content):
    """By name, also on one address and port; all names of a virtual host have what was published under any of them."""
    conf = SMALL + """
<VirtualHost *:*>
ServerName one.example
ServerAlias www.one.example *.many.example
</VirtualHost>
<VirtualHost *:*>
ServerName two.example
DocumentRoot "{two}"
<Directory "{two}">
Options Indexes
Require all granted
</Directory>
</VirtualHost>
"""
    server = httpd(start=False)
    two = server.dir / "two"
    two.mkdir()
    server.write_conf(conf.format(two=two))
    server.start()
    server.put("a.bin", content(20000))
    (two / "b.bin").write_bytes(content(20000, 2))
    server.torrent("/a.bin", host="one.example")
    server.torrent("/b.bin", host="Two.Example:80")

    def entries(host):
        page = read(server, host=host)
        return [(entry.title, link(entry, "alternate")) for entry in page.entries]

    assert entries("one.example") == [("a.bin", "http://one.example/a.bin")]
    assert entries("two.example") == [("b.bin", "http://two.example/b.bin")]
    assert entries("two.example:8080") == [("b.bin", "http://two.example:8080/b.bin")]
    server.put("c.bin", content(20000, 3))
    server.torrent("/c.bin", host="www.one.example")
    for host in ("one.example", "www.one.example", "some.many.example"):
        assert entries(host) == [("c.bin", f"http://{host}/c.bin"), ("a.bin", f"http://{host}/a.bin")]


def test_the_way_does_not_matter_but_must_lead_there(httpd, content, tls):
    """What was published by http is in the feed by https, with URLs of https, if a stranger may have it by https."""
    secure = 'Require expr "%{HTTPS} != \'on\'"'
    server = httpd(conf=SMALL + f'<Files "plain.bin">\n{secure}\n</Files>\n', tls=tls)
    publish(server, "both.bin", content(20000))
    publish(server, "plain.bin", content(20000, 2))
    assert titles(server) == ["plain.bin", "both.bin"]
    by_tls = {"address": (server.host, server.tls_port), "tls": True}
    [entry] = read(server, **by_tls).entries
    base = f"https://{server.host}:{server.tls_port}"
    assert (link(entry, "alternate"), link(entry, "enclosure")) == (base + "/both.bin", base + "/both.bin.torrent")


def test_after_a_restart(httpd, content):
    server = httpd(conf=SMALL)
    publish(server, "a.bin", content(20000))
    before = server.get(FEED)
    server.graceful()
    assert titles(server) == ["a.bin"]
    server.stop()
    server.start()
    assert titles(server) == ["a.bin"]
    assert server.get(FEED).header("ETag") == before.header("ETag")


def test_it_can_be_closed(httpd):
    server = httpd(conf=f'<Location "{FEED}">\nRequire all denied\n</Location>\n')
    server.expect("AH01630")
    assert server.get(FEED).status == 403


def test_what_a_scan_made_is_in_the_feed(httpd, content):
    """Nobody has asked for it by any name yet."""
    server = httpd(start=False, conf=SMALL + "BTHTTPScan On\n")
    for name in ("a.bin", "d/b.bin", "d/e/c.bin"):
        server.put(name, content(20000, len(name)))
    server.start()
    wait_for("the feed", lambda: sorted(titles(server)) == ["a.bin", "b.bin", "c.bin"])
    for entry in read(server).entries:
        assert server.get(local(server, link(entry, "enclosure"))).status == 200


@pytest.mark.parametrize("index, scan", [(False, False), (True, False), (True, True)])
def test_a_directory_as_one_torrent(httpd, content, index, scan):
    """It needs what its files need: an index file hides it, unless the admin asked for it to be known."""
    server = httpd(conf=SMALL)
    server.put("d/.htaccess", f"BTHTTPCollection On\nBTHTTPScan {'On' if scan else 'Off'}\n".encode())
    for name in ("d/a.bin", "d/b.bin"):
        server.put(name, content(20000, ord(name[2])))
    if index:
        server.put("d/index.html", b"x")
    wait_for("the torrent", lambda: server.get("/d/?torrent").status == 200)
    v1 = lt.torrent_info(lt.bdecode(server.get("/d/?torrent").body)).info_hashes().v1
    found = [entry for entry in read(server).entries if entry.id.startswith(f"urn:btih:{v1}#")]
    assert bool(found) == (scan or not index)
    for entry in found:
        assert entry.title == "d"
        assert link(entry, "alternate") == server.base + "/d/"
        again = lt.torrent_info(lt.bdecode(server.get(local(server, link(entry, "enclosure"))).body))
        assert again.info_hashes().v1 == v1
        assert f"xt=urn:btih:{v1}" in link(entry, "related")
