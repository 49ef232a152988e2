"""Floods of the tracker: honest announces beside them are answered, and memory stays within what docs/protocol.md states."""
import contextlib
import os
import socket
import struct

import pytest

from bencode import decode
from http11 import Connection
from httpd import WELL_KNOWN, peers_of
from udp_tracker import ANNOUNCE, ERROR, UdpTracker, free_udp_port
from waiting import wait_for

SIZE = 2 << 20
MIB = 1 << 20
MANY = 100_000
WINDOW = 64  # datagrams under way; some 250 fit before a socket
HONEST = "127.6.6.6"


@pytest.fixture
def serve(httpd, content):
    def make(conf="", **options):
        server = httpd(start=False, web_seed=False, level="warn", **options)
        server.udp = free_udp_port()
        server.write_conf(f"BTHTTPTrackerUDP 127.0.0.1:{server.udp}\n{conf}")
        server.start()
        server.publish(content(SIZE))
        server.honest = Honest(server)
        return server
    return make


class Honest:
    """One that announces itself by either wire form, and must always find the seed."""

    def __init__(self, server):
        self.server, self.announces = server, {"http": 0, "udp": 0}
        self.udp()
        self.http()
        self.memory = server.rss(server.seeder())

    def udp(self):
        with UdpTracker("127.0.0.1", self.server.udp, source=HONEST) as tracker:
            answer = tracker.announce(self.server.made.hash, port=7001)
        assert (self.server.host, self.server.port) in answer["peers"] and answer["seeds"] == 1
        self.announces["udp"] += 1
        return answer["peers"]

    def http(self, **options):
        answer = self.server.announce(self.server.made.hash, port=7001, source=HONEST, raw="&numwant=200", **options)
        assert (self.server.host, self.server.port) in peers_of(answer)
        self.announces["http"] += 1
        return peers_of(answer)

    def grown(self):
        """Bytes of its own memory that the child with the seed and the UDP thread has more than before."""
        return self.server.rss(self.server.seeder()) - self.memory


def flood(server, source, announces, beside=lambda: None, every=5000):
    """Announces [(info-hash, port)] as fast as they are answered. Returns how many were answered by action."""
    actions = {ANNOUNCE: 0, ERROR: 0}
    with UdpTracker("127.0.0.1", server.udp, source=source) as tracker:
        tracker.connect()
        for start in range(0, len(announces), WINDOW):
            window = announces[start:start + WINDOW]
            for info_hash, port in window:
                tracker.send(struct.pack(">QI", tracker.connection, ANNOUNCE) + b"FLUD" + tracker.body(info_hash, port=port))
            for _ in window:
                actions[int.from_bytes(tracker.receive()[:4], "big")] += 1
            if start // every != (start + WINDOW) // every:
                beside()
                tracker.connect()
    return actions


def random_hashes(count):
    noise = os.urandom(20 * count)
    return [(noise[i:i + 20], 7000) for i in range(0, len(noise), 20)]


def test_random_hashes(serve):
    """100,000 announces of what is not published: each is counted, none takes memory, and others are answered all the while."""
    server = serve("BTHTTPTrackerRate unlimited")
    before = server.status()

    def beside():
        server.honest.udp()
        server.honest.http()
    actions = flood(server, "127.5.5.5", random_hashes(MANY), beside)
    assert actions == {ANNOUNCE: 0, ERROR: MANY}
    after = server.status()
    assert after["announces"]["udp"]["unknown"] == MANY
    assert after["announces"]["udp"]["ok"] == server.honest.announces["udp"]
    assert [after[name] for name in ("tracker_swarms", "tracker_memory_used", "tracker_evictions")] == [
        before[name] for name in ("tracker_swarms", "tracker_memory_used", "tracker_evictions")]
    assert server.honest.grown() < 8 * MIB


def test_random_hashes_by_http_are_stopped_at_the_rate_of_their_network(serve):
    """25 addresses of one network ask 800 times each: less than what each of them may, but more than all of them may."""
    server = serve()
    query = "&peer_id=-XX0001-abcdefghijkl&port=7000&left=1"
    requests = 800 * 25
    for host in range(1, 26):
        for _ in range(8):
            hashes = ["".join(f"%{byte:02x}" for byte in os.urandom(20)) for _ in range(100)]
            with Connection((server.host, server.port), source=f"127.5.5.{host}") as connection:
                connection.socket.sendall("".join(f"GET {WELL_KNOWN}/announce?info_hash={each}{query} HTTP/1.1\r\nHost: x\r\n\r\n"
                                                  for each in hashes).encode())
                for _ in hashes:
                    assert b"failure reason" in decode(connection.response().body)
        server.honest.http()
    counted = server.status()["announces"]["http"]
    assert counted["unknown"] >= 16000 and counted["rate-network"] > 0 and counted["rate-address"] == 0
    assert counted["unknown"] + counted["rate-network"] == requests
    assert counted["ok"] == server.honest.announces["http"]


def test_ten_thousand_peers_of_one_address(serve):
    """Of which 64 are kept; thirty honest ones are told of each other as before."""
    server = serve("BTHTTPTrackerRate unlimited")
    others = {(f"127.8.0.{i}", 7001) for i in range(1, 31)}
    for address, port in others:
        server.announce(server.made.hash, port=port, source=address)
    actions = flood(server, "127.5.5.5", [(server.made.hash, port) for port in range(10000, 20000)], server.honest.udp, 1000)
    assert actions[ANNOUNCE] == 10000
    told = server.honest.http()
    assert others < told
    assert len(told - others - {(server.host, server.port)}) == 64
    status = server.status()
    assert status["tracker_leechers"] == 30 + 64 + 1  # the honest one itself
    assert status["tracker_crowded"] == 10000 - 64 and status["tracker_evictions"] == 0


def test_one_address_gets_no_further_than_its_rate(serve):
    """With nothing configured: its first thousand, then ten a second."""
    server = serve()
    beside = server.honest.udp
    actions = flood(server, "127.5.5.5", [(server.made.hash, 1 + n % 60000) for n in range(20000)], beside, 2000)
    counted = server.status()["announces"]["udp"]
    assert counted["rate-address"] == actions[ERROR] > 15000
    assert 1000 <= actions[ANNOUNCE] < 5000
    assert counted["ok"] == actions[ANNOUNCE] + server.honest.announces["udp"]


def test_forged_senders(serve):
    """100,000 datagrams with ids that were guessed, and half as many that are no requests: silence, nothing is kept, no announce counted, and those in whose name they
    came may ask as if nothing had been. Who sends them gets nothing sent anywhere but connection ids, no longer than what was asked for."""
    server = serve("BTHTTPTrackerRate 1")
    victims = [f"127.5.5.{i}" for i in range(1, 21)]
    before = server.status()
    for victim in victims:
        with UdpTracker("127.0.0.1", server.udp, source=victim) as tracker:
            body = tracker.body(server.made.hash)
            for i in range(MANY // len(victims)):
                tracker.send(struct.pack(">QI", i << 40 | 7, ANNOUNCE) + b"FLUD" + body)
                if i % 2:
                    tracker.send(os.urandom(i % 150))
                if i % WINDOW == 0 or i == MANY // len(victims) - 1:  # an answer says that all before it were read; and it is the first that there is
                    tracker.connect()
        server.honest.udp()
    after = server.status()
    assert after["tracker_udp_silent"] - before["tracker_udp_silent"] == MANY + MANY // 2
    assert after["tracker_leechers"] == before["tracker_leechers"] == 1
    counted = {result: n for result, n in after["announces"]["udp"].items() if n}
    assert counted == {"ok": server.honest.announces["udp"]}
    actions = flood(server, victims[0], [(server.made.hash, 7000)] * 100)
    assert actions == {ANNOUNCE: 100, ERROR: 0}
    assert server.honest.grown() < 8 * MIB


def half_a_request(stack, server):
    half = stack.enter_context(socket.create_connection((server.host, server.port)))
    half.sendall(f"GET {WELL_KNOWN}/announce?info_hash=".encode())
    return half


def is_held(connection):
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return connection.recv(1, socket.MSG_PEEK) != b""
    return True


def test_slow_requests(serve):
    """As long as httpd has workers, nobody notices. When it has none left, announces by UDP are answered at once, and those by HTTP when
    mod_reqtimeout has closed the slow ones."""
    server = serve("ThreadsPerChild 20\nStartServers 2\nMaxRequestWorkers 40\nRequestReadTimeout header=5", mpm="event")
    server.expect("AH10159|AH00484")  # near or at MaxRequestWorkers
    with contextlib.ExitStack() as stack:
        few = [half_a_request(stack, server) for _ in range(20)]
        for _ in range(20):
            server.honest.http()
        assert all(map(is_held, few))
    with contextlib.ExitStack() as stack:
        slow = [half_a_request(stack, server) for _ in range(120)]
        for _ in range(20):
            server.honest.udp()
        assert any(map(is_held, slow)), "by which all of these were answered"
        server.honest.http()
    assert server.honest.grown() < 8 * MIB


@pytest.mark.parametrize("mode", ["closed", "open"])
def test_tables_are_as_small_as_they_are_said_to_be(serve, mode):
    """A flood of foreign torrents by many addresses into tables of a megabyte."""
    server = serve(f"BTHTTPTracker {mode}\nBTHTTPTrackerMemory 1M\nBTHTTPTrackerRate unlimited")
    for i in range(10):
        flood(server, f"127.5.{i}.5", random_hashes(2000), server.honest.udp, 1000)
    status = server.status()
    assert status["tracker_swarms"] == 1 and status["tracker_evictions"] == 0
    assert status["tracker_memory_used"] < status["tracker_memory_size"] == MIB
    unpublished = status["unpublished"]
    if mode == "open":
        assert unpublished["swarms"] + unpublished["evictions"] == 20000
        assert unpublished["memory_used"] <= unpublished["memory_size"] == MIB
    assert server.honest.grown() < 8 * MIB
    server.honest.http()
