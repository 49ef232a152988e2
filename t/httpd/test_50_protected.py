"""The stranger test: what an anonymous stranger may not have over HTTP is never hashed, tracked or seeded."""
import base64
import subprocess

import pytest

from udp_tracker import UdpTracker, free_udp_port, refusal
from waiting import wait_for
from wire import Peer, refused

SIZE = 2 << 20
ASK = {"X-BT-Accept": "torrent"}

BASIC = 'AuthType Basic\nAuthName "x"\nAuthUserFile "{dir}/users"\nRequire valid-user\n'
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"ann:secret").decode()}

# name: (.htaccess, headers with which the file can be had, query with which it can be had)
RULES = {
    "basic": (BASIC, LOGIN, ""),
    "basic, any of": ("<RequireAny>\nRequire ip 127.0.0.1\nRequire valid-user\n</RequireAny>\n"
                      'AuthType Basic\nAuthName "x"\nAuthUserFile "{dir}/users"\n', {}, ""),
    "satisfy any": (BASIC + "Order allow,deny\nAllow from 127.0.0.1\nSatisfy any\n", {}, ""),
    "ip": ("Require ip 127.0.0.0/8 ::1\n", {}, ""),
    "not ip": ("<RequireAll>\nRequire all granted\nRequire not ip 192.0.2.0/24\n</RequireAll>\n", {}, ""),
    "local": ("Require local\n", {}, ""),
    "host": ("Require host localhost\n", {}, ""),
    "allow from": ("Order deny,allow\nDeny from all\nAllow from 127.0.0.1\n", {}, ""),
    "env of a header": ('SetEnvIf X-Key "^secret$" let_in\nRequire env let_in\n', {"X-Key": "secret"}, ""),
    "env of the cookie": ('SetEnvIf Cookie "member=1" let_in\nRequire env let_in\n', {"Cookie": "member=1"}, ""),
    "env of the referer": ('SetEnvIf Referer "friend" let_in\nRequire env let_in\n', {"Referer": "http://friend/"}, ""),
    "env of the agent": ('BrowserMatch "Special" let_in\nRequire env let_in\n', {"User-Agent": "Special/1"}, ""),
    "env of the address": ('SetEnvIf Remote_Addr "^127" let_in\nRequire env let_in\n', {}, ""),
    "expr": ("Require expr \"%{{HTTP:X-Key}} == 'secret'\"\n", {"X-Key": "secret"}, ""),
    "expr of the address": ("Require expr \"-R '127.0.0.0/8'\"\n", {}, ""),
    "expr of the query": ("Require expr \"%{{QUERY_STRING}} =~ /key=secret/\"\n", {}, "key=secret"),
    "method": ("Require method GET HEAD\nRequire all denied\n", {}, ""),
    "rewrite by cookie": ('RewriteEngine On\nRewriteCond "%{{HTTP_COOKIE}}" "!member=1"\nRewriteRule "^" "-" [F]\n',
                          {"Cookie": "member=1"}, ""),
    "rewrite by query": ('RewriteEngine On\nRewriteCond "%{{QUERY_STRING}}" "!key=secret"\nRewriteRule "^" "-" [F]\n',
                         {}, "key=secret"),
    "rewrite by address": ('RewriteEngine On\nRewriteCond "%{{REMOTE_ADDR}}" "!^127"\nRewriteRule "^" "-" [F]\n', {}, ""),
    "rewrite to a login": ('RewriteEngine On\nRewriteCond "%{{HTTP_COOKIE}}" "!member=1"\nRewriteRule "^f" "/login.html" [R=302,L]\n',
                           {"Cookie": "member=1"}, ""),
}
# "method" lets any stranger in by GET: it is here to show that open is open.
OPEN = {"method"}


def quiet(server):
    for number in ("AH01630", "AH01797", "AH01617", "AH01618", "AH02811", "AH01620", "AH00670"):
        server.expect(number)


@pytest.fixture
def known_hash(httpd, content):
    """The torrent of the same file from a server where it is public: its info-hash is known to everybody."""
    server = httpd()
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    return torrent


def write_users(server):
    digest = subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True).stdout
    users = server.dir / "users"
    users.write_text(f"ann:{digest}")
    users.chmod(0o644)


def never_offered(server, torrent):
    """Not hashed, not tracked, not seeded."""
    status = server.status()
    assert (status["hashed_files"], status["torrents"]) == (0, 0)
    for info_hash in (torrent.v1, torrent.v2[:20]):
        assert b"failure reason" in server.announce(info_hash)
        assert info_hash not in server.scrape(info_hash).get(b"files", {})
        assert refused((server.host, server.port), info_hash)


@pytest.mark.parametrize("name", RULES)
def test_protected(httpd, content, known_hash, name):
    htaccess, headers, query = RULES[name]
    server = httpd(modules=["rewrite"], level="warn")
    quiet(server)
    write_users(server)
    server.put("login.html", b"<p>log in")
    server.put("lock/f.bin", content(SIZE))
    server.put("lock/.htaccess", htaccess.format(dir=server.dir).encode())
    path = "/lock/f.bin"
    url = path + ("?" + query if query else "")
    alias = path + ".torrent" + ("?" + query if query else "")
    for _ in range(3):
        answer = server.get(url, {**headers, **ASK})
        assert answer.status == 200, answer
        if name in OPEN:
            assert answer.header("X-BT-Status") in ("torrent", "pending; progress=0")
            return
        assert answer.header("X-BT-Status") == "protected" and answer.body == content(SIZE)
        assert server.get(url, headers).header("Link") is None
        assert server.get(alias, headers).status in (302, 401, 403, 404)
        assert server.get(url + ("&" if query else "?") + "torrent", headers).status == 404
        if headers or query:
            assert server.get(path, ASK).status in (302, 401, 403), "the lock locks"
    never_offered(server, known_hash)


def test_protected_in_the_server_configuration(httpd, content, known_hash):
    server = httpd(conf='<Location "/lock">\nRequire ip 127.0.0.1\n</Location>\n<Files "f.bin">\nRequire local\n</Files>',
                   level="warn")
    server.put("lock/g.bin", content(SIZE))
    server.put("f.bin", content(SIZE))
    for path in ("/lock/g.bin", "/f.bin", "//f.bin", "/./f.bin", "/%66.bin", "/x/../f.bin"):
        answer = server.get(path, ASK)
        assert answer.body == content(SIZE) and answer.header("X-BT-Status") == "protected", path
        assert server.get(path + ".torrent").status == 404, path
    never_offered(server, known_hash)


def test_a_grant_of_the_visitor_is_not_the_strangers(httpd, content, known_hash):
    """With the right password on one kept-alive connection, after an open file on the same."""
    from http11 import Connection
    server = httpd(level="warn")
    quiet(server)
    write_users(server)
    server.put("open.bin", content(SIZE, 3))
    server.put("lock/f.bin", content(SIZE))
    server.put("lock/.htaccess", BASIC.format(dir=server.dir).encode())
    with Connection((server.host, server.port)) as connection:
        for _ in range(3):
            assert connection.request("/open.bin", ASK).status == 200
            answer = connection.request("/lock/f.bin", {**LOGIN, **ASK})
            assert answer.header("X-BT-Status") == "protected"
            assert connection.request("/lock/f.bin.torrent", LOGIN).status == 404
    assert server.status()["torrents"] == 1
    assert refused((server.host, server.port), known_hash.v1)


SENDFILE = """#!/bin/sh
printf 'Content-Type: application/octet-stream\\r\\nX-Sendfile: %s\\r\\n\\r\\n' "$DOCUMENT_ROOT/../private.bin"
cat "$DOCUMENT_ROOT/../private.bin"
"""


def test_what_a_script_sends(httpd, content, known_hash):
    """Like mod_xsendfile: a file that only the script hands out, to whom it likes."""
    server = httpd(start=False, mpm="prefork", modules=["cgi", "actions"])
    server.write_conf(f'ScriptAlias "/cgi/" "{server.dir}/cgi/"\n<Directory "{server.dir}/cgi">\nRequire all granted\n</Directory>\n'
                      'AddHandler hand-out .guarded\nAction hand-out "/cgi/f.bin"')
    (server.dir / "cgi").mkdir()
    (server.dir / "private.bin").write_bytes(content(SIZE))
    script = server.dir / "cgi" / "f.bin"
    script.write_text(SENDFILE)
    script.chmod(0o755)
    server.start()
    server.put("f.guarded", content(SIZE, 4))
    for path in ("/cgi/f.bin", "/f.guarded"):
        answer = server.get(path, ASK)
        assert answer.status == 200 and answer.header("X-BT-Status") == "transformed", path
        assert answer.body == content(SIZE)
        assert server.get(path + ".torrent").status in (404, 500)
    server.expect("AH01215|AH00128|AH02811|AH00130|script not found")
    never_offered(server, known_hash)


def leech(server, torrent):
    peer = Peer((server.host, server.port), torrent.hash)
    peer.interest().piece(torrent, 0)
    return peer


def withdrawn(server, torrent, peer):
    """Within a second or so: its live peers closed, handshakes and announces refused, nothing told."""
    server.wait_closed("withdrawn", timeout=5)
    peer.wait_closed()
    assert refused((server.host, server.port), torrent.hash)
    assert b"failure reason" in server.announce(torrent.hash)
    assert torrent.hash not in server.scrape(torrent.hash).get(b"files", {})
    assert server.get("/d/f.bin", ASK).header("X-BT-Status") == "protected"
    assert server.get("/d/f.bin.torrent").status == 404
    assert server.get("/d/f.bin").header("Link") is None


def test_protected_later_by_a_reload(httpd, content):
    server = httpd()
    server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    with leech(server, torrent) as peer:
        server.write_conf('<Location "/d">\nRequire ip 127.0.0.1\n</Location>')
        server.graceful()
        wait_for("the refusal", lambda: refused((server.host, server.port), torrent.hash), 3)
        assert b"failure reason" in server.announce(torrent.hash)
        peer.wait_closed()
    assert server.get("/d/f.bin", ASK).header("X-BT-Status") == "protected"
    server.write_conf("")
    server.graceful()
    hashed = server.status()["hashed_files"]
    # A child of the last generation may still answer the first request.
    wait_for("the torrent to be back", lambda: server.get("/d/f.bin.torrent").status == 200)
    assert server.torrent("/d/f.bin").v1 == torrent.v1
    assert server.status()["hashed_files"] == hashed, "it was hashed once and is still known"
    leech(server, torrent).close()


def test_protected_later_by_htaccess(httpd, content):
    """No reload: the next request for the torrent finds out, whoever makes it."""
    server = httpd()
    server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    with leech(server, torrent) as peer:
        server.put("d/.htaccess", b"Require ip 127.0.0.1\n")
        assert server.get("/d/f.bin", ASK).header("X-BT-Status") == "protected"
        withdrawn(server, torrent, peer)


@pytest.mark.parametrize("form", ["torrent", "magnet", "meta4"])
def test_the_alias_of_a_file_newly_protected(httpd, content, form):
    """Who asks for it gets 404, and from that moment on nobody gets anything."""
    server = httpd()
    server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    server.announce(torrent.hash)  # so that the test is not due for the next one
    with leech(server, torrent) as peer:
        server.put("d/.htaccess", b"Require local\n")
        assert server.get(f"/d/f.bin.{form}").status == 404
        assert b"no longer public" in server.announce(torrent.hash)[b"failure reason"]
        withdrawn(server, torrent, peer)


def test_the_alias_of_a_file_that_is_gone(httpd, content):
    server = httpd()
    path = server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    server.announce(torrent.hash)
    path.unlink()
    assert server.get("/d/f.bin.torrent").status == 404
    assert b"changed" in server.announce(torrent.hash)[b"failure reason"]


def announces_by_http(server, torrent):
    return lambda: b"no longer public" in server.announce(torrent.hash).get(b"failure reason", b"")


def announces_by_udp(server, torrent):
    tracker = UdpTracker("127.0.0.1", server.udp)
    return lambda: "no longer public" in (refusal(tracker, torrent.hash) or "")


def scrapes(server, torrent):
    return lambda: not server.scrape(torrent.hash).get(b"files")


@pytest.mark.parametrize("ask", [announces_by_http, announces_by_udp, scrapes])
def test_announces_alone_find_out(httpd, content, ask):
    """No reload, and nobody asks for the torrent any more; other files there are not concerned."""
    server = httpd(start=False)
    server.udp = free_udp_port()
    server.write_conf(f"BTHTTPTrackerUDP {server.udp}")
    server.start()
    server.put("d/f.bin", content(SIZE))
    server.put("d/g.bin", content(SIZE, 2))
    torrent, other = server.torrent("/d/f.bin"), server.torrent("/d/g.bin")
    refused_now = ask(server, torrent)
    assert not refused_now()
    server.put("d/.htaccess", b'<Files "f.bin">\nRequire local\n</Files>\n')
    wait_for("the refusal", refused_now, 3)
    assert refused((server.host, server.port), torrent.hash)
    assert b"peers" in server.announce(other.hash)
    (server.docroot / "d/.htaccess").unlink()
    again = server.torrent("/d/f.bin")
    assert again.hash == torrent.hash and b"peers" in server.announce(torrent.hash)


def test_a_peer_alone_finds_out(httpd, content):
    """Nobody asks for anything, but one leecher is connected."""
    server = httpd()
    server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    with leech(server, torrent) as peer:
        server.put("d/.htaccess", b"Require local\n")
        server.wait_closed("withdrawn", timeout=5)
        peer.wait_closed()


def test_protected_while_the_server_was_down(httpd, content):
    server = httpd()
    server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    server.stop()
    server.write_conf('<Location "/d">\nRequire ip 127.0.0.1\n</Location>')
    server.start()
    assert refused((server.host, server.port), torrent.hash)
    assert b"failure reason" in server.announce(torrent.hash)
    assert server.get("/d/f.bin").header("Link") is None


def test_bthttp_off_later(httpd, content):
    server = httpd()
    server.put("d/f.bin", content(SIZE))
    torrent = server.torrent("/d/f.bin")
    server.put("d/.htaccess", b"BTHTTP Off\n")
    server.graceful()
    wait_for("the refusal", lambda: refused((server.host, server.port), torrent.hash), 3)
    assert server.get("/d/f.bin", ASK).header("X-BT-Status") == "off"


@pytest.mark.parametrize("rule", ["SSLVerifyClient optional_no_ca", '<Location "/other">\nSSLRequire true\n</Location>'])
def test_where_certificates_count_nothing_is_offered(httpd, tls, content, rule):
    """mod_ssl asks for certificates before there is a request: where it does so at all, nobody is known to be a stranger."""
    server = httpd(tls=tls, conf=rule)
    server.put("f.bin", content(SIZE))
    for get in (server.get, server.get_tls):
        answer = get("/f.bin", ASK)
        assert (answer.status, answer.header("X-BT-Status")) == (200, "protected")
        assert answer.body == content(SIZE)
        assert get("/f.bin.torrent").status == 404
    assert server.status()["hashed_files"] == 0
