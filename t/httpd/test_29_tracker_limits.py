"""How often one address and one network may ask the tracker: refused in the words of each wire form, counted, and nobody else's concern."""
import os
import signal
import struct
from urllib.parse import quote

import pytest

from bencode import decode
from http11 import Connection
from httpd import WELL_KNOWN, peers_of
from udp_tracker import ANNOUNCE, Refused, UdpTracker, free_udp_port

SIZE = 2 << 20
BURST = 100  # of BTHTTPTrackerRate 1
FLOODER, NEIGHBOUR, STRANGER = "127.7.7.7", "127.7.7.8", "127.7.8.8"


@pytest.fixture
def serve(httpd, content):
    def make(conf="BTHTTPTrackerRate 1", **options):
        server = httpd(start=False, web_seed=False, **options)
        server.udp = free_udp_port()
        server.write_conf(f"BTHTTPTrackerUDP 127.0.0.1:{server.udp}\n{conf}")
        server.start()
        return server.publish(content(SIZE))
    return make


def ask(server, source, times, name="announce", headers=None, hashes=None, **said):
    """The answers to so many requests on one connection."""
    query = "&".join("info_hash=" + quote(each, safe="") for each in hashes or [server.made.hash])
    query += "".join(f"&{key}={value}" for key, value in {"peer_id": "-XX0001-abcdefghijkl", "port": 7000, "left": 1, **said}.items())
    answers = []
    while len(answers) < times:
        with Connection((server.host, server.port), source=source) as connection:
            for _ in range(min(100, times - len(answers))):  # as many as a connection is kept for
                response = connection.request(f"{WELL_KNOWN}/{name}?{query}", headers)
                assert response.status == 200, "clients stop for good at any other"
                answers.append(decode(response.body))
    return answers


def is_refused(answer):
    return b"failure reason" in answer


def count(server):
    return server.status()["announces"]


def test_an_address_that_asks_too_often_is_refused(serve):
    """For a while, and alone: who shares its network is not concerned."""
    server = serve()
    refused = [answer for answer in ask(server, FLOODER, 3 * BURST) if is_refused(answer)]
    assert BURST < len(refused) <= 2 * BURST
    assert all(b"your address" in answer[b"failure reason"] for answer in refused)
    assert all(answer[b"interval"] == 300 and answer[b"retry in"] == 5 and b"peers" not in answer for answer in refused)
    answer = server.announce(server.made.hash, port=7001, source=NEIGHBOUR)
    assert peers_of(answer) == {(server.host, server.port), (FLOODER, 7000)}
    counted = count(server)["http"]
    assert (counted["rate-address"], counted["rate-network"]) == (len(refused), 0)
    assert sum(counted.values()) == 3 * BURST + 1, "each once"
    assert "BTH0096" in server.log() and FLOODER in server.log()


def test_both_wire_forms_count_together(serve):
    server = serve()
    assert any(map(is_refused, ask(server, FLOODER, 2 * BURST)))
    with UdpTracker("127.0.0.1", server.udp, source=FLOODER) as tracker:
        with pytest.raises(Refused, match="too many requests from your address"):
            for _ in range(20):  # a few have come back meanwhile
                tracker.announce(server.made.hash, port=7000)
        with pytest.raises(Refused, match="too many requests"):
            for _ in range(20):
                tracker.scrape(server.made.hash)
    with UdpTracker("127.0.0.1", server.udp, source=NEIGHBOUR) as tracker:
        assert tracker.announce(server.made.hash, port=7001)["peers"] == {(server.host, server.port), (FLOODER, 7000)}
    assert count(server)["udp"]["rate-address"] == 1 and count(server)["udp"]["ok"] >= 1
    assert server.status()["tracker_scrapes_refused"] == 1


def test_a_network_has_a_limit_of_its_own(serve):
    server = serve()
    for host in range(1, 26):
        ask(server, f"127.7.7.{host}", BURST)
    counted = count(server)["http"]
    assert counted["rate-address"] == 0 and counted["rate-network"] > 0
    refused = [answer for answer in ask(server, "127.7.7.99", 50) if is_refused(answer)]
    assert refused and b"your network" in refused[0][b"failure reason"]
    assert not is_refused(ask(server, STRANGER, 1)[0])


def test_scrapes_count_by_what_they_ask_for(serve):
    server = serve()
    hashes = [server.made.hash] + [bytes([i]) * 20 for i in range(72)]  # 10 requests
    answers = ask(server, FLOODER, 20, "scrape", hashes=hashes)
    refused = sum(map(is_refused, answers))
    assert [is_refused(answer) for answer in answers[:10]] == [False] * 10
    assert 8 <= refused <= 10 and server.status()["tracker_scrapes_refused"] == refused
    assert not any(count(server)["http"].values()), "these are no announces"


def test_it_is_the_clients_address_that_counts(serve):
    """mod_remoteip says whose it is behind a proxy that is trusted; nobody else says."""
    server = serve("BTHTTPTrackerRate 1\nRemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1", modules=["remoteip"])
    assert any(map(is_refused, ask(server, "127.0.0.1", 2 * BURST, headers={"X-Client": "192.0.2.1"})))
    assert not is_refused(ask(server, "127.0.0.1", 1, headers={"X-Client": "192.0.2.2"})[0])
    refused = [is_refused(ask(server, FLOODER, 1, headers={"X-Client": f"192.0.2.{i}"})[0]) for i in range(3, 200)]
    assert any(refused), "whatever it writes there"


def test_what_cannot_be_read_counts_as_well(serve):
    server = serve()
    answers = ask(server, FLOODER, 2 * BURST, hashes=[b"short"])
    assert b"too many" in answers[-1][b"failure reason"] and b"too many" not in answers[0][b"failure reason"]
    assert count(server)["http"]["bad-request"] >= BURST


def test_limits_outlive_a_graceful_restart(serve):
    server = serve()
    ask(server, FLOODER, 2 * BURST)
    server.graceful()
    assert any(map(is_refused, ask(server, FLOODER, 20)))
    server.write_conf("BTHTTPTrackerRate unlimited")
    server.graceful()
    assert not any(map(is_refused, ask(server, FLOODER, 3 * BURST)))


def test_the_default_lets_clients_in_common_use_pass(serve):
    """One with 500 hybrids, and a few beside it behind the same address, all at once."""
    server = serve("")
    assert not any(map(is_refused, ask(server, FLOODER, 1000)))


def test_why_a_peer_was_not_kept_is_counted_over_udp_too(serve):
    server = serve("BTHTTPTrackerPrivateAddresses deny")
    with UdpTracker("127.0.0.1", server.udp) as tracker:
        tracker.announce(server.made.hash)
        with pytest.raises(Refused):
            tracker.announce(b"u" * 20)
    counted = {result: n for result, n in count(server)["udp"].items() if n}
    assert counted == {"private-address": 1, "unknown": 1}


def test_what_must_wait_is_counted_once(serve, content):
    """Announces over UDP wait until a change of the file was looked into, and are looked at several times meanwhile."""
    server = serve()
    child = server.seeder()
    with UdpTracker("127.0.0.1", server.udp, source=FLOODER) as tracker:
        tracker.connect()
        announce = struct.pack(">QI", tracker.connection, ANNOUNCE) + b"MANY" + tracker.body(server.made.hash, port=7000)
        os.kill(child, signal.SIGSTOP)  # so that all come at once
        try:
            server.put("f.bin", content(SIZE, 5))
            for _ in range(60):
                tracker.send(announce)
        finally:
            os.kill(child, signal.SIGCONT)
        assert {tracker.receive()[8:24] for _ in range(60)} == {b"the file changed"}
        for _ in range(30):
            tracker.send(announce)
        assert {tracker.receive()[8:24] for _ in range(30)} == {b"the file changed"}
