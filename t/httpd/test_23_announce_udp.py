"""What real clients need of the tracker over UDP (BEP 15, 41), and what breaks them or others: a test for each."""
import os
import socket
import struct

import pytest

from clients import loopback_address
from udp_tracker import ANNOUNCE, CONNECT, ERROR, MAGIC, SCRAPE, STOPPED, Refused, UdpTracker, free_udp_port
from waiting import wait_for

SIZE = 2 << 20
V4, V6 = "127.0.0.1", "::1"


@pytest.fixture
def server(httpd, content):
    """A tracker on one port of both families, and httpd on both."""
    server = httpd(start=False)
    server.udp = free_udp_port()
    server.write_conf(f"Listen [::1]:{server.port}\nBTHTTPTrackerUDP {server.udp}")
    server.start()
    return server.publish(content(SIZE))


def at(server, host=V4, **options):
    return UdpTracker(host, server.udp, **options)


def packet(connection, action, body, transaction=b"tttt"):
    return struct.pack(">QI", connection, action) + transaction + body


def hears(tracker):
    """Asks for a connection id with its own transaction: what was answered before that, in a list."""
    mine = os.urandom(4)
    tracker.send(packet(MAGIC, CONNECT, b"", mine))
    heard = []
    while (answer := tracker.receive())[4:8] != mine:
        heard.append(answer)
    return heard


# --- the connection id: a keyed MAC over address and coarse time; no state, no address book


def test_the_connection_id_is_of_the_address_and_the_time(server):
    """The same again and from other ports, which NATs change; another for another address, and of no plain pattern."""
    with at(server) as a, at(server) as b:
        ids = wait_for("the same id twice, within a step of time",
                       lambda: len(ids := {a.connect().connection, b.connect().connection, a.connect().connection}) == 1 and ids)
    others = set()
    for i in range(1, 41):
        with at(server, source=f"127.8.0.{i}") as other:
            others.add(other.connect().connection)
    assert len(others | ids) == 41
    for bit in range(2, 64):  # each bit is 0 of some and 1 of others; but two, which name the step of time
        assert len({other >> bit & 1 for other in others}) == 2


def test_a_connection_id_is_good_for_other_ports_and_no_other_address(server):
    with at(server, source="127.8.0.1") as a, at(server, source="127.8.0.1") as b, at(server, source="127.8.0.2") as c:
        b.connection = a.connect().connection
        assert b.announce(server.made.hash)["seeds"] == 1
        c.send(packet(a.connection, ANNOUNCE, c.body(server.made.hash)))
        assert hears(c) == []


def test_connects_are_not_remembered(server):
    """Thousands of addresses ask for an id: no memory, no swarm; and the first id is as good afterwards."""
    with at(server, source="127.8.0.1") as tracker:
        tracker.connect()
        before = server.status()
        for i in range(3000):
            with at(server, source=f"127.{20 + i // 60000}.{i // 250 % 250}.{i % 250 + 1}") as other:
                other.connect()
        after = server.status()
        assert after["tracker_memory_used"] == before["tracker_memory_used"] and after["tracker_swarms"] == before["tracker_swarms"]
        assert tracker.announce(server.made.hash)["seeds"] == 1


def test_connection_ids_outlive_the_process_that_gave_them(server):
    with at(server) as tracker:
        tracker.connect()
        server.seeder(other_than=server.kill_seeder())
        server.graceful()
        assert tracker.announce(server.made.hash)["seeds"] == 1


# --- a wrong id: silence; who is not validated gets no more than was sent


def test_a_wrong_id_is_silence(server):
    """A flood of what no connection id goes with gets nothing at all; who is validated is served meanwhile."""
    with at(server) as stranger, at(server, source="127.8.0.9") as tracker:
        body = tracker.body(server.made.hash)
        for i in range(2000):
            stranger.send(struct.pack(">QI", i, ANNOUNCE) + os.urandom(4) + body)
            stranger.send(struct.pack(">QI", i, SCRAPE) + os.urandom(4) + server.made.hash)
            stranger.send(struct.pack(">QI", MAGIC, CONNECT)[:12])
            stranger.send(os.urandom(i % 200))
            if i % 100 == 0:
                assert tracker.announce(server.made.hash)["seeds"] == 1
        tracker.connect()
        stranger.send(struct.pack(">QI", tracker.connection, ANNOUNCE) + b"mine" + body)  # of another address
        stranger.connect()  # its answer is the first that there is
        assert server.scrape(server.made.hash)[b"files"][server.made.hash][b"incomplete"] == 1


@pytest.mark.parametrize("host", [V4, V6])
def test_no_reply_to_the_unvalidated_is_larger_than_its_request(server, host):
    with at(server, host) as stranger:
        for length in range(0, 16):
            stranger.send(packet(MAGIC, CONNECT, b"")[:length])
        for wrong in (0, MAGIC, 1 << 63):
            for action in (ANNOUNCE, SCRAPE, ERROR, 4, 0xffffffff):
                stranger.send(packet(wrong, action, stranger.body(server.made.hash)))
        assert hears(stranger) == []
        for more in (0, 1, 100, 1400):
            stranger.send(packet(MAGIC, CONNECT, bytes(more)))
            assert len(stranger.receive()) == 16


# --- answers


@pytest.mark.parametrize("host,size", [(V4, 6), (V6, 18)])
def test_answers_stay_under_1200_bytes(server, host, size):
    """With more peers than fit, and with as much asked for as can be."""
    with at(server, host) as tracker:
        for i in range(230):
            source = f"127.9.0.{i + 1}" if host == V4 else None
            with at(server, host, source=source) as other:
                other.announce(server.made.hash, port=7000 + i, numwant=0)
        tracker.connect()
        for numwant in (-1, 200, 0x7fffffff):
            tracker.send(packet(tracker.connection, ANNOUNCE, tracker.body(server.made.hash, port=9000, numwant=numwant)))
            answer = tracker.receive()
            assert len(answer) < 1200 and (len(answer) - 20) % size == 0
            if numwant != -1:
                assert len(answer) == 20 + size * (196 if host == V4 else 63 + 1), "v6: all of the address's 64 ports are one's own"
        tracker.send(packet(tracker.connection, SCRAPE, server.made.hash * 74))
        assert len(tracker.receive()) == 8 + 12 * 74 < 1200


def test_the_stride_follows_the_packets_family(server):
    """A peer of each family in one swarm: each is told of its own kind, in records of its own size."""
    with at(server, V4, source="127.8.0.1") as four, at(server, V6) as six, at(server, V4, source="127.8.0.2") as other:
        for round in range(2):
            for tracker, port in ((four, 7004), (six, 7006)):
                assert tracker.announce(server.made.hash, port=port)["leechers"] >= 1
        assert other.announce(server.made.hash, port=7005)["peers"] == {(V4, server.port), ("127.8.0.1", 7004)}
        assert six.announce(server.made.hash, port=7007)["peers"] == {(V6, server.port), (V6, 7006)}
        assert six.announce(server.made.hash, port=7007)["leechers"] == 4, "both kinds are counted"


@pytest.mark.parametrize("more", [b"\0", b"\1", b"\2\x09/announce", b"\2\xff/a", b"\1\1\1\2\0\0", b"\3\4abcd", b"\xff" * 50, bytes(1300)])
def test_longer_packets_and_unknown_options_are_passed_over(server, more):
    """URL data (BEP 41), padding, an end in the middle, options that nobody knows, a length beyond the end."""
    with at(server) as tracker:
        answer = tracker.announce(server.made.hash, more=more)
        assert answer["peers"] == {(V4, server.port)} and answer["leechers"] == 1


def test_the_answer_comes_from_the_address_that_was_asked(server):
    """The socket listens on every address; a connected client hears of the asked one alone."""
    for _ in range(5):
        with at(server, loopback_address()) as tracker:
            assert tracker.announce(server.made.hash)["peers"] == set(), "httpd does not listen there: no seed to be named"


@pytest.mark.parametrize("left,seeds", [(-1, 1), ((1 << 63) - 1, 1), (1 << 63, 1), (1 << 32, 1), (16384, 1), (0, 2)])
def test_left_of_all_ones_is_unknown(server, left, seeds):
    with at(server) as tracker:
        tracker.announce(server.made.hash, left=left)
        assert tracker.scrape(server.made.hash) == [(seeds, 0, 2 - seeds)]


def test_the_address_field_never_redirects(server):
    with at(server, source="127.8.0.1") as liar, at(server) as tracker:
        liar.announce(server.made.hash, port=7000, ip=int.from_bytes(socket.inet_aton("192.0.2.7"), "big"))
        assert tracker.announce(server.made.hash, port=7001)["peers"] == {(V4, server.port), ("127.8.0.1", 7000)}


def test_a_scrape_answers_at_most_74_by_place(server):
    """Zeros for what is not published, for answers have no names; what is beyond is not answered."""
    with at(server) as tracker:
        numbers = tracker.scrape(*[bytes([i]) * 20 for i in range(73)], server.made.hash, server.made.v2[:20])
        assert numbers == [(0, 0, 0)] * 73 + [(1, 0, 0)]
        assert server.status()["tracker_swarms"] == 0


def test_a_refusal_is_an_error_with_a_reason(server):
    with at(server) as tracker:
        with pytest.raises(Refused, match="does not publish"):
            tracker.announce(b"u" * 20)
        with pytest.raises(Refused, match="does not publish"):
            tracker.announce(b"u" * 20, event=STOPPED, port=0)
