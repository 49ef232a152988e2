"""Who does not ask for a torrent notices nothing: the same answers with the module on and off, save Vary, and Link
and digests once there is a torrent."""
import os
import re
import subprocess
import time

import pytest

from http11 import Connection

SIZE = 3 << 20

REQUESTS = {
    "get": ("GET", {}),
    "head": ("HEAD", {}),
    "range": ("GET", {"Range": "bytes=1000-1999"}),
    "range of the end": ("GET", {"Range": "bytes=-500"}),
    "range of everything": ("GET", {"Range": "bytes=0-"}),
    "several ranges": ("GET", {"Range": "bytes=0-99,5000-5099,-100"}),
    "range out of bounds": ("GET", {"Range": "bytes=99999999-"}),
    "bad range": ("GET", {"Range": "bytes=x-y"}),
    "head with range": ("HEAD", {"Range": "bytes=1000-1999"}),
    "if-range, same": ("GET", {"Range": "bytes=0-9", "If-Range": "ETAG"}),
    "if-range, other": ("GET", {"Range": "bytes=0-9", "If-Range": '"other"'}),
    "if-range, date": ("GET", {"Range": "bytes=0-9", "If-Range": "MODIFIED"}),
    "if-none-match, same": ("GET", {"If-None-Match": "ETAG"}),
    "if-none-match, other": ("GET", {"If-None-Match": '"other"'}),
    "if-none-match, any": ("GET", {"If-None-Match": "*"}),
    "if-match, same": ("GET", {"If-Match": "ETAG"}),
    "if-match, other": ("GET", {"If-Match": '"other"'}),
    "if-modified-since, same": ("GET", {"If-Modified-Since": "MODIFIED"}),
    "if-modified-since, old": ("GET", {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    "if-unmodified-since, old": ("GET", {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    "head, if-none-match": ("HEAD", {"If-None-Match": "ETAG"}),
    "accept-encoding": ("GET", {"Accept-Encoding": "gzip"}),
    "post": ("POST", {"Content-Length": "0"}),
    "options": ("OPTIONS", {}),
    "trace": ("TRACE", {}),
}
FILES = ["/f.bin", "/small.bin", "/page.html", "/text.txt", "/nope", "/", "/dir", "/dir/", "/f.bin?x=y"]


@pytest.fixture
def pair(httpd, content):
    """Two servers on one docroot: with the module, and without."""
    on = httpd()
    off = httpd(bthttp=False, docroot=on.docroot)
    on.put("f.bin", content(SIZE))
    on.put("small.bin", content(1000))
    on.put("page.html", b"<p>hello</p>\n" * 1000)
    on.put("text.txt", b"hello, hello, hello\n" * 100000)
    on.put("dir/index.html", b"<p>index</p>\n")
    for path in on.docroot.rglob("*.*"):
        age(path)
    return on, off


def age(path):
    """Makes a file look old: httpd's ETag of one that is younger than a second is another."""
    os.utime(path, (time.time() - 1000,) * 2)


def comparable(response, server):
    """All of a response but what must differ: Date, Link, digests, and Vary's place and X-BT-Accept in it."""
    headers = []
    vary = {v.strip() for v in (response.header("Vary") or "").split(",")} - {"X-BT-Accept", ""}
    for name, value in response.headers:
        value = re.sub(rf"\b{server.port}\b", "PORT", value)
        if name == "Content-Type" and "boundary=" in value:  # a random one, of random length
            value = value.split("boundary=")[0]
        if name == "Content-Length" and ("boundary=" in str(response.headers) or str(server.port).encode() in response.body):
            value = "LENGTH"
        if name == "Allow":  # httpd keeps methods in a hash
            value = sorted(value.split(","))
        if name not in ("Date", "Link", "Vary", "Repr-Digest", "Digest"):
            headers.append((name, value))
    body = re.sub(rb"\b%d\b" % server.port, b"PORT", response.body)
    kind = response.header("Content-Type") or ""
    if "boundary=" in kind:
        body = body.replace(kind.split("boundary=")[1].encode(), b"BOUNDARY")
    return response.version, response.status, headers, vary, body


def filled(headers, file):
    values = {"ETAG": file.header("ETag") or '"none"', "MODIFIED": file.header("Last-Modified") or "x"}
    return {name: values.get(value, value) for name, value in headers.items()}


@pytest.mark.parametrize("made", [False, True], ids=["before there is a torrent", "once there is a torrent"])
def test_the_same_answers(pair, made):
    on, off = pair
    if made:
        on.torrent("/f.bin")
        on.torrent("/text.txt")
        assert ("Link", '</f.bin.torrent>; rel="describedby"; type="application/x-bittorrent"') in on.get("/f.bin").headers
    for path in FILES:
        plain = off.get(path)
        for name, (method, headers) in REQUESTS.items():
            headers = filled(headers, plain)
            got = comparable(on.get(path, headers, method), on)
            want = comparable(off.get(path, headers, method), off)
            assert got == want, f"{name}: {method} {path} {headers}"


def test_vary_on_offered_files_only(pair):
    on, _ = pair
    assert on.get("/f.bin").header("Vary") == "X-BT-Accept"
    assert on.get("/f.bin").header("Link") is None
    for path in ("/small.bin", "/nope", "/dir/"):
        assert "X-BT-Accept" not in (on.get(path).header("Vary") or ""), path


@pytest.mark.parametrize("version,host", [("1.0", None), ("1.0", "localhost")])
def test_http_1_0(pair, version, host):
    on, off = pair
    on.torrent("/f.bin")
    for method in ("GET", "HEAD"):
        got, want = (comparable(s.get("/f.bin", {}, method, version=version, host=host), s) for s in (on, off))
        assert got == want


def test_keep_alive(pair):
    """Many requests on one connection (stock servers allow a hundred), files and torrents in turn; peeking must not disturb the later ones."""
    on, off = pair
    on.torrent("/f.bin")
    want = comparable(off.get("/f.bin", {}, keep_alive=True), off)
    with Connection((on.host, on.port)) as connection:
        for i in range(50):
            answer = connection.request("/f.bin")
            assert comparable(answer, on)[-1] == want[-1] and answer.status == 200, f"request {i}"
            assert connection.request("/f.bin", {"X-BT-Accept": "torrent"}).header("Content-Type") == "application/x-bittorrent"


def test_two_requests_in_one_segment(pair):
    on, _ = pair
    with Connection((on.host, on.port)) as connection:
        connection.socket.sendall(b"GET /small.bin HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        first, second = connection.response(), connection.response()
        assert first.body == second.body and first.status == second.status == 200


def curl_http2(server, path, *options):
    run = subprocess.run(["curl", "-sSk", "--http2", "-D", "-", *options,
                          f"https://127.0.0.1:{server.tls_port}{path}"], check=True, capture_output=True)
    head, _, body = run.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return lines[0].strip(), dict(line.split(": ", 1) for line in lines[1:] if ": " in line), body


def test_http_2(httpd, content, tls):
    on = httpd(tls=tls, modules=["http2"], conf="Protocols h2 http/1.1")
    off = httpd(tls=tls, modules=["http2"], conf="Protocols h2 http/1.1", bthttp=False, docroot=on.docroot)
    age(on.put("f.bin", content(SIZE)))
    torrent = on.torrent("/f.bin")
    for options in ([], ["-r", "1000-1999"], ["-H", 'If-None-Match: "other"']):
        answers = []
        for server in (on, off):
            status, headers, body = curl_http2(server, "/f.bin", *options)
            assert status.startswith("HTTP/2"), status
            headers = {k: v for k, v in headers.items() if k not in ("date", "link", "vary", "repr-digest", "digest")}
            answers.append((status, headers, body))
        assert answers[0] == answers[1], options
    status, headers, body = curl_http2(on, "/f.bin", "-H", "X-BT-Accept: torrent")
    assert status.startswith("HTTP/2 200") and headers["content-type"] == "application/x-bittorrent"
    assert headers["content-length"] == str(len(body)) and torrent.infodict in body
    status, headers, _ = curl_http2(on, "/f.bin", "-I", "-H", "X-BT-Accept: torrent")  # prints the headers twice
    assert headers["content-type"] == "application/x-bittorrent" and headers["content-length"] == str(len(body))


def test_many_streams_of_http_2(httpd, content, tls):
    server = httpd(tls=tls, modules=["http2"], conf="Protocols h2 http/1.1")
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    url = f"https://127.0.0.1:{server.tls_port}/f.bin"
    run = subprocess.run(["h2load", "-n", "60", "-c", "3", "-m", "10", "-H", "X-BT-Accept: torrent", url], capture_output=True,
                         text=True, check=True)
    assert "60 succeeded, 0 failed" in run.stdout, run.stdout
