"""BTHTTPTracker open: anybody's torrents as well, in memory of their own; what is published comes first."""
import os
import re
from pathlib import Path

import pytest

from httpd import peers_of
from test_29_tracker_limits import ask, is_refused
from udp_tracker import Refused, UdpTracker, free_udp_port
from waiting import wait_for

SIZE = 2 << 20
A, B = "127.9.0.1", "127.9.0.2"
OPEN = "BTHTTPTracker open"
FOREIGN = b"a torrent of anybody"


@pytest.fixture
def serve(httpd, content):
    def make(conf=OPEN, **options):
        server = httpd(start=False, web_seed=False, **options)
        server.udp = free_udp_port()
        server.common = f"BTHTTPTrackerUDP 127.0.0.1:{server.udp}\nBTHTTPTrackerRate unlimited\n"
        server.write_conf(server.common + conf)
        server.start()
        return server.publish(content(SIZE))
    return make


def test_peers_of_anybodys_torrent_find_each_other(serve):
    """By both wire forms; this server is no seed of it and does not say so."""
    server = serve()
    first = server.announce(FOREIGN, port=7001, source=A)
    assert peers_of(first) == set() and (first[b"complete"], first[b"incomplete"]) == (0, 1)
    with UdpTracker("127.0.0.1", server.udp, source=B) as tracker:
        assert tracker.announce(FOREIGN, port=7002, left=0)["peers"] == {(A, 7001)}
        assert tracker.scrape(FOREIGN, server.made.hash, b"nobody has announced") == [(1, 0, 1), (1, 0, 0), (0, 0, 0)]
    assert peers_of(server.announce(FOREIGN, port=7001, source=A)) == {(B, 7002)}
    files = server.scrape(FOREIGN, server.made.hash, b"nobody has announced")[b"files"]
    assert files[FOREIGN] == {b"complete": 1, b"downloaded": 0, b"downloaders": 1, b"incomplete": 1}
    assert files[server.made.hash][b"complete"] == 1
    assert files[b"nobody has announced"] == {b"complete": 0, b"downloaded": 0, b"downloaders": 0, b"incomplete": 0}
    status = server.status()
    assert (status["tracker_swarms"], status["unpublished"]["swarms"]) == (0, 1)
    assert (status["unpublished"]["seeds"], status["unpublished"]["leechers"]) == (1, 1)
    assert status["top"] == [], "names are of what is published"
    assert not status["announces"]["http"]["unknown"] and not status["announces"]["udp"]["unknown"]


def test_what_is_published_is_as_ever(serve):
    server = serve()
    assert peers_of(server.announce(server.made.hash, port=7001, source=A)) == {(server.host, server.port)}
    assert server.status()["tracker_swarms"] == 1 and server.status()["unpublished"]["swarms"] == 0


def test_what_was_withdrawn_is_not_anybodys(serve, content):
    server = serve()
    server.put("changed.bin", content(SIZE, 5))
    changed = server.torrent("/changed.bin").hash
    server.announce(changed, port=7001, source=A)
    server.put("changed.bin", content(SIZE, 6))
    wait_for("the change to be noticed", lambda: b"changed" in server.announce(changed, source=A).get(b"failure reason", b""))
    with UdpTracker("127.0.0.1", server.udp) as tracker, pytest.raises(Refused, match="changed"):
        tracker.announce(changed)
    assert server.status()["unpublished"]["swarms"] == 0


def test_a_flood_of_foreign_torrents_pushes_out_nobody_of_what_is_published(serve):
    """10,000 torrents do not fit into a megabyte: of these some go, at random, and of the published one nobody does."""
    server = serve(OPEN + "\nBTHTTPTrackerMemory 1M")
    for i in range(30):
        server.announce(server.made.hash, port=7001 + i, source=A)
    with UdpTracker("127.0.0.1", server.udp, source=B) as tracker:
        for i in range(10000):
            tracker.announce(os.urandom(20), port=7001)
        answer = tracker.announce(FOREIGN, port=7001)  # there is room for the next one, whatever came before
        assert answer["leechers"] == 1
    status = server.status()
    unpublished = status["unpublished"]
    assert unpublished["memory_used"] <= unpublished["memory_size"] == 1 << 20
    assert unpublished["swarms"] + unpublished["evictions"] == 10001 and unpublished["swarms"] > 7000
    assert (status["tracker_leechers"], status["tracker_evictions"]) == (30, 0)
    assert len(peers_of(server.announce(server.made.hash, port=7100, source=B))) == 31
    assert status["announces"]["udp"]["ok"] == 10001


def test_scrapes_allocate_nothing(serve):
    server = serve()
    used = server.status()["unpublished"]["memory_used"]
    with UdpTracker("127.0.0.1", server.udp) as tracker:
        for _ in range(50):
            assert set(tracker.scrape(*(os.urandom(20) for _ in range(74)))) == {(0, 0, 0)}
    server.scrape(*(os.urandom(20) for _ in range(50)))
    assert server.status()["unpublished"]["memory_used"] == used and server.status()["unpublished"]["swarms"] == 0


def test_the_rate_is_limited_as_well(serve):
    server = serve(OPEN + "\nBTHTTPTrackerRate 1")
    refused = [is_refused(ask(server, A, 1, hashes=[os.urandom(20)])[0]) for _ in range(150)]
    assert 20 < sum(refused) < 60
    assert server.status()["unpublished"]["swarms"] == 150 - sum(refused)


def test_swarms_survive_graceful_and_restart(serve):
    server = serve()
    server.announce(FOREIGN, port=7001, source=A)
    for restart in (server.graceful, lambda: (server.stop(), server.start())):
        restart()
        assert peers_of(server.announce(FOREIGN, port=7002, source=B)) == {(A, 7001)}
    server.write_conf(server.common + OPEN + "\nBTHTTPTrackerMemory 2M")
    server.graceful()
    wait_for("the smaller table", lambda: server.status()["unpublished"]["memory_size"] == 2 << 20)
    assert peers_of(server.announce(FOREIGN, port=7002, source=B)) == {(A, 7001)}


def test_it_can_be_closed_and_opened(serve):
    server = serve("")
    assert is_refused(server.announce(FOREIGN, port=7001, source=A))
    server.write_conf(server.common + OPEN)
    server.graceful()
    wait_for("it to be open", lambda: not is_refused(server.announce(FOREIGN, port=7001, source=A)))
    server.announce(server.made.hash, port=7001, source=A)
    server.write_conf(server.common)
    server.graceful()
    wait_for("it to be closed", lambda: is_refused(server.announce(FOREIGN, port=7001, source=A)))
    assert (A, 7001) in peers_of(server.announce(server.made.hash, port=7002, source=B)), "of what is published nothing changes"
    status = server.status()["unpublished"]
    assert set(status.values()) == {0}


def test_memory_is_taken_as_it_is_needed(serve):
    """Two tables of a gigabyte each, of which next to nothing is in use."""
    server = serve(OPEN + "\nBTHTTPTrackerMemory 1G")
    server.announce(FOREIGN, port=7001, source=A)
    for pid in (server.pid, *server.children()):
        status = Path(f"/proc/{pid}/status").read_text()
        assert int(re.search(r"^RssShmem:\s+(\d+) kB", status, re.M)[1]) < 64 << 10
