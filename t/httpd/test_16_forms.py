"""Torrent, magnet and Metalink: each form by X-BT-Accept, by Accept and by its alias; what the file itself says of them."""
import base64
import hashlib
import os
import subprocess
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import libtorrent as lt
import pytest

from bencode import Torrent
from waiting import wait_for

SIZE = 3 << 20
FORMS = {"torrent": ("application/x-bittorrent", ".torrent"), "magnet": ("application/x-magnet", ".magnet"),
         "metalink": ("application/metalink4+xml", ".meta4")}
ARIA2 = "*/*,application/metalink4+xml,application/metalink+xml"
NS = "{urn:ietf:params:xml:ns:metalink}"
MIRRORS = "BTHTTPMirror http://one.example/pub/ https://two.example/x"


def digest_known(server, path="/f.bin"):
    wait_for("the digest", lambda: server.get(path, method="HEAD").header("Repr-Digest"))


@pytest.fixture
def server(httpd, content):
    server = httpd()
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    digest_known(server)  # the Metalink has it, too
    return server


def form_of(answer):
    """The form of an answer by its type, which X-BT-Status must agree with; "file" if it is none."""
    kind = next((f for f, (t, _) in FORMS.items() if t == answer.header("Content-Type")), "file")
    if kind != "file":
        assert answer.header("X-BT-Status") == kind
    return kind


def magnet_of(answer):
    """The parameters of a magnet answer: {key: [values]}."""
    text = answer.body.decode("ascii")
    assert text.startswith("magnet:?") and text.endswith("\n") and text.count("\n") == 1
    return parse_qs(urlsplit(text.strip()).query, strict_parsing=True)


class Metalink:
    """A Metalink answer, checked as RFC 5854 has it."""

    def __init__(self, body):
        self.root = ElementTree.fromstring(body)
        assert self.root.tag == NS + "metalink"
        self.file, = self.root.findall(NS + "file")
        self.name = self.file.get("name")
        self.size = int(self.file.findtext(NS + "size"))
        self.urls = {u.text: int(u.get("priority")) for u in self.file.findall(NS + "url")}
        self.torrents = [m.text for m in self.file.findall(NS + "metaurl") if m.get("mediatype") == "torrent"]
        self.digests = {h.get("type"): h.text for h in self.file.findall(NS + "hash")}
        self.pieces = self.file.find(NS + "pieces")


def links(answer):
    """The Link headers: {(target, rel): the rest}."""
    found = {}
    for name, value in answer.headers:
        if name == "Link":
            target, _, rest = value.partition(">")
            rel, _, rest = rest.lstrip("; ").partition("; ")
            found[target.lstrip("<"), rel.removeprefix("rel=").strip('"')] = rest
    return found


def ways(form):
    kind, suffix = FORMS[form]
    yield "/f.bin", {"X-BT-Accept": form}
    yield "/f.bin", {"X-BT-Accept": kind}
    yield "/f.bin" + suffix, {}
    if form == "metalink":
        yield "/f.bin", {"Accept": ARIA2}
    if form == "torrent":
        yield "/f.bin?torrent", {}


# --- each form by each way to ask for it


@pytest.mark.parametrize("form", FORMS)
def test_each_way_gives_the_same(server, form):
    kind, suffix = FORMS[form]
    bodies = set()
    for path, headers in ways(form):
        answer = server.get(path, headers)
        assert answer.status == 200 and form_of(answer) == form, (path, headers)
        assert answer.header("Content-Disposition") == f'attachment; filename="f.bin{suffix}"'
        assert answer.header("Content-Length") == str(len(answer.body))
        assert answer.header("Link") == '</f.bin>; rel="alternate"'
        assert answer.header("Last-Modified") and not answer.header("Repr-Digest")
        vary = [v.strip() for v in answer.header("Vary").split(",")]
        assert "X-BT-Accept" in vary
        assert ("Accept" in vary) == (form == "metalink" and path == "/f.bin")
        assert (answer.header("Cache-Control") == "no-store") == (path == "/f.bin"), "aliases may be cached, others not"
        bodies.add(answer.body)
    assert len(bodies) == 1


@pytest.mark.parametrize("form", FORMS)
def test_head_and_conditions(server, content, form):
    files = server.get("/f.bin").header("ETag")
    for path, headers in ways(form):
        get, head = server.get(path, headers), server.get(path, headers, "HEAD")
        assert [h for h in head.headers if h[0] != "Date"] == [h for h in get.headers if h[0] != "Date"]
        assert head.status == 200 and head.body == b""
        own = get.header("ETag")
        assert own.startswith('"bt-') and own != files
        same = server.get(path, {**headers, "If-None-Match": own})
        assert same.status == 304 and same.body == b"" and same.header("ETag") == own
        assert server.get(path, {**headers, "If-None-Match": files}).body == get.body
        assert server.get(path, {**headers, "If-Match": files}).status == 412
        assert server.get(path, {**headers, "If-Match": own}).status == 200
    assert server.get("/f.bin", {"If-None-Match": own}).body == content(SIZE), "a form's validator says nothing of the file"


def test_validators_differ(server):
    assert len({server.get("/f.bin" + suffix).header("ETag") for _, suffix in FORMS.values()}) == 3


@pytest.mark.parametrize("form", FORMS)
def test_range(server, content, form):
    for path, headers in ways(form):
        part = server.get(path, {**headers, "Range": "bytes=10-29"})
        assert part.status == 206
        whole = content(SIZE) if path == "/f.bin" else server.get(path).body
        assert part.body == whole[10:30], "under its own name the file's, under an alias the form's"
        assert part.header("Content-Range") == f"bytes 10-29/{len(whole)}"


def test_the_same_over_tls_and_for_another_host(httpd, content, tls):
    server = httpd(tls=tls)
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    host = f"other.example:{server.tls_port}"
    metalink = Metalink(server.get_tls("/f.bin.meta4", host=host).body)
    assert list(metalink.urls) == [f"https://{host}/f.bin?bthttp=file"]
    assert metalink.torrents == [f"https://{host}/f.bin.torrent"]
    assert magnet_of(server.get_tls("/f.bin.magnet", host=host))["tr"] == [f"https://{host}/.well-known/bthttp/announce"]


# --- which form


@pytest.mark.parametrize("value,form", [
    ("magnet", "magnet"), ("metalink", "metalink"), ("MAGNET", "magnet"), ("torrent, magnet", "torrent"),
    ("magnet, torrent", "magnet"), ("torrent;q=0.4, magnet;q=0.6, metalink;q=0.5", "magnet"), ("metalink, *", "metalink"),
    ("*, metalink", "torrent"), ("metalink;q=0.5, *", "torrent"), ("foo, metalink;q=0.1", "metalink"),
    ("magnet;q=0", "file"), ("magnet;q=0, torrent", "torrent"), ("torrent;q=0, *", "file"), ("torrent;q=0, magnet, *", "magnet"),
    ("magnet;v=1", "magnet"), ("metalink;v=2;wait=1", "metalink"), ("magnet;v=3", "file"), ("magnet;q=2", "file"),
])
def test_preference(server, value, form):
    assert form_of(server.get("/f.bin", {"X-BT-Accept": value})) == form


def test_a_version_that_does_not_fit_leaves_the_next_form(httpd, content):
    server = httpd(conf="BTHTTPTorrentVersion v1")
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    assert form_of(server.get("/f.bin", {"X-BT-Accept": "magnet;v=2, torrent;v=1"})) == "torrent"
    answer = server.get("/f.bin", {"X-BT-Accept": "magnet;v=2, metalink;v=2"})
    assert form_of(answer) == "file" and answer.header("X-BT-Status") == "unavailable"


@pytest.mark.parametrize("value,form", [
    (ARIA2, "metalink"), ("application/metalink4+xml", "metalink"), ("application/metalink4+xml;q=0.1", "metalink"),
    ("text/html, application/metalink4+xml;q=0.9", "metalink"), ("APPLICATION/METALINK4+XML", "metalink"),
    ("*/*", "file"), ("application/*", "file"), ("application/metalink4+xml;q=0", "file"),
    ("application/metalink4+xml;q=0.5, */*", "file"), ("application/x-bittorrent", "file"), ("application/x-magnet", "file"),
    ("application/metalink+xml", "file"), ("text/html,application/xhtml+xml,*/*;q=0.8", "file"), ("metalink", "file"),
    ('x/y;z="application/metalink4+xml', "file"),
])
def test_accept(server, content, value, form):
    answer = server.get("/f.bin", {"Accept": value})
    assert form_of(answer) == form
    if form == "file":
        assert answer.body == content(SIZE) and answer.header("Vary") == "X-BT-Accept"
        assert answer.header("X-BT-Status") is None and answer.header("Cache-Control") is None


def test_our_header_decides_alone(server):
    """Whoever knows X-BT-Accept is judged by it; one that breaks the grammar counts as absent."""
    for value, form in (("torrent", "torrent"), ("foo", "file"), ("metalink;q=0", "file"), ("torrent;q=2", "metalink")):
        assert form_of(server.get("/f.bin", {"X-BT-Accept": value, "Accept": ARIA2})) == form, value


def test_accept_metalink_off(httpd, content):
    server = httpd()
    for name, line in (("on", "On"), ("off", "Off")):
        server.put(f"{name}/f.bin", content(SIZE))
        server.put(f"{name}/.htaccess", f"BTHTTPAcceptMetalink {line}\n".encode())
        server.torrent(f"/{name}/f.bin")
    assert form_of(server.get("/on/f.bin", {"Accept": ARIA2})) == "metalink"
    answer = server.get("/off/f.bin", {"Accept": ARIA2})
    assert form_of(answer) == "file" and answer.body == content(SIZE)
    assert form_of(server.get("/off/f.bin", {"X-BT-Accept": "metalink"})) == "metalink"
    assert server.get("/off/f.bin.meta4").status == 200


def test_accept_makes_no_difference_where_there_is_no_torrent(httpd, content):
    """A client that never heard of us sees what it saw before, byte for byte, whatever the reason."""
    server = httpd(modules=["include"])
    files = {"small.bin": (content(1000), b""), "off/f.bin": (content(SIZE), b"BTHTTP Off\n"),
             "lock/f.bin": (content(SIZE), b"Require ip 127.0.0.1\n"),
             "ssi/f.bin": (content(SIZE), b"Options +Includes\nSetOutputFilter INCLUDES\n"),
             "large/f.bin": (content(SIZE), b"BTHTTPMaxSize 1M\n")}
    for path, (data, access) in files.items():
        server.put(path, data)
        if access:
            server.put(path.rpartition("/")[0] + "/.htaccess", access)
    for path, (data, _) in files.items():
        plain, asked = server.get("/" + path), server.get("/" + path, {"Accept": ARIA2})
        assert asked.status == 200 and asked.body == data == plain.body
        assert [h for h in asked.headers if h[0] != "Date"] == [h for h in plain.headers if h[0] != "Date"], path


@pytest.mark.parametrize("name,asked", [("a&b.bin", "/a&b.bin"), ("back\\slash.bin", "/back%5cslash.bin"),
                                        ("new\nline.bin", "/new%0aline.bin"), ("other.bin", "/alias.bin"),
                                        ("index.html", "/")])
def test_no_metalink_for_a_plain_client_that_would_save_another_name(httpd, content, name, asked):
    server = httpd(modules=["rewrite"],
                   conf="RewriteEngine On\nRewriteRule ^/alias.bin$ /other.bin")
    server.put(name, content(SIZE))
    wait_for("the torrent", lambda: form_of(server.get(asked, {"X-BT-Accept": "torrent"})) == "torrent")
    answer = server.get(asked, {"Accept": ARIA2})
    assert form_of(answer) == "file" and answer.body == content(SIZE)
    assert form_of(server.get(asked, {"X-BT-Accept": "metalink"})) == "metalink", "who asks outright gets it"


# --- what is in them


@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_magnet(httpd, content, version):
    server = httpd(conf=f"BTHTTPTorrentVersion {version}\nBTHTTPAnnounce udp://tracker.example:6969/announce\n{MIRRORS}")
    server.put("ü b.bin", content(SIZE))
    torrent = server.torrent("/%c3%bc%20b.bin")
    answer = server.get("/%c3%bc%20b.bin.magnet")
    magnet = magnet_of(answer)
    want = [f"urn:btih:{torrent.v1.hex()}"] if torrent.has_v1 else []
    want += [f"urn:btmh:1220{torrent.v2.hex()}"] if torrent.has_v2 else []
    assert magnet["xt"] == want
    assert magnet["dn"] == ["ü b.bin"] and magnet["xl"] == [str(SIZE)]
    assert magnet["tr"] == [f"{server.base}/.well-known/bthttp/announce", "udp://tracker.example:6969/announce"]
    assert magnet["ws"] == [f"{server.base}/%c3%bc%20b.bin?bthttp=file", "http://one.example/pub/%c3%bc%20b.bin",
                            "https://two.example/x/%c3%bc%20b.bin"]
    assert magnet["x.pe"] == [f"{server.host}:{server.port}"]
    parsed = lt.parse_magnet_uri(answer.body.decode().strip())
    hashes = parsed.info_hashes
    assert (not torrent.has_v1 or hashes.v1.to_bytes() == torrent.v1) and (not torrent.has_v2 or hashes.v2.to_bytes() == torrent.v2)
    assert parsed.name == "ü b.bin"


def test_old_clients_get_the_v1_half_by_magnet_too(server):
    whole, old = server.torrent("/f.bin"), server.torrent("/f.bin", headers={"User-Agent": "Transmission/3.00"})
    assert whole.has_v2 and not old.has_v2 and whole.v1 != old.v1
    answer = server.get("/f.bin.magnet", {"User-Agent": "Transmission/3.00"})
    assert magnet_of(answer)["xt"] == [f"urn:btih:{old.v1.hex()}"]
    assert "User-Agent" in answer.header("Vary")
    assert f"urn:btih:{whole.v1.hex()}" in magnet_of(server.get("/f.bin.magnet"))["xt"]


@pytest.mark.parametrize("version", ["hybrid", "v1", "v2"])
def test_metalink(httpd, content, version):
    server = httpd(conf=f"BTHTTPTorrentVersion {version}\n{MIRRORS}")
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    digest_known(server)
    metalink = Metalink(server.get("/f.bin", {"X-BT-Accept": "metalink"}).body)
    assert metalink.name == "f.bin" and metalink.size == SIZE
    assert metalink.urls == {f"{server.base}/f.bin?bthttp=file": 1, "http://one.example/pub/f.bin": 2,
                             "https://two.example/x/f.bin": 3}
    assert metalink.torrents == [f"{server.base}/f.bin.torrent"]
    assert metalink.digests == {"sha-256": hashlib.sha256(content(SIZE)).hexdigest()}
    if torrent.has_v1:
        assert metalink.pieces.get("type") == "sha-1" and int(metalink.pieces.get("length")) == torrent.piece_length
        assert b"".join(bytes.fromhex(h.text) for h in metalink.pieces) == torrent.info[b"pieces"]
    else:
        assert metalink.pieces is None
    assert not [m for m in metalink.file.findall(NS + "metaurl") if "magnet" in m.text], "aria2 stalls on them"


def test_no_web_seed_leaves_the_file_as_the_last_resort(httpd, content):
    server = httpd(web_seed=False, conf="BTHTTPMirror http://one.example/")
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    urls = Metalink(server.get("/f.bin.meta4").body).urls
    assert urls[f"{server.base}/f.bin?bthttp=file"] > urls["http://one.example/f.bin"]


def test_a_hybrid_says_where_a_newer_one_is(server, content):
    for path, headers in ways("torrent"):
        assert Torrent(server.get(path, headers).body).meta[b"update-url"] == f"{server.base}/f.bin.torrent".encode()


# --- aliases


def test_aliases_can_be_had_one_by_one(httpd, content):
    server = httpd()
    everything = {"torrent": "f.bin.torrent", "magnet": "f.bin.magnet", "meta4": "f.bin.meta4", "query": "f.bin?torrent"}
    for name, line in (*((name, name) for name in everything), ("none", "none"), ("two", "magnet query")):
        server.put(f"{name}/f.bin", content(SIZE))
        server.put(f"{name}/.htaccess", f"BTHTTPAlias {line}\n".encode())
        assert form_of(server.get(f"/{name}/f.bin", {"X-BT-Accept": "torrent;wait=30"})) == "torrent"
        for alias, path in everything.items():
            answer = server.get(f"/{name}/{path}")
            assert (form_of(answer) != "file") == (alias in line.split()), (line, path)
            assert alias in line.split() or alias == "query" or answer.status == 404
        torrent = {"torrent": ["/f.bin.torrent"], "query": ["/f.bin?torrent"], "two": ["/f.bin?torrent"]}.get(name, [])
        described = {t for t, rel in links(server.get(f"/{name}/f.bin")) if rel == "describedby"}
        assert described == {f"/{name}{t}" for t in torrent + (["/f.bin.meta4"] if name == "meta4" else [])}, line
        assert Metalink(server.get(f"/{name}/f.bin", {"X-BT-Accept": "metalink"}).body).torrents == \
            [f"{server.base}/{name}{t}" for t in torrent]


def test_real_files_win(server):
    for suffix in (".magnet", ".meta4"):
        server.put("f.bin" + suffix, b"a file of its own")
        answer = server.get("/f.bin" + suffix)
        assert answer.body == b"a file of its own" and answer.header("X-BT-Status") is None
    for path in ("/none.magnet", "/none.bin.meta4", "/f.bin.magnet.meta4", "/.magnet", "/.meta4", "/f.bin.torrent.magnet"):
        assert server.get(path).status == 404, path


@pytest.mark.parametrize("form", FORMS)
def test_not_offered(httpd, content, form):
    server = httpd()
    server.put("small.bin", content(1000))
    server.put("off/f.bin", content(SIZE))
    server.put("off/.htaccess", b"BTHTTP Off\n")
    server.put("lock/f.bin", content(SIZE))
    server.put("lock/.htaccess", b"Require ip 127.0.0.1\n")
    for path, status in (("/small.bin", "too-small"), ("/off/f.bin", "off"), ("/lock/f.bin", "protected")):
        answer = server.get(path, {"X-BT-Accept": form})
        assert form_of(answer) == "file" and answer.header("X-BT-Status") == status
        assert server.get(path + FORMS[form][1]).status == 404


def test_pending(httpd):
    server = httpd(conf="BTHTTPWait 0")
    with open(server.docroot / "slow.bin", "wb") as file:
        file.truncate(40 << 30)
    for headers in ({"X-BT-Accept": "magnet"}, {"X-BT-Accept": "metalink"}, {"Accept": ARIA2}):
        answer = server.get("/slow.bin", headers, "HEAD")
        assert answer.status == 200 and answer.header("X-BT-Status").startswith("pending; progress="), headers
        assert answer.header("Content-Length") == str(40 << 30)
    for _, suffix in FORMS.values():
        answer = server.get("/slow.bin" + suffix)
        assert answer.status == 503 and int(answer.header("Retry-After")) > 0
        assert answer.header("Content-Type").startswith("text/plain") and answer.body.count(b"\n") == 1


# --- what the file says itself


def test_links_of_the_file(httpd, content):
    server = httpd(conf=MIRRORS)
    server.put("f.bin", content(SIZE))
    assert not server.get("/f.bin").header("Link")
    server.torrent("/f.bin")
    answer = server.get("/f.bin")
    assert links(answer) == {("/f.bin.torrent", "describedby"): 'type="application/x-bittorrent"',
                             ("/f.bin.meta4", "describedby"): 'type="application/metalink4+xml"',
                             ("http://one.example/pub/f.bin", "duplicate"): "pri=1",
                             ("https://two.example/x/f.bin", "duplicate"): "pri=2"}
    assert answer.header("Vary") == "X-BT-Accept" and answer.body == content(SIZE)


def test_digests(server, content):
    """As sha256sum has it, on the whole and on parts, and gone with the version of the file."""
    shown = subprocess.run(["sha256sum", server.docroot / "f.bin"], check=True, capture_output=True, text=True).stdout.split()[0]
    want = base64.b64encode(bytes.fromhex(shown)).decode()
    for headers in ({}, {"Range": "bytes=5-9"}, {"Accept-Encoding": "gzip"}):
        answer = server.get("/f.bin", headers)
        assert answer.header("Repr-Digest") == f"sha-256=:{want}:" and answer.header("Digest") == f"SHA-256={want}", headers
    server.put("f.bin", content(SIZE, 2))
    answer = server.get("/f.bin")
    assert answer.header("Repr-Digest") is None and answer.header("Digest") is None
    server.torrent("/f.bin")
    digest_known(server)
    assert server.get("/f.bin").header("Repr-Digest") == \
        f"sha-256=:{base64.b64encode(hashlib.sha256(content(SIZE, 2)).digest()).decode()}:"


def test_curl_reads_the_digest(server, box):
    run = subprocess.run(["curl", "-sS", "-D", "-", "-o", box / "out", f"{server.base}/f.bin"], check=True, capture_output=True,
                         text=True)
    line, = [line for line in run.stdout.splitlines() if line.startswith("Repr-Digest: ")]
    value = line.removeprefix("Repr-Digest: sha-256=:").rstrip(":\r")
    assert base64.b64decode(value, validate=True) == hashlib.sha256((box / "out").read_bytes()).digest()


def test_no_digest_of_what_is_coded(httpd):
    """Deflated, it is another representation; its digest nobody knows."""
    server = httpd()
    data = os.urandom(1 << 20).hex().encode()
    server.put("f.txt", data)
    server.torrent("/f.txt")
    digest_known(server, "/f.txt")
    coded = server.get("/f.txt", {"Accept-Encoding": "gzip"})
    assert coded.header("Content-Encoding") == "gzip"
    assert coded.header("Repr-Digest") is None and coded.header("Digest") is None
    assert server.get("/f.txt").header("Repr-Digest")
