"""The tracker over HTTP, as real clients and odd ones ask it."""
import contextlib
import fcntl
import socket
import threading
from urllib.parse import quote

import pytest

from announce_http import OTHERS, base
from bencode import decode
from http11 import Connection
from httpd import WELL_KNOWN, peers_of
from waiting import wait_for

SIZE = 2 << 20


@pytest.fixture
def server(httpd, content):
    return httpd().publish(content(SIZE))


def test_a_leecher_gets_the_server_itself(server):
    answer = server.announce(server.made.hash, port=7001)
    assert (server.host, server.port) in peers_of(answer)
    assert answer[b"complete"] == 1 and answer[b"incomplete"] == 1
    assert answer[b"interval"] > 0 and 0 < answer[b"min interval"] <= answer[b"interval"]


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
    """Each torrent is tested anew, and one thread of each child writes that down for all: here it cannot, for another process writes."""
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
        wait_for("all answers but those of the threads that write", lambda: len(answered) >= len(torrents) - len(server.children()))
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
