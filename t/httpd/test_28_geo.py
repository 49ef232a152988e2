"""BTHTTPTrackerGeo: the tracker names peers of the same network and country."""
import random

import pytest

import mmdb
from httpd import peers_of
from waiting import wait_for

SIZE = 2 << 20
PEERS = range(1, 101)
SAME_NETWORK, SAME_COUNTRY = range(10, 15), range(20, 25)
WANT = 20  # half of them for being near


def home(i):
    """Each peer has a /16 of its own."""
    return f"127.{i}.0.1"


def networks(prefix):
    return mmdb.database({prefix.format(i): mmdb.network(64500 if i in (*SAME_NETWORK, 120) else 64600 + i) for i in (*PEERS, 120)})


NETWORKS = networks("127.{}.0.0/16")
COUNTRIES = mmdb.database({f"127.{i}.0.0/16": mmdb.country("AQ" if i in (*SAME_COUNTRY, 120) else "BV") for i in (*PEERS, 120)})
BOTH = mmdb.database({f"127.{i}.0.0/16": {**mmdb.network(7 if i in (*SAME_NETWORK, 120) else 8),
                                          "registered_country": {"iso_code": "AQ" if i in (*SAME_COUNTRY, 120) else "BV"}}
                      for i in (*PEERS, 120)})


@pytest.fixture
def start(httpd, content):
    def make(files, directive=None, **options):
        server = httpd(start=False, **options)
        for name, data in files.items():
            (server.dir / name).write_bytes(data)
        server.write_conf(directive or ("BTHTTPTrackerGeo " + " ".join(files)))
        server.start()
        server.publish(content(SIZE))
        for i in PEERS:
            server.announce(server.made.hash, port=7000, source=home(i), peer_id=b"-XX0001-%012d" % i)
        return server
    return make


def always_named(server, rounds=25):
    """Who is in each of many answers to one that asks from 127.120.0.1, as numbers of homes."""
    answers = []
    for _ in range(rounds):
        answer = server.announce(server.made.hash, port=7001, source=home(120), raw=f"&numwant={WANT}",
                                 peer_id=b"-XX0001-999999999999")
        assert len(peers_of(answer)) == WANT
        answers.append({int(ip.split(".")[1]) for ip, port in peers_of(answer) if port == 7000})
    return set.intersection(*answers)


def test_the_same_network_then_the_same_country(start):
    """Nine are named for being near: one of the twenty is the server itself."""
    server = start({"asn.mmdb": NETWORKS, "country.mmdb": COUNTRIES})
    assert set(SAME_NETWORK) <= always_named(server)
    named = [server.announce(server.made.hash, port=7001, source=home(120), raw=f"&numwant={WANT}") for _ in range(20)]
    of_country = [sum(int(ip.split(".")[1]) in SAME_COUNTRY for ip, _ in peers_of(answer)) for answer in named]
    assert min(of_country) >= 4


@pytest.mark.parametrize("files,near", [({"a": NETWORKS}, SAME_NETWORK), ({"a": COUNTRIES}, SAME_COUNTRY), ({"a": BOTH}, SAME_NETWORK)])
def test_one_file(start, files, near):
    assert set(near) <= always_named(start(files))


def test_without_a_file_nobody_is_near(start):
    assert not always_named(start({}, "BTHTTPTrackerGeo off"))


def test_a_replaced_file_is_read_at_a_graceful_restart(start):
    server = start({"a": NETWORKS})
    assert set(SAME_NETWORK) <= always_named(server)
    (server.dir / "a").write_bytes(COUNTRIES)  # over it, not by rename
    assert set(SAME_NETWORK) <= always_named(server)
    server.graceful()
    wait_for("the new file", lambda: set(SAME_COUNTRY) <= always_named(server, 10))


@pytest.mark.parametrize("damage", [lambda b: None, lambda b: b"", lambda b: b[:len(b) // 2], lambda b: b[-200:], lambda b: bytes(len(b))])
def test_a_bad_file_stops_the_first_start_alone(start, httpd, damage):
    """A running server goes on without it: an update that went wrong at night is no reason to stop."""
    fresh = httpd(start=False, conf="BTHTTPTrackerGeo a")
    server = start({"a": NETWORKS})
    for at in (fresh, server):
        bad = damage(NETWORKS)
        if bad is None:
            (at.dir / "a").unlink(missing_ok=True)
        else:
            (at.dir / "a").write_bytes(bad)
    run = fresh.command("-t")
    assert run.returncode != 0 and "BTHTTPTrackerGeo: " in run.stderr and f"of {fresh.conf}:" in run.stderr, run.stderr
    server.expect("BTH0071")
    server.graceful()
    wait_for("announces without it", lambda: not always_named(server))
    assert "BTH0071" in server.log()
    (server.dir / "a").write_bytes(NETWORKS)
    server.graceful()
    wait_for("the good one again", lambda: set(SAME_NETWORK) <= always_named(server, 10))


def test_damaged_data_is_survived(start):
    """Bytes that are wrong where the library cannot know it."""
    numbers = random.Random(5)
    data = bytearray(BOTH)
    end = data.index(b"\xab\xcd\xefMaxMind.com")
    for _ in range(end // 10):
        data[numbers.randrange(end)] = numbers.randrange(256)
    server = start({"a": bytes(data)})
    always_named(server)
    assert server.announce(server.made.hash, port=7000)[b"incomplete"] > 100


def home6(i):
    """Each peer has a /32 of its own."""
    return f"2a00:{i:x}::1"


def test_ipv6(httpd, content):
    """As it is with IPv4. A proxy says who they are."""
    server = httpd(start=False, modules=["remoteip"])
    (server.dir / "a").write_bytes(networks("2a00:{:x}::/32"))
    server.write_conf("BTHTTPTrackerGeo a\nRemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1")
    server.start()
    made = server.publish(content(SIZE)).made

    def announce(i, port):
        answer = server.announce(made.hash, port=port, headers={"X-Client": home6(i)}, peer_id=b"-XX0001-%012d" % i, raw=f"&numwant={WANT}")
        compact = answer.get(b"peers6", b"")
        return {int.from_bytes(compact[at + 2:at + 4], "big") for at in range(0, len(compact), 18) if compact[at + 16:at + 18] == b"\x1b\x58"}

    for i in PEERS:
        announce(i, 7000)
    answers = [announce(120, 7001) for _ in range(25)]
    assert all(len(answer) >= WANT - 1 for answer in answers)
    assert set(SAME_NETWORK) <= set.intersection(*answers)
