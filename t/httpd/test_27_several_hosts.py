"""BTHTTPTrackerStore redis://: several hosts share swarms. Each host is an httpd of its own here, with the same files."""
import ipaddress
import threading

import pytest

from clients import Libtorrent, loopback_address
from httpd import peers_of
from udp_tracker import UdpTracker, free_udp_port
from waiting import wait_for

SIZE = 2 << 20
AWAY = r"BTH0311: "
A_LEECHER, B_LEECHER, LATE = ("127.8.0.1", 7001), ("127.8.0.2", 7002), ("127.8.0.3", 7003)


@pytest.fixture
def host(redis, httpd, content):
    """host(): one more httpd that shares, with /f.bin published; redis outlives them all."""
    def make(url=None, conf="", start=True, **options):
        server = httpd(start=False, web_seed=False, **options)
        server.store = f"BTHTTPTrackerStore {url or redis.url}\n"
        server.udp = free_udp_port()
        server.write_conf(f"{server.store}BTHTTPTrackerUDP {server.udp}\n{conf}")
        server.put("f.bin", content(SIZE))
        if start:
            server.start()
            server.made = server.torrent("/f.bin")
            if not url:
                wait_state(server, "shared")
        return server
    return make


@pytest.fixture
def two(host):
    return host(), host()


def wait_state(server, state):
    wait_for(f"the store to be {state}", lambda: server.status()["store"]["state"] == state)


def announce(server, peer, left=1, raw=""):
    """Who the peer is told of."""
    return peers_of(server.announce(server.made.hash, port=peer[1], left=left, raw=raw, source=peer[0]))


def announce_udp(server, peer, left=1):
    with UdpTracker("127.0.0.1", server.udp, source=peer[0]) as tracker:
        return tracker.announce(server.made.hash, port=peer[1], left=left)["peers"]


def wait_told(server, asking, peer, ask=announce):
    wait_for(f"{peer} to be told of", lambda: peer in ask(server, asking))


def numbers(server):
    swarm = server.scrape(server.made.hash)[b"files"][server.made.hash]
    return swarm[b"complete"], swarm[b"downloaded"], swarm[b"incomplete"]


def key(server):
    return "bthttp:swarm:" + server.made.hash.hex()


def member(peer):
    return ipaddress.ip_address(peer[0]).packed + peer[1].to_bytes(2, "big")


@pytest.mark.parametrize("tell", [announce, announce_udp])
@pytest.mark.parametrize("ask", [announce, announce_udp])
def test_leechers_of_two_hosts_meet(two, tell, ask):
    a, b = two
    tell(a, A_LEECHER)
    wait_told(b, B_LEECHER, A_LEECHER, ask)
    wait_told(a, A_LEECHER, B_LEECHER, ask)


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_with_other_mpms(host, mpm):
    a, b = host(mpm=mpm), host(mpm=mpm)
    for number in range(20):  # by any of prefork's children
        announce(a, ("127.8.2.1", 7100 + number))
    wait_for("all of them", lambda: len({peer for peer in announce(b, B_LEECHER) if peer[0] == "127.8.2.1"}) == 20)


def test_ipv6(host):
    """Each host listens at ::1 too; the seed that is named over there is the address by which it reaches redis."""
    a, b = host(start=False), host(start=False)
    for server in (a, b):
        server.write_conf(f"{server.store}BTHTTPTrackerUDP {server.udp}\nListen [::1]:{server.port}")
        server.start()
        server.made = server.torrent("/f.bin")
    with UdpTracker("::1", a.udp) as at_a, UdpTracker("::1", b.udp) as at_b:
        at_a.announce(a.made.hash, port=7001)
        wait_for("the leecher", lambda: ("::1", 7001) in at_b.announce(b.made.hash, port=7002)["peers"])
        wait_for("the other", lambda: ("::1", 7002) in at_a.announce(a.made.hash, port=7001)["peers"])
        wait_for("the seed that its own clients are told of", lambda: ("::1", b.port) in at_a.announce(a.made.hash, port=7001)["peers"])


def test_a_peer_address_is_what_others_are_told(host, redis):
    a, b = host(conf="BTHTTPPeerAddress 127.77.0.1:8080"), host()
    announce(b, B_LEECHER)
    wait_told(b, B_LEECHER, ("127.77.0.1", 8080))
    assert (a.host, a.port) not in announce(b, B_LEECHER)


def test_each_host_is_named_as_a_seed(two):
    """Without anybody that announces at the other one."""
    a, b = two
    announce(a, A_LEECHER)
    wait_told(a, A_LEECHER, (b.host, b.port))
    assert (a.host, a.port) in announce(a, A_LEECHER)
    wait_told(b, B_LEECHER, (a.host, a.port))
    assert numbers(a)[0] == numbers(b)[0] == 2, "neither counts a seed twice"


def test_what_happens_to_a_peer_is_known_to_all(two):
    a, b = two
    announce(a, A_LEECHER)
    wait_for("the leecher", lambda: numbers(b)[2] == 1)
    announce(a, A_LEECHER, raw="&event=paused")
    wait_for("it to be paused", lambda: b.scrape(b.made.hash)[b"files"][b.made.hash][b"downloaders"] == 0)
    announce(a, A_LEECHER, left=0, raw="&event=completed")
    wait_for("the seed", lambda: numbers(b) == (3, 1, 0))
    assert numbers(a)[1:] == (1, 0)
    announce(a, A_LEECHER, left=0, raw="&event=stopped")
    wait_for("it to be gone", lambda: numbers(b) == (2, 1, 0))


def test_libtorrents_of_two_hosts_meet(two, box):
    a, b = two
    with Libtorrent(box, "one") as one, Libtorrent(box, "two") as other:
        one.add(a.made)
        one.handle.prioritize_files([0])
        # Who announces himself at the same moment hears of it an interval later.
        wait_for("the first to be known to the other host", lambda: numbers(b)[2] == 1)
        other.add(b.made)
        other.handle.prioritize_files([0])
        wait_for("them to be connected",
                 lambda: other.address in {peer.ip[0] for peer in one.handle.get_peer_info()}, 60)


def test_the_form_in_redis(two, redis):
    """As docs/internals/tracker.md has it: other programs may read it."""
    a, b = two
    announce(a, A_LEECHER)
    wait_for("the members", lambda: redis.ask("ZCARD", key(a)) == 3)
    score = int(redis.ask("ZSCORE", key(a), member(A_LEECHER)))
    now = int(redis.ask("TIME")[0])
    assert now - 60 < score >> 3 <= now and score & 7 == 0
    assert int(redis.ask("ZSCORE", key(a), member((b.host, b.port)))) & 7 == 1
    assert 0 < redis.ask("TTL", key(a)) <= 1.75 * 1800
    announce(a, A_LEECHER, left=0, raw="&event=completed")
    wait_for("the seed", lambda: int(redis.ask("ZSCORE", key(a), member(A_LEECHER))) & 7 == 3)
    announce(a, A_LEECHER, left=0, raw="&event=stopped")
    wait_for("it to be gone", lambda: redis.ask("ZSCORE", key(a), member(A_LEECHER)) is None)


def test_silent_members_are_removed(two, redis):
    a, _ = two
    long_ago = (int(redis.ask("TIME")[0]) - 2 * 1800) << 3
    redis.ask("ZADD", key(a), long_ago, member(LATE))
    announce(a, A_LEECHER)
    wait_for("it to be removed", lambda: redis.ask("ZSCORE", key(a), member(LATE)) is None)


def test_a_new_host_catches_up(host):
    a = host()
    announce(a, A_LEECHER)
    b = host()
    wait_told(b, B_LEECHER, A_LEECHER)
    wait_told(a, A_LEECHER, (b.host, b.port))


def test_a_host_whose_torrent_comes_later(host, content):
    """What is said of torrents that are not published here is not kept, and not missed by the next announces either."""
    a, b = host(), host()
    a.put("g.bin", content(SIZE, 2))
    made = a.torrent("/g.bin")
    learned = b.status()["store"]["learned"]
    a.announce(made.hash, port=7001, source="127.8.0.1")
    announce(a, A_LEECHER)
    wait_for("the other one", lambda: b.status()["store"]["learned"] > learned)
    assert b.status()["tracker_swarms"] == 1
    b.put("g.bin", content(SIZE, 2))
    b.torrent("/g.bin")
    a.announce(made.hash, port=7001, source="127.8.0.1")
    wait_for("the leecher", lambda: ("127.8.0.1", 7001) in peers_of(b.announce(made.hash, port=7002, source="127.8.0.2")))


def test_withdrawn_stays_withdrawn(two):
    a, b = two
    announce(a, A_LEECHER)
    wait_told(b, B_LEECHER, A_LEECHER)
    b.put("f.bin", b"other")
    wait_for("the torrent to be withdrawn", lambda: b"failure reason" in b.announce(b.made.hash))
    wait_for("the swarm to be dropped", lambda: b.status()["tracker_swarms"] == 0)
    sent = a.status()["store"]["sent"]
    announce(a, LATE)
    wait_for("it to be told", lambda: a.status()["store"]["sent"] > sent)
    assert b.status()["tracker_swarms"] == 0


class Load(threading.Thread):
    """Announces at both hosts all the time; what is not answered as it should be is kept."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers, self.failed, self.count, self.leaving = servers, [], 0, False

    def run(self):
        while not self.leaving:
            for n, server in enumerate(self.servers):
                try:
                    peers = announce(server, (f"127.9.{n}.{self.count % 200 + 1}", 7100))
                    assert (server.host, server.port) in peers, peers
                except Exception as problem:  # whatever it is, the test is to show it
                    self.failed.append(repr(problem))
            self.count += 1

    def more(self, number=50):
        seen = self.count
        wait_for("more announces", lambda: self.count >= seen + number or self.failed, 60)
        assert not self.failed, self.failed[:3]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.leaving = True
        self.join()


def test_redis_killed_and_started_again_under_load(two, redis):
    a, b = two
    for server in two:
        server.expect(AWAY)
    with Load(two) as load:
        load.more()
        announce(a, A_LEECHER)
        wait_told(b, B_LEECHER, A_LEECHER)
        redis.kill()
        for server in two:
            wait_state(server, "away")
        load.more()
        assert A_LEECHER in announce(b, B_LEECHER), "what was known stays known"
        announce(a, LATE)
        assert LATE in announce(a, A_LEECHER), "a host's own swarm goes on"
        redis.start()
        for server in two:
            wait_state(server, "shared")
        wait_told(b, B_LEECHER, LATE)
        wait_for("redis to have the swarm again", lambda: redis.ask("ZSCORE", key(a), member(LATE)))
        for server in two:
            wait_for("redis to have the seeds again",
                     lambda: announce(server, LATE) and redis.ask("ZSCORE", key(a), member((server.host, server.port))))
        load.more()
    assert not load.failed, load.failed[:3]
    assert all(server.log().count("BTH0311") == 1 for server in two), "said once"


def test_a_redis_that_hangs_hangs_nothing(two, redis):
    a, b = two
    for server in two:
        server.expect(AWAY)
    redis.hang()
    try:
        for i in range(100):
            assert (a.host, a.port) in announce(a, (f"127.9.1.{i + 1}", 7100))
            assert (b.host, b.port) in announce_udp(b, (f"127.9.2.{i + 1}", 7100))
        wait_state(a, "away")
        wait_state(b, "away")
        announce(a, LATE)
    finally:
        redis.go_on()
    wait_told(b, B_LEECHER, LATE)


def test_a_host_stops_while_redis_hangs(host, redis):
    server = host()
    server.expect(AWAY)
    redis.hang()
    try:
        announce(server, A_LEECHER)
        server.stop()
    finally:
        redis.go_on()


def test_damaged_keys(host, redis):
    a = host()
    a.expect("BTH0313: ")
    redis.ask("SET", key(a), "a text")
    announce(a, A_LEECHER)
    wait_for("a sorted set in its place", lambda: redis.ask("TYPE", key(a)) == b"zset")
    assert redis.ask("ZSCORE", key(a), member(A_LEECHER))
    now = int(redis.ask("TIME")[0]) << 3
    for score, name in ((now, "garbage"), (now, ""), (now, "x" * 17), ("inf", member(LATE)), ("-inf", member(("1.2.3.4", 5))),
                        (f"{now}.5", member(("1.2.3.5", 5))), (now << 20, member(("1.2.3.6", 5))), (now, member(("1.2.3.7", 0)))):
        redis.ask("ZADD", key(a), score, name)
    redis.ask("SADD", "bthttp:swarm:" + "ab" * 20, "x")
    redis.ask("SET", "bthttp:swarm:not-a-hash", "x")
    b = host()
    wait_told(b, B_LEECHER, A_LEECHER)
    assert announce(b, B_LEECHER) == {A_LEECHER, (a.host, a.port), (b.host, b.port)}


def test_damaged_bulletins(two, redis):
    a, b = two
    head = b"BTH1" + b"somehost"
    good = a.made.hash + b"\0" + member(LATE)
    for said in (b"", b"x", b"BTH0" + bytes(60), head, head + b"x" * 10, head + a.made.hash + b"\1" + bytes(6),
                 head + a.made.hash + b"\xff" + bytes(18), head + a.made.hash + b"\0" + bytes(6), head + bytes(100000)):
        redis.ask("PUBLISH", "bthttp:bulletins:0", said)
    redis.ask("PUBLISH", "bthttp:bulletins:0", head + good)
    wait_told(b, B_LEECHER, LATE)
    assert b.status()["tracker_swarms"] == 1


def test_a_password(redis, host):
    redis.ask("CONFIG", "SET", "requirepass", "pass:w@rd/1")
    redis.password = "pass:w@rd/1"
    place = f"127.0.0.1:{redis.port}"
    wrong = host(url=f"redis://:wrong@{place}")
    wrong.expect(AWAY)
    wait_for("the reason", lambda: "BTH0311" in wrong.log())
    assert "WRONGPASS" in wrong.log() and "wrong@" not in wrong.log()
    assert wrong.announce(wrong.made.hash)[b"interval"] > 0
    for login in ("", "default"):
        wait_state(host(url=f"redis://{login}:pass:w%40rd%2f1@{place}"), "shared")


def test_databases_are_apart(host, redis):
    a, other, same = host(url=redis.url + "/3"), host(), host(url=redis.url + "/3")
    wait_state(a, "shared")
    wait_state(same, "shared")
    announce(a, A_LEECHER)
    wait_told(same, B_LEECHER, A_LEECHER)
    assert announce(other, LATE) == {(other.host, other.port)}
    assert redis.ask("EXISTS", key(a), database=3) == 1


def test_a_start_without_redis(host, redis):
    redis.kill()
    server = host(url=redis.url)
    server.expect(AWAY)
    wait_state(server, "away")
    announce(server, A_LEECHER)
    assert A_LEECHER in announce(server, B_LEECHER)
    redis.start()
    wait_for("redis to be told", lambda: redis.ask("ZSCORE", key(server), member(A_LEECHER)))


def test_restarts(two):
    """The next child shares on, also when the last one was killed; and a reload may end it."""
    a, b = two
    for number, restart in enumerate([a.graceful, a.kill_seeder, a.graceful]):
        before = a.seeder()
        restart()
        assert a.seeder(other_than=before)
        peer = (f"127.8.1.{number + 1}", 7010)
        announce(a, peer)
        wait_told(b, B_LEECHER, peer)
        announce(b, (peer[0], 7011))
        wait_told(a, A_LEECHER, (peer[0], 7011))
    a.write_conf("BTHTTPTrackerStore shm")
    a.graceful()
    wait_state(a, "local")
    announce(b, LATE)
    assert LATE in announce(b, B_LEECHER) and LATE not in announce(a, A_LEECHER)
