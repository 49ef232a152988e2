"""The tracker over HTTP, as real clients and odd ones ask it."""
import contextlib
import fcntl
import socket
import threading
from urllib.parse import quote

import pytest

from bencode import decode
from http11 import Connection
from httpd import WELL_KNOWN, peers_of
from waiting import wait_for

SIZE = 2 << 20
OTHERS = [f"127.9.{i // 256}.{i % 256 + 1}" for i in range(300)]


@pytest.fixture
def server(httpd, content):
    server = httpd()
    server.put("f.bin", content(SIZE))
    server.made = server.torrent("/f.bin")
    return server


def ask(server, query, path="announce", **options):
    response = server.get(f"{WELL_KNOWN}/{path}?{query}", **options)
    assert response.status == 200, response
    assert response.header("Content-Type").startswith("text/plain")
    assert response.header("Content-Length") == str(len(response.body))
    return decode(response.body)


def base(server):
    return f"info_hash={quote(server.made.hash, safe='')}&peer_id=-XX0001-abcdefghijkl"


def test_a_leecher_gets_the_server_itself(server):
    answer = server.announce(server.made.hash, port=7001)
    assert (server.host, server.port) in peers_of(answer)
    assert answer[b"complete"] == 1 and answer[b"incomplete"] == 1
    assert answer[b"interval"] > 0 and 0 < answer[b"min interval"] <= answer[b"interval"]


def test_both_hashes_of_a_hybrid(server):
    first = server.announce(server.made.v1, port=7001)
    second = server.announce(server.made.v2[:20], port=7002, source=OTHERS[0])
    assert (server.host, server.port) in peers_of(first) & peers_of(second)
    assert (OTHERS[0], 7002) not in peers_of(server.announce(server.made.v1, port=7003)), "two swarms, never mixed"


def test_the_port_that_was_reached(httpd, content, tls):
    server = httpd(tls=tls)
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    answer = server.announce(torrent.hash, address=(server.host, server.tls_port), tls=True)
    assert peers_of(answer) == {(server.host, server.tls_port)}


def test_peers_find_each_other(server):
    for i in range(5):
        server.announce(server.made.hash, port=7000 + i, source=OTHERS[i], peer_id=b"-XX0001-%012d" % i)
    answer = server.announce(server.made.hash, port=7100, source=OTHERS[50], peer_id=b"-XX0001-000000000050")
    assert peers_of(answer) == {(OTHERS[i], 7000 + i) for i in range(5)} | {(server.host, server.port)}
    assert answer[b"incomplete"] == 6


def test_nobody_is_given_itself(server):
    for _ in range(3):
        answer = server.announce(server.made.hash, port=7000, source=OTHERS[0])
        assert (OTHERS[0], 7000) not in peers_of(answer)


def test_seeds_are_not_given_to_seeds(server):
    server.announce(server.made.hash, port=7000, left=0, source=OTHERS[0], peer_id=b"-XX0001-000000000000")
    answer = server.announce(server.made.hash, port=7001, left=0, source=OTHERS[1], peer_id=b"-XX0001-000000000001")
    assert peers_of(answer) == set() and b"peers" in answer
    answer = server.announce(server.made.hash, port=7002, source=OTHERS[2], peer_id=b"-XX0001-000000000002")
    assert {(OTHERS[0], 7000), (OTHERS[1], 7001)} < peers_of(answer)
    assert answer[b"complete"] == 3


def test_events(server):
    me = {"port": 7000, "source": OTHERS[0]}
    server.announce(server.made.hash, raw="&event=started", **me)
    assert scrape(server)[b"incomplete"] == 1
    for _ in range(2):  # counted once
        server.announce(server.made.hash, left=0, raw="&event=completed", **me)
    assert scrape(server) == {b"complete": 2, b"incomplete": 0, b"downloaded": 1, b"downloaders": 0}
    for event in ("paused", "", "unknown"):
        server.announce(server.made.hash, left=0, raw=f"&event={event}", **me)
    server.announce(server.made.hash, left=0, raw="&event=stopped", **{**me, "port": 0})
    server.announce(server.made.hash, left=0, raw="&event=stopped", **me)
    assert scrape(server)[b"complete"] == 1


def scrape(server):
    return server.scrape(server.made.hash)[b"files"][server.made.hash]


def test_scrape(server):
    unknown = b"u" * 20
    answer = server.scrape(server.made.v1, server.made.v2[:20], unknown)
    assert answer[b"files"][server.made.v1] == {b"complete": 1, b"incomplete": 0, b"downloaded": 0, b"downloaders": 0}
    assert answer[b"files"][server.made.v2[:20]][b"complete"] == 1
    assert unknown not in answer[b"files"]
    before = server.status()["tracker_swarms"]
    server.scrape(*[bytes([i]) * 20 for i in range(100)])
    assert server.status()["tracker_swarms"] == before


def test_failures_are_dictionaries(server):
    known = quote(server.made.hash, safe="")
    for query in ("", "info_hash=short", "peer_id=-XX0001-abcdefghijkl&port=1",
                  base(server) + "&port=70000", base(server) + "&port=x", base(server) + "&port=-1",
                  f"info_hash={known}%00&peer_id=-XX0001-abcdefghijkl&port=1"):
        answer = ask(server, query)
        assert b"failure reason" in answer, query
        assert answer[b"interval"] > 0 and b"peers" not in answer


def test_unknown_hash(server):
    answer = server.announce(b"u" * 20)
    assert b"failure reason" in answer and b"retry in" in answer


def test_raw_hash_bytes(server):
    """Literal bytes, hex digits of either case: all the same."""
    for code in (lambda b: f"%{b:02x}", lambda b: f"%{b:02X}"):
        query = "info_hash=" + "".join(map(code, server.made.hash)) + "&peer_id=-XX0001-abcdefghijkl&port=1&left=1"
        assert b"peers" in ask(server, query)
    literal = "".join(chr(b) if chr(b).isalnum() or chr(b) in "+-._~" else f"%{b:02x}" for b in server.made.hash)
    assert b"peers" in ask(server, f"info_hash={literal}&peer_id=-XX0001-abcdefghijkl&port=1&left=1")


@pytest.mark.parametrize("left,seed", [("", False), ("&left=16384", False), ("&left=4294967296", False),
                                       ("&left=9223372036854775807", False), ("&left=0", True)])
def test_left(server, left, seed):
    ask(server, base(server) + "&port=7000" + left)
    assert scrape(server)[b"incomplete"] == (0 if seed else 1)


@pytest.mark.parametrize("query", ["&numwant=-1", "&numwant=0", "&numwant=10000", "&compact=0", "&compact=1&no_peer_id=1",
                                   "&key=x&trackerid=y&supportcrypto=1&requirecrypto=1", "&ip=192.0.2.7&ipv4=192.0.2.8",
                                   "&ipv6=2001%3adb8%3a%3a9", "&corrupt=0&redundant=0"])
def test_peers_are_always_there(server, query):
    answer = ask(server, base(server) + "&port=7000&left=1" + query)
    assert b"peers" in answer
    again = server.announce(server.made.hash, port=7001, source=OTHERS[1], peer_id=b"-XX0001-000000000001")
    assert not {ip for ip, _ in peers_of(again)} & {"192.0.2.7", "192.0.2.8"}, "nobody speaks for another address"


def test_numwant(server):
    for i in range(250):
        server.announce(server.made.hash, port=7000, source=OTHERS[i], peer_id=b"-XX0001-%012d" % i, keep_alive=False)
    me = {"port": 7000, "source": OTHERS[299], "peer_id": b"-XX0001-000000000299"}
    assert len(peers_of(server.announce(server.made.hash, raw="&numwant=0", **me))) == 0
    assert len(peers_of(server.announce(server.made.hash, raw="&numwant=10", **me))) == 10
    assert len(peers_of(server.announce(server.made.hash, **me))) == 50
    assert len(peers_of(server.announce(server.made.hash, raw="&numwant=99999", **me))) == 200
    seen = set()
    for _ in range(12):
        seen |= peers_of(server.announce(server.made.hash, **me))
    assert len(seen) > 150, "others get their turn"


def test_intervals(server):
    """Short for the first ones, longer as the swarm grows, and spread; a seed need not come so soon."""
    first = server.announce(server.made.hash, port=7000, source=OTHERS[0])
    assert 270 <= first[b"interval"] <= 400 and first[b"min interval"] == 60
    seed = server.announce(server.made.hash, port=7001, left=0, source=OTHERS[0])
    assert 1620 <= seed[b"interval"] <= 1980
    told = [server.announce(server.made.hash, port=7000, source=OTHERS[i], keep_alive=False)[b"interval"] for i in range(90)]
    assert all(1620 <= interval <= 1980 for interval in told[50:])
    assert len(set(told[50:])) > 20
    again = [server.announce(server.made.hash, port=7000, source=OTHERS[70])[b"interval"] for _ in range(3)]
    assert again == [told[70]] * 3
    server.write_conf("BTHTTPTrackerInterval 10s")
    server.graceful()
    wait_for("the shorter interval", lambda: server.announce(server.made.hash, port=7000)[b"interval"] in range(9, 12))


def test_under_load_peers_are_told_to_come_later(httpd, content):
    server = httpd(mpm="event", conf="ThreadsPerChild 5\nStartServers 2\nMaxRequestWorkers 10")
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    server.expect("AH10159|AH00484")  # near or at MaxRequestWorkers
    assert server.announce(torrent.hash)[b"interval"] < 400
    with contextlib.ExitStack() as stack:
        for _ in range(8):  # half a request each holds a worker
            half = stack.enter_context(socket.create_connection((server.host, server.port)))
            half.sendall(b"GET / HTTP/1.1\r\nHost: example")
        answer = wait_for("longer intervals", lambda: (told := server.announce(torrent.hash))[b"interval"] > 900 and told)
        assert answer[b"min interval"] > 60
        assert server.status()["http_load"] > 50
    wait_for("shorter ones", lambda: server.announce(torrent.hash)[b"interval"] < 400)


def test_not_compact(server):
    answer = ask(server, base(server) + "&port=7000&left=1&compact=0")
    if isinstance(answer[b"peers"], list):
        assert {(p[b"ip"].decode(), p[b"port"]) for p in answer[b"peers"]} == {(server.host, server.port)}


def test_ipv6(httpd, content):
    server = httpd(start=False)
    server.write_conf(f"Listen [::1]:{server.port}")
    server.start()
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    answer = server.announce(torrent.hash, address=("::1", server.port))
    assert answer[b"peers6"] == socket.inet_pton(socket.AF_INET6, "::1") + server.port.to_bytes(2, "big")
    assert answer[b"peers"] == b""
    from wire import Peer
    with Peer(("::1", server.port), torrent.hash) as peer:
        peer.interest().piece(torrent, 0)


def test_an_answer_says_nothing_of_torrents(server):
    """aria2 sends the user's headers to trackers, too."""
    response = server.get(f"{WELL_KNOWN}/announce?{base(server)}&port=7001&left=1", headers={"X-BT-Accept": "torrent"})
    assert response.status == 200 and decode(response.body)[b"peers"]
    assert response.header("X-BT-Status") is None


def test_choices_are_random(server):
    """With more peers than are wanted, hardly any two answers are alike."""
    for host in OTHERS[:60]:
        server.announce(server.made.hash, port=7001, source=host)
    answers = {frozenset(peers_of(ask(server, base(server) + "&port=7000&left=1&numwant=10"))) for _ in range(20)}
    assert len(answers) > 15


def test_http_1_0_and_one_write(server):
    query = base(server) + "&port=7000&left=1"
    answer = server.get(f"{WELL_KNOWN}/announce?{query}", version="1.0", host=None)
    assert answer.status == 200 and b"peers" in decode(answer.body)
    assert answer.header("Connection") in (None, "close")


def test_keep_alive(server):
    with Connection((server.host, server.port)) as connection:
        for i in range(20):
            answer = connection.request(f"{WELL_KNOWN}/announce?{base(server)}&port=7000&left={i}")
            assert b"peers" in decode(answer.body)


def test_access_control_and_other_places(httpd, content):
    server = httpd(conf='BTHTTPPath "/bt"\n<Location "/track">\nSetHandler bthttp-announce\n</Location>\n'
                        '<Location "/bt/scrape">\nRequire all denied\n</Location>\nBTHTTPAnnounce http://other.example/announce')
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    assert torrent.meta[b"announce"].endswith(b"/bt/announce")
    assert [b"http://other.example/announce"] in torrent.meta[b"announce-list"]
    query = f"info_hash={quote(torrent.hash, safe='')}&peer_id=-XX0001-abcdefghijkl&port=7000&left=1"
    for path in ("/bt/announce", "/track"):
        assert b"peers" in decode(server.get(f"{path}?{query}").body)
    server.expect("AH01630")
    assert server.get(f"/bt/scrape?{query}").status == 403
    assert server.get(f"{WELL_KNOWN}/announce?{query}").status == 404


def test_tracker_off(httpd, content):
    server = httpd(conf="BTHTTPTracker off\nBTHTTPAnnounce http://other.example/announce")
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    assert torrent.meta[b"announce"] == b"http://other.example/announce"
    assert server.get(f"{WELL_KNOWN}/announce?info_hash=x").status == 404


def test_swarms_survive_graceful_and_restart(server):
    server.announce(server.made.hash, port=7000, source=OTHERS[0])
    for restart in (server.graceful, lambda: (server.stop(), server.start())):
        restart()
        answer = server.announce(server.made.hash, port=7001, source=OTHERS[1], peer_id=b"-XX0001-000000000001")
        assert (OTHERS[0], 7000) in peers_of(answer)


def test_after_a_reload_announces_do_not_wait_for_the_disk(httpd, content):
    """Each torrent is tested anew, and one thread writes that down for all: here it cannot, for another process writes."""
    server = httpd()
    torrents = []
    for i in range(8):
        server.put(f"{i}.bin", content(SIZE, i))
        torrents.append(server.torrent(f"/{i}.bin"))
    answered = []
    with open(server.state_dir / "catalog.lock", "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX, 1, 2)  # the byte of those who write
        server.graceful()
        threads = [threading.Thread(target=lambda torrent=torrent: answered.append(server.announce(torrent.hash))) for torrent in torrents]
        for thread in threads:
            thread.start()
        wait_for("all answers but that of the thread that writes", lambda: len(answered) >= len(torrents) - 1)
    for thread in threads:
        thread.join()
    assert len(answered) == len(torrents) and all(b"peers" in answer for answer in answered)


def test_memory_is_bounded(httpd, content):
    """Far more peers than the least table holds: random ones give way, and every announce is answered."""
    server = httpd(conf="BTHTTPTrackerMemory 1M", level="warn")
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    with Connection((server.host, server.port)) as connection:
        for i in range(60):
            query = f"info_hash={quote(torrent.hash, safe='')}&peer_id=-XX0001-{i:012d}&port={1000 + i}&left=1&compact=1"
            answer = decode(connection.request(f"{WELL_KNOWN}/announce?{query}").body)
            assert (server.host, server.port) in peers_of(answer)
    totals = server.status()
    assert totals["tracker_memory_used"] <= totals["tracker_memory_size"] <= 1 << 20


@pytest.mark.parametrize("path", ["announce", "scrape", "status.json"])
def test_only_get_and_head(httpd, path):
    response = httpd().get(f"/.well-known/bthttp/{path}", {"Content-Length": "0"}, "POST")
    assert response.status == 405
    assert {"GET", "HEAD"} <= set(response.header("Allow").replace(" ", "").split(","))
