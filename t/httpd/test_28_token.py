"""Private trackers: tokens in announce URLs (BTHTTPAnnounceToken, Require bthttp-token), and credentials in them."""
import base64
import hashlib
import hmac
import re
import socket
import subprocess
import time
from urllib.parse import quote, urlsplit

import pytest

from bencode import decode
from clients import Aria2, Libtorrent, Rtorrent, loopback_address
from http11 import Connection
from httpd import WELL_KNOWN, peers_of
from udp_tracker import Refused, UdpTracker, free_udp_port
from waiting import wait_for

SIZE = 2 << 20
SECRET = "correct horse battery staple"
REQUIRE = f'<LocationMatch "^{WELL_KNOWN}/(announce|scrape)">\nRequire bthttp-token\n</LocationMatch>\n'
CONF = f'BTHTTPAnnounceToken "{SECRET}"\n' + REQUIRE
DENIED = "AH01630: client denied by server configuration: bthttp:(announce|scrape)$"


def make_token(*hashes, expires=None, secret=SECRET):
    """As docs/protocol.md says, by other means than the module's."""
    expires = int(expires if expires is not None else time.time() + 3600)
    macs = [hmac.new(secret.encode(), b"bthttp-announce\0" + expires.to_bytes(8, "big") + h, hashlib.sha256).digest()[:16]
            for h in hashes]
    return ".".join([str(expires), *(base64.urlsafe_b64encode(m).decode().rstrip("=") for m in macs)])


def path_of(torrent):
    return urlsplit(torrent.meta[b"announce"].decode()).path


def token_of(torrent):
    return path_of(torrent).split("/")[-1]


def ask(server, path, *hashes, port=7000, **options):
    query = "&".join(f"info_hash={quote(h, safe='')}" for h in hashes)
    response = server.get(f"{path}?{query}&peer_id=-XX0001-abcdefghijkl&port={port}&left=1&compact=1", **options)
    assert response.status == 200, response
    assert response.header("Content-Type") == "text/plain"
    assert response.header("Content-Length") == str(len(response.body))
    return decode(response.body)


def announce(server, token, *hashes, **options):
    return ask(server, f"{WELL_KNOWN}/announce{'/' + token if token else ''}", *hashes, **options)


def scrape(server, token, *hashes):
    return ask(server, f"{WELL_KNOWN}/scrape{'/' + token if token else ''}", *hashes)


@pytest.fixture
def private(httpd, content):
    server = httpd(conf=CONF, web_seed=False)
    server.expect(DENIED)
    return server.publish(content(SIZE))


def test_torrents_carry_a_token_and_have_the_same_info_hash(private, httpd, content):
    plain = httpd()
    plain.put("f.bin", content(SIZE))
    made = plain.torrent("/f.bin")
    assert private.made.infodict == made.infodict and path_of(made) == f"{WELL_KNOWN}/announce"
    assert re.fullmatch(rf"{WELL_KNOWN}/announce/\d{{10}}(\.[\w-]{{22}}){{3}}", path_of(private.made))
    week = 7 * 24 * 3600
    assert week - 5 < int(token_of(private.made).split(".")[0]) - time.time() <= week * 9 / 8 + 5
    assert quote(token_of(private.made), safe="") in private.magnet("/f.bin")
    asked = private.get("/f.bin", {"X-BT-Accept": "torrent"})
    assert decode(asked.body)[b"announce"] == private.made.meta[b"announce"]


def test_who_has_it_is_let_in(private):
    token = token_of(private.made)
    for info_hash in (private.made.v1, private.made.v2[:20]):
        assert (private.host, private.port) in peers_of(announce(private, token, info_hash))
        assert scrape(private, token, info_hash)[b"files"][info_hash][b"complete"] == 1
    assert set(scrape(private, token, private.made.v1, private.made.v2[:20])[b"files"]) == {private.made.v1, private.made.v2[:20]}
    assert private.status()["announces"]["http"]["token"] == 0


def test_the_form_is_open_to_others(private):
    """Who knows the secret makes tokens, as the documentation says."""
    for hashes in ([private.made.v1], [b"x" * 20, private.made.v1], [b"x" * 20] * 3 + [private.made.v1]):
        assert b"peers" in announce(private, make_token(*hashes), private.made.v1)


REFUSED = {
    "no token": (lambda t: "", "no token"),
    "an empty one": (lambda t: "/", "no token"),
    "none at all": (lambda t: "announce", "no token"),
    "of another torrent": (lambda t: make_token(b"x" * 20), "not for this torrent"),
    "of another secret": (lambda t: make_token(t.v1, secret=SECRET[::-1]), "not for this torrent"),
    "with another time": (lambda t: re.sub(r"^\d+", lambda m: str(int(m.group()) + 1), make_token(t.v1)), "not for this torrent"),
    "expired": (lambda t: make_token(t.v1, expires=time.time() - 1), "has expired"),
    "long expired": (lambda t: make_token(t.v1, expires=0), "has expired"),
    "cut short": (lambda t: make_token(t.v1)[:-1], "no token"),
    "very long": (lambda t: make_token(*[t.v1] * 40), "no token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_has_none_gets_an_answer_that_clients_understand(private, case):
    make, reason = REFUSED[case]
    token = make(private.made)
    for answer in (announce(private, token, private.made.v1), scrape(private, token, private.made.v1)):
        assert reason in answer[b"failure reason"].decode()
        assert answer[b"interval"] > 0 and answer[b"retry in"] == b"never" and b"peers" not in answer
    status = private.status()
    assert status["announces"]["http"]["token"] == 1, "scrapes are not counted"
    assert status["tracker_swarms"] == 0
    wait_for("the log", lambda: sum(" 200 " in line and " token " in line for line in private.accesses()) == 2)


def test_no_other_hash_goes_in_with_it(private, content):
    private.put("g.bin", content(SIZE, 2))
    other = private.torrent("/g.bin")
    token = token_of(private.made)
    for hashes in ([other.v1], [private.made.v1, other.v1], [other.v1, private.made.v1], [], [b"short", private.made.v1]):
        for answer in (announce(private, token, *hashes), scrape(private, token, *hashes)):
            assert b"failure reason" in answer, hashes
    assert private.status()["tracker_swarms"] == 0


def test_a_refusal_leaves_the_connection(private):
    """HEAD, POST, HTTP/1.0, and the next request after it."""
    path = f"{WELL_KNOWN}/announce?info_hash={quote(private.made.v1, safe='')}&peer_id=-XX0001-abcdefghijkl&port=1"
    with Connection((private.host, private.port)) as connection:
        for _ in range(3):
            assert b"failure reason" in decode(connection.request(path).body)
            answer = connection.request(path.replace("announce?", f"announce/{token_of(private.made)}?"))
            assert b"peers" in decode(answer.body)
    head = private.get(path, method="HEAD")
    assert head.status == 200 and head.body == b""
    assert head.header("Content-Length") == str(len(private.get(path).body))
    assert b"failure reason" in private.get(path, version="1.0").body
    assert "WWW-Authenticate" not in str(private.get(path))


@pytest.mark.parametrize("document", ['"no entry"', "/f.bin", "http://other.example/"])
def test_error_documents_are_for_people(httpd, content, document):
    server = httpd(conf=f"{CONF}ErrorDocument 403 {document}\n")
    server.expect(DENIED)
    server.put("f.bin", content(SIZE))
    assert b"failure reason" in announce(server, "", server.torrent("/f.bin").v1)


def test_with_other_requirements(httpd, content):
    """One of several, or one of all; what others refuse is httpd's own answer, and a challenge stays one."""
    users = (f'AuthType Basic\nAuthName "x"\nAuthUserFile "{{dir}}/users"\n<RequireAny>\nRequire bthttp-token\nRequire valid-user\n'
             "</RequireAny>\n")
    server = httpd(start=False)
    server.expect("AH01630|AH01617|AH01618|AH01631")
    digest = subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True).stdout
    (server.dir / "users").write_text(f"ann:{digest}")
    (server.dir / "users").chmod(0o644)
    locations = {"users": users.format(dir=server.dir), "all": "Require bthttp-token\nRequire ip 127.9.0.0/16\n",
                 "any": "<RequireAny>\nRequire bthttp-token\nRequire ip 127.9.0.0/16\n</RequireAny>\n",
                 "both": "<RequireAll>\nRequire bthttp-token\nRequire ip 127.9.0.0/16\n</RequireAll>\n",
                 "not": "<RequireAll>\nRequire bthttp-token\nRequire not ip 127.9.0.0/16\n</RequireAll>\n"}
    server.write_conf(f'BTHTTPAnnounceToken "{SECRET}"\n' + "".join(
        f'<Location "/{name}">\nSetHandler bthttp-announce\n{rules}</Location>\n' for name, rules in locations.items()))
    server.start()
    server.put("f.bin", content(SIZE))
    made = server.torrent("/f.bin")
    token, near = token_of(made), {"source": "127.9.0.1"}
    query = f"?info_hash={quote(made.v1, safe='')}&peer_id=-XX0001-abcdefghijkl&port=1&left=1"
    login = {"Authorization": "Basic " + base64.b64encode(b"ann:secret").decode()}
    for path in ("/users/" + token, "/any/" + token, "/all/" + token, "/not/" + token):
        assert b"peers" in decode(server.get(path + query).body), path
    for path, options in (("/any", near), ("/both/" + token, near), ("/users", {"headers": login})):
        assert b"peers" in decode(server.get(path + query, **options).body), path
    for path, options in (("/any", {}), ("/both", near), ("/not", {}), ("/any/" + make_token(b"x" * 20), {})):
        assert b"failure reason" in decode(server.get(path + query, **options).body), path
    assert server.get("/users" + query).status == 401
    for path, options in (("/both/" + token, {}), ("/not/" + token, near)):
        assert server.get(path + query, **options).status == 403, path


def test_only_the_tracker_takes_tokens(httpd, content):
    server = httpd(conf=CONF + '<Location "/lock">\nRequire bthttp-token\n</Location>\n')
    server.expect("AH01630")
    server.put("lock/f.bin", content(SIZE))
    server.put("f.bin", content(SIZE))
    token = token_of(server.torrent("/f.bin"))
    assert server.get("/lock/f.bin").status == 403
    assert server.get(f"/lock/{token}?info_hash=x").status == 403
    for path in ("status.json/" + token, "metrics/" + token, f"announce/{token}/x", "announcement"):
        assert server.get(f"{WELL_KNOWN}/{path}").status in (403, 404), path


def test_without_the_directive_tokens_are_passed_over(httpd, content):
    """Torrents that were given out while there were tokens."""
    server = httpd()
    server.put("f.bin", content(SIZE))
    made = server.torrent("/f.bin")
    assert b"peers" in announce(server, make_token(made.v1), made.v1)


def test_secrets_from_a_file_change_without_losing_anybody(httpd, content):
    server = httpd(start=False, conf=f"BTHTTPAnnounceToken file:secrets 2h\n{REQUIRE}")
    server.expect(DENIED)
    (server.dir / "secrets").write_text("the first secret\n")
    server.start()
    server.put("f.bin", content(SIZE))
    made = server.torrent("/f.bin")
    assert 7200 - 5 < int(token_of(made).split(".")[0]) - time.time() <= 8100 + 5
    assert b"peers" in announce(server, make_token(made.v1, secret="the first secret"), made.v1)
    (server.dir / "secrets").write_text("the second secret\r\n\nthe first secret")
    server.graceful()
    assert b"peers" in announce(server, token_of(made), made.v1)
    wait_for("tokens by the second secret", lambda: b"peers" in announce(
        server, make_token(made.v1, secret="the second secret"), made.v1))
    later = wait_for("torrents with them", lambda: (t := server.torrent("/f.bin")) and token_of(t) != token_of(made) and t)
    (server.dir / "secrets").write_text("the second secret")
    server.graceful()
    wait_for("the end of the first one", lambda: b"failure reason" in announce(server, token_of(made), made.v1))
    assert b"peers" in announce(server, token_of(later), made.v1)


@pytest.mark.parametrize("text", [None, b"", b"\n\n", b"short\n", b"a\0" * 20, b"long enough for one\n" * 5, b"x" * 5000])
def test_a_file_without_good_secrets_stops_the_start(httpd, text):
    server = httpd(start=False, conf="BTHTTPAnnounceToken file:secrets")
    if text is not None:
        (server.dir / "secrets").write_bytes(text)
    run = server.command("-t")
    assert run.returncode != 0 and "BTHTTPAnnounceToken: " in run.stderr and f"of {server.conf}:" in run.stderr, run.stderr


def test_a_requirement_without_a_secret_stops_the_start(httpd):
    server = httpd(start=False, conf=REQUIRE)
    run = server.command("-t")
    assert run.returncode != 0 and "BTH0070" in run.stderr and f"of {server.conf}" in run.stderr, run.stderr
    server.write_conf(f"{CONF}\nBTHTTPAnnounceToken off\n")
    assert "BTH0070" in server.command("-t").stderr
    server.write_conf(CONF.replace("bthttp-token", "bthttp-token ann"))
    assert "takes no arguments" in server.command("-t").stderr


def test_caches_ask_again_and_get_the_same(private):
    """For a while the torrent is the same, but nobody keeps one longer than its token."""
    answer = private.get("/f.bin.torrent")
    assert answer.header("Cache-Control") == "no-cache"
    etag = answer.header("ETag")
    assert private.get("/f.bin.torrent", {"If-None-Match": etag}).status == 304
    step = 7 * 24 * 3600 // 8
    minted = (int(time.time()) - int(time.time()) % step)
    before = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(minted - 1))
    assert private.get("/f.bin.torrent", {"If-Modified-Since": before}).status == 200
    assert private.get("/f.bin.meta4").header("Cache-Control") is None, "it names no tracker"


# --- over UDP -----------------------------------------------------------------


def url_option(path):
    data = path.encode()
    return b"".join(bytes([2, len(part)]) + part for part in (data[i:i + 255] for i in range(0, len(data), 255)))


@pytest.fixture
def both(httpd, content):
    server = httpd(start=False, web_seed=False)
    server.udp, server.near = free_udp_port(), loopback_address()
    server.write_conf(f"{CONF}BTHTTPTrackerUDP {server.udp}\nListen {server.near}:{server.port}\n")
    server.expect(DENIED)
    server.start()
    return server.publish(content(SIZE))


def test_udp_takes_the_token_of_the_url(both):
    """BEP 41; there is no Require over UDP, so that a token is always needed where there are any."""
    made, token = both.made, token_of(both.made)
    assert [f"udp://127.0.0.1:{both.udp}/announce/{token}".encode()] in made.meta[b"announce-list"]
    with UdpTracker("127.0.0.1", both.udp) as tracker:
        for info_hash in (made.v1, made.v2[:20]):
            for path in (f"/announce/{token}", f"/announce/{token}?x=/y", f"/x/{make_token(info_hash)}"):
                assert tracker.announce(info_hash, more=url_option(path))["peers"] == {(both.host, both.port)}
        swarms = both.status()["tracker_swarms"]
        for path, reason in (("", "no token"), ("/announce", "no token"), (f"/announce/{make_token(b'x' * 20)}", "not for this"),
                             (f"/announce/{make_token(made.v1, expires=5)}", "expired"), (f"/announce?{token}", "no token")):
            with pytest.raises(Refused, match=reason):
                tracker.announce(made.v1, more=url_option(path) if path else b"")
            with pytest.raises(Refused, match="no token|not for this"):  # and nothing is said of what is published
                tracker.announce(b"u" * 20, more=url_option(path) if path else b"")
        assert tracker.scrape(made.v1) == [(0, 0, 0)], "scrapes carry no URL"
    status = both.status()
    assert status["tracker_swarms"] == swarms
    assert status["announces"]["udp"]["token"] == 10 and status["announces"]["udp"]["ok"] == 6


# --- real clients -------------------------------------------------------------


def only_tracker(torrent, kind):
    """Its announce URLs of one kind."""
    urls = [url.decode() for tier in torrent.meta.get(b"announce-list", [[torrent.meta[b"announce"]]]) for url in tier]
    return [{"url": url, "tier": 0} for url in urls if url.startswith(kind)]


@pytest.mark.parametrize("kind", ["http:", "udp:"])
def test_libtorrents_meet(both, box, content, kind):
    """Two that know of each other by the tracker alone. Each asks at another address of it: libtorrent has one store of connection ids
    for all sessions of a process, and an id is good for the address alone that it was given to."""
    with Libtorrent(box, "a") as a, Libtorrent(box, "b") as b:
        for client, host in (a, both.near), (b, both.host):
            torrent = both.torrent("/f.bin", address=(host, both.port))
            client.add(torrent, tracker=False)
            client.handle.replace_trackers(only_tracker(torrent, kind))
            client.wait()
            assert client.file.read_bytes() == content(SIZE)
        form = both.status()["announces"][kind.rstrip(":")]
        assert form["ok"] >= 2 and form["token"] == 0


def test_a_libtorrent_without_a_token_is_told_why(private, box):
    with Libtorrent(box) as client:
        client.add(private.made, tracker=False)
        client.handle.replace_trackers([{"url": f"{private.base}{WELL_KNOWN}/announce", "tier": 0}])
        wait_for("the reason", lambda: any("no token" in str(e.get("message", "")) for t in client.handle.trackers()
                                           for e in [t, *[h for x in t["endpoints"] for h in x["info_hashes"]]]))


def test_aria2_with_a_token(private, box, content):
    """It gets a hybrid's v1 half, whose token is of that half's info-hash."""
    with Aria2(box, f"{private.base}/f.bin") as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    announces = private.status()["announces"]["http"]
    assert announces["ok"] >= 1 and announces["token"] == 0


def test_aria2_that_was_given_the_hybrid(private, box, content):
    """It announces the hash that it makes of it."""
    path = box / "f.torrent"
    path.write_bytes(private.made.data)
    with Aria2(box, str(path), file="f.bin") as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    announces = private.status()["announces"]["http"]
    assert announces["ok"] >= 1 and announces["token"] == 0


def test_rtorrent_with_a_token(private, box, content):
    with Rtorrent(box, private.made) as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    announces = private.status()["announces"]["http"]
    assert announces["ok"] >= 1 and announces["token"] == 0


@pytest.fixture
def with_password(httpd, content):
    """The announce URL with its credentials is one of BTHTTPAnnounce, for ours without them is left out."""
    server = httpd(start=False, web_seed=False)
    digest = subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True).stdout
    (server.dir / "users").write_text(f"ann:{digest}")
    (server.dir / "users").chmod(0o644)
    server.url = f"http://ann:secret@127.0.0.1:{server.port}{WELL_KNOWN}/announce"
    server.write_conf(f'BTHTTPAnnounce none {server.url}\n<LocationMatch "^{WELL_KNOWN}/(announce|scrape)">\nAuthType Basic\n'
                      f'AuthName "x"\nAuthUserFile "{server.dir}/users"\nRequire valid-user\n</LocationMatch>')
    server.start()
    return server.publish(content(SIZE))


@pytest.mark.parametrize("client", [Libtorrent, Aria2, Rtorrent])
def test_credentials_in_the_announce_url(with_password, box, content, client):
    server = with_password
    assert server.made.meta[b"announce"].decode() == server.url
    assert server.get(f"{WELL_KNOWN}/announce?info_hash=x").status == 401
    start = {Libtorrent: lambda: Libtorrent(box).add(server.made), Aria2: lambda: Aria2(box, f"{server.base}/f.bin"),
             Rtorrent: lambda: Rtorrent(box, server.made)}[client]
    with start() as running:
        running.wait()
        assert running.file.read_bytes() == content(SIZE)
    assert server.status()["announces"]["http"]["ok"] >= 1
