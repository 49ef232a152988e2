"""The tracker over UDP (BEP 15): a client by hand, and libtorrent."""
import os
import socket
import threading
import time

import pytest

from clients import Aria2, Libtorrent, loopback_address
from httpd import peers_of
from udp_tracker import COMPLETED, STARTED, STOPPED, Refused, UdpTracker, free_udp_port, refusal
from waiting import wait_for

SIZE = 2 << 20


@pytest.fixture
def server(httpd, content):
    """A tracker on one port of both families; httpd on both as well, and on an address `near` of this test alone: libtorrent has
    one store of connection ids, by the tracker's address, for all sessions of a process, whatever address each asks from."""
    server = httpd(start=False, web_seed=False)
    server.udp = free_udp_port()
    server.near = loopback_address()
    server.write_conf(f"Listen [::1]:{server.port}\nListen {server.near}:{server.port}\nBTHTTPTrackerUDP {server.udp}")
    server.start()
    return server.publish(content(SIZE))


def at(server, host="127.0.0.1", **options):
    return UdpTracker(host, server.udp, **options)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_leecher_gets_the_server_itself(server, host):
    with at(server, host) as tracker:
        for info_hash in (server.made.v1, server.made.v2[:20]):
            answer = tracker.announce(info_hash, port=7001, event=STARTED)
            assert answer["peers"] == {(host, server.port)}
            assert answer["seeds"] == 1 and answer["leechers"] == 1
            assert answer["interval"] > 0


def test_both_wire_forms_are_one_swarm(server):
    a, b = "127.8.0.1", "127.8.0.2"
    server.announce(server.made.hash, port=7001, source=a)
    with at(server, source=b) as tracker:
        answer = tracker.announce(server.made.hash, port=7002, peer_id=b"-XX0001-000000000002")
        assert answer["peers"] == {(server.host, server.port), (a, 7001)}
        assert (b, 7002) in peers_of(server.announce(server.made.hash, port=7001, source=a))
        assert tracker.scrape(server.made.hash) == [(1, 0, 2)]
        tracker.announce(server.made.hash, port=7002, left=0, event=COMPLETED)
        assert tracker.scrape(server.made.hash) == [(2, 1, 1)]
        tracker.announce(server.made.hash, port=7002, left=0, event=STOPPED)
        assert tracker.scrape(server.made.hash) == [(1, 1, 1)]


def test_closed_tracker_says_why(server):
    server.put("g.bin", bytes(SIZE))
    other = server.torrent("/g.bin")
    with at(server) as tracker:
        with pytest.raises(Refused, match="does not publish"):
            tracker.announce(b"u" * 20)
        server.put("g.bin", b"x" * SIZE)
        with pytest.raises(Refused, match="changed"):
            tracker.announce(other.hash)
        (server.docroot / ".htaccess").write_text("Require all denied")
        server.graceful()
        with pytest.raises(Refused, match="no longer public"):
            tracker.announce(server.made.hash)
        assert tracker.scrape(b"u" * 20, server.made.hash) == [(0, 0, 0)] * 2


@pytest.mark.parametrize("change", ["write", "replace", "remove"])
def test_a_changed_file_is_refused_within_a_second(server, change):
    """Although it is announced all the time: what is remembered of it is for a moment. What was asked for later than a second after
    the change must not be answered, however slow this machine is."""
    path = server.docroot / "f.bin"
    with at(server) as tracker:
        for _ in range(100):
            tracker.announce(server.made.hash)
        if change == "write":
            path.write_bytes(b"x" * SIZE)
        elif change == "replace":
            (server.docroot / "other").write_bytes(path.read_bytes())
            os.rename(server.docroot / "other", path)
        else:
            path.unlink()
        changed = time.time()

        def is_refused():
            asked = time.time()
            refused = refusal(tracker, server.made.hash)
            assert refused or asked < changed + 1
            return refused
        assert "changed" in wait_for("the refusal", is_refused)


def test_a_torrent_that_comes_back_is_announced_again(server, content):
    with at(server) as tracker:
        tracker.announce(server.made.hash)
        server.put("f.bin", b"x" * SIZE)
        assert "changed" in wait_for("the refusal", lambda: refusal(tracker, server.made.hash))
        server.put("f.bin", content(SIZE))
        assert server.torrent("/f.bin").hash == server.made.hash
        assert tracker.announce(server.made.hash)["seeds"] == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_of_one_address_alone(server, host):
    """Its socket does not tell to which address datagrams came, as there is but one."""
    port = free_udp_port()
    server.write_conf(f"Listen [::1]:{server.port}\nBTHTTPTrackerUDP {f'[{host}]' if ':' in host else host}:{port}")
    server.graceful()
    with UdpTracker(host, port) as tracker:
        assert tracker.announce(server.made.hash)["peers"] == {(host, server.port)}


def test_torrents_and_magnets_name_it(httpd, content):
    server = httpd(start=False)
    first, second, private = free_udp_port(), free_udp_port(), free_udp_port()
    server.write_conf(f"BTHTTPTrackerUDP {first} 127.0.0.1:{second}\nBTHTTPAnnounce http://other.example/announce")
    server.start()
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin", host="files.example:99")
    tiers = [tier for tier in torrent.meta[b"announce-list"]]
    assert [url for tier in tiers for url in tier][1:] == [
        b"udp://files.example:%d/announce" % first, b"udp://files.example:%d/announce" % second, b"http://other.example/announce"]
    assert torrent.meta[b"announce"].startswith(b"http://files.example:99/")
    assert f"udp%3A%2F%2F127.0.0.1%3A{first}%2Fannounce" in server.magnet("/f.bin")
    server.write_conf("")
    server.graceful()
    assert b"announce-list" not in server.torrent("/f.bin").meta
    assert server.torrent("/f.bin").hash == torrent.hash, "it is not in the infodict"
    for off in ("BTHTTPTracker off", "BTHTTPAnnounce none"):
        server.write_conf(f"BTHTTPTrackerUDP {private}\n{off}")
        server.graceful()
        meta = server.torrent("/f.bin").meta
        assert b"announce" not in meta and b"announce-list" not in meta


def is_bound(port, host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def test_ports_change_with_the_configuration(server):
    old, new = server.udp, free_udp_port()
    server.write_conf(f"BTHTTPTrackerUDP {new}")
    server.graceful()
    with UdpTracker("127.0.0.1", new) as tracker:
        assert tracker.announce(server.made.hash)["seeds"] == 1
    wait_for("the old port to be free", lambda: not is_bound(old) and not is_bound(old, "::1"))
    server.write_conf(f"BTHTTPTrackerUDP 127.0.0.1:{new}")  # another address on the same port
    server.graceful()
    with UdpTracker("127.0.0.1", new) as tracker:
        assert tracker.announce(server.made.hash)["seeds"] == 1
    assert not is_bound(new, "127.8.0.1") and not is_bound(new, "::1")
    for nothing in ("", f"BTHTTPTrackerUDP {new}\nBTHTTPTracker off", "BTHTTPTrackerUDP off"):
        server.write_conf(nothing)
        server.graceful()
        wait_for("the port to be free", lambda: not is_bound(new))


def test_a_child_that_lingers_lets_go_of_the_port(server, content):
    """A download that nobody reads keeps the old seeder's child; the port that is no longer named is free all the same, and can
    be named again."""
    server.put("large.bin", content())
    old = server.seeder()
    downloads = []
    try:
        while len(downloads) < 60:  # so many that every child has some
            downloads.append(socket.create_connection((server.host, server.port)))
            downloads[-1].sendall(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            assert downloads[-1].recv(1)
        for conf, bound in (("", False), (f"BTHTTPTrackerUDP 127.0.0.1:{server.udp}", True), (f"BTHTTPTrackerUDP {server.udp}", True)):
            server.write_conf(conf)
            server.graceful()
            wait_for("the port to be as configured", lambda: is_bound(server.udp) == bound)
            assert old in server.children()
        with at(server) as tracker:
            assert tracker.announce(server.made.hash)["seeds"] == 1
    finally:
        for download in downloads:
            download.close()


def test_a_port_that_is_taken_stops_the_start(httpd):
    server = httpd(start=False)
    server.udp = free_udp_port()
    server.write_conf(f"BTHTTPTrackerUDP 127.0.0.1:{server.udp}")
    line = server.conf.read_text().splitlines().index(f"BTHTTPTrackerUDP 127.0.0.1:{server.udp}") + 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", server.udp))
        assert server.command("-DFOREGROUND").returncode != 0
    said = server.log() + server.stderr()
    assert f"BTH0091: BTHTTPTrackerUDP: cannot open port {server.udp} (line {line} of {server.conf})" in said
    assert "Address already in use" in said
    server.expect("BTH0091|AH00020|Configuration Failed|AH00016")


class Load:
    """Announces again and again from some sockets, counting answers; whatever comes late or never stays `unanswered`."""

    def __init__(self, server, clients=4):
        self.server, self.stopping, self.answers, self.failures = server, False, 0, []
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, i):
        try:
            with at(self.server, source=f"127.7.0.{i + 1}") as tracker:
                while not self.stopping:
                    assert tracker.announce(self.server.made.hash, port=7000 + i)["seeds"] == 1
                    self.answers += 1
        except Exception as problem:  # for the test's own thread
            self.failures.append(repr(problem))

    def more(self):
        """Waits until every client has had answers again."""
        before = self.answers
        wait_for("answers", lambda: self.failures or self.answers > before + 50)
        assert not self.failures, self.failures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_graceful_restarts_lose_nothing(httpd, content, mpm):
    """Under load no announce stays without its answer, and ids from before are good."""
    server = httpd(start=False, mpm=mpm)
    server.udp = free_udp_port()
    server.write_conf(f"BTHTTPTrackerUDP {server.udp}\nBTHTTPTrackerRate unlimited")
    server.start()
    server.publish(content(SIZE))
    with Load(server) as load:
        load.more()
        for _ in range(3):
            server.graceful()
            load.more()
        assert not load.failures
    assert server.scrape(server.made.hash)[b"files"][server.made.hash][b"incomplete"] == 4


def test_another_child_takes_over(server):
    with at(server) as tracker:
        tracker.connect()
        for _ in range(3):
            server.seeder(other_than=server.kill_seeder())
            assert tracker.announce(server.made.hash)["seeds"] == 1


def test_restart_is_clean(server):
    """SIGHUP: all children end and new ones answer on the same socket."""
    with at(server) as tracker:
        tracker.announce(server.made.hash)
        server.restart()
        assert tracker.announce(server.made.hash)["seeds"] == 1


@pytest.mark.parametrize("host", ["near", "::1"])
def test_libtorrent_by_udp_alone(server, box, content, host):
    host = server.near if host == "near" else host
    with Libtorrent(box, address=host if ":" in host else None) as client:
        client.add(server.made, tracker=False)
        client.handle.clear_error()
        client.handle.replace_trackers([{"url": f"udp://{f'[{host}]' if ':' in host else host}:{server.udp}/announce", "tier": 0}])
        client.handle.force_reannounce()
        client.wait(60)
        assert client.file.read_bytes() == content(SIZE)
    assert not [line for line in server.accesses() if "/announce" in line]


def test_two_libtorrents_find_each_other(server, box, content):
    """Over UDP alone: the second one is told of the first, and of nobody else, for httpd does not listen where it asks."""
    with Libtorrent(box, "one") as one, Libtorrent(box, "two") as two:
        for client, host in ((one, server.near), (two, loopback_address())):
            client.add(server.made, tracker=False, pex=False)
            client.handle.replace_trackers([{"url": f"udp://{host}:{server.udp}/announce", "tier": 0}])
            client.handle.force_reannounce()
            client.wait(60)
            assert client.file.read_bytes() == content(SIZE)


def test_aria2_by_udp_alone(server, box, content):
    """A torrent that names no other tracker."""
    server.write_conf(f"BTHTTPTrackerUDP {server.udp}\nBTHTTPAnnounce none udp://127.0.0.1:{server.udp}/announce")
    server.graceful()
    assert server.torrent("/f.bin").meta[b"announce"] == b"udp://127.0.0.1:%d/announce" % server.udp
    udp = ("--enable-dht=true", f"--dht-listen-port={free_udp_port()}", f"--dht-file-path={box}/dht.dat")  # else it asks none
    with Aria2(box, server.base + "/f.bin", options=udp) as client:
        client.wait(60)
        assert client.file.read_bytes() == content(SIZE)


def test_announces_are_counted_by_what_came_of_them(server):
    with at(server) as tracker:
        tracker.announce(server.made.hash)
        with pytest.raises(Refused):
            tracker.announce(bytes(20))
    counted = server.status()["announces"]["udp"]
    assert {name: n for name, n in counted.items() if n} == {"ok": 1, "unknown": 1}
