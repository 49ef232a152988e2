"""The life of a server under clients: its seeder killed, graceful restarts, retired children, stop."""
import subprocess

import pytest

from clients import Aria2, Libtorrent
from waiting import wait_for

SIZE = 64 << 20
# So slow that everything happens while they download; three copies less what they exchange.
SLOW = "BTHTTPUploadRate 6M\nBTHTTPTrackerInterval 10s"
PATIENT_FOR_A_SECOND = ("--bt-tracker-interval=1", "--max-tries=0", "--retry-wait=1")


class Three:
    """Three clients that download from a slow seed."""

    def __init__(self, server, box, torrent):
        self.server = server
        self.libtorrents = [Libtorrent(box, f"lt{i}").add(torrent) for i in range(2)]
        self.aria2 = Aria2(box, f"{server.base}/f.bin", options=PATIENT_FOR_A_SECOND)
        self.all = [*self.libtorrents, self.aria2]

    def __enter__(self):
        wait_for("all three to have begun", lambda: all(t.status().total_done > 1 << 20 for t in self.libtorrents)
                 and self.aria2.file.exists() and self.server.status()["peers"] >= 3, 60)
        assert not any(t.complete() for t in self.libtorrents) and self.aria2.process.poll() is None
        return self

    def wait(self, content):
        for client in self.all:
            client.wait()
            assert client.file.read_bytes() == content

    def complete(self):
        return [t.complete() for t in self.libtorrents] + [self.aria2.process.poll() is not None]

    def __exit__(self, kind, *rest):
        for client in self.all:
            client.__exit__(kind, *rest)


@pytest.fixture
def serve(httpd, content):
    def make(**options):
        server = httpd(web_seed=False, **options)
        server.put("f.bin", content())
        return server, server.torrent("/f.bin")
    return make


def progress(server, more):
    start = server.status()["bytes_sent"]
    wait_for(f"{more} bytes more from the seed", lambda: server.status()["bytes_sent"] >= start + more, 60)


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_kill_9_of_the_seeder(serve, box, content, mpm):
    import time
    server, torrent = serve(mpm=mpm, conf=SLOW)
    with Three(server, box, torrent) as three:
        old = server.kill_seeder()
        start = time.monotonic()
        assert server.seeder(other_than=old) != old
        assert time.monotonic() - start < 1.5, "another child seeds within a second"
        assert not all(three.complete())
        assert server.get("/f.bin", {"Range": "bytes=0-9"}).status == 206
        three.wait(content())
    assert server.torrent("/f.bin").v1 == torrent.v1
    assert server.status()["hashed_files"] == 1, "the catalogue is kept"


def test_kill_9_of_another_child(serve, box, content):
    server, torrent = serve(mpm="prefork", conf=SLOW)
    with Three(server, box, torrent) as three:
        seeder = server.seeder()
        victim = next(pid for pid in server.children() if pid != seeder)
        server.expect(rf"AH00052: child pid {victim} exit signal Killed")
        subprocess.run(["kill", "-9", str(victim)], check=True)
        three.wait(content())
        assert server.seeder() == seeder


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_graceful_ten_times(serve, box, content, mpm):
    server, torrent = serve(mpm=mpm, conf=SLOW)
    server.announce(torrent.v1, port=7777, source="127.8.8.8")
    with Three(server, box, torrent) as three:
        for turn in range(10):
            server.graceful()
            assert server.scrape(torrent.v1)[b"files"][torrent.v1][b"incomplete"] >= 1, "swarms are not lost"
            if not all(three.complete()):
                progress(server, 1 << 20)
        three.wait(content())
    assert server.status()["seeder_pid"] in server.children()


def test_children_that_retire(serve, box, content):
    server, torrent = serve(mpm="prefork", conf=SLOW + "\nMaxConnectionsPerChild 5")
    with Three(server, box, torrent) as three:
        seeders = set()
        for _ in range(2000):  # which child takes a connection is chance
            assert server.get("/f.bin", {"Range": "bytes=0-9"}).status == 206
            seeders.add(server.seeder())
            if len(seeders) > 2:
                break
        assert len(seeders) > 1
        three.wait(content())


def test_stop_is_quick_and_clean(serve, box, content):
    """With peers connected and a file being hashed."""
    server, torrent = serve(conf=SLOW)
    with Three(server, box, torrent):
        with open(server.docroot / "huge.bin", "wb") as file:
            file.truncate(100 << 30)
        assert server.get("/huge.bin", {"X-BT-Accept": "torrent;wait=0"}, "HEAD").status == 200
        server.stop(timeout=10)


def test_hashing_goes_on_after_its_child_died(httpd, content):
    server = httpd(conf="BTHTTPWait 0s")
    with open(server.docroot / "f.bin", "wb") as file:
        file.truncate(4 << 30)
    assert server.get("/f.bin.torrent").status == 503
    wait_for("the hashing to begin", lambda: "progress" in (server.get("/f.bin", {"X-BT-Accept": "torrent"}, "HEAD")
                                                           .header("X-BT-Status") or ""))
    old = server.kill_seeder()
    server.seeder(other_than=old)
    assert server.torrent("/f.bin", timeout=150).length == 4 << 30


def test_a_new_configuration_takes_effect(serve, content):
    server, torrent = serve()
    server.write_conf("BTHTTPTracker off")
    server.graceful()
    wait_for("the tracker to be off", lambda: server.get("/.well-known/bthttp/announce?info_hash=x").status == 404)
    server.write_conf("BTHTTPTrackerMemory 8M")
    server.graceful()
    wait_for("the tracker to be on", lambda: server.get("/.well-known/bthttp/announce?info_hash=x").status == 200)
    assert b"peers" in server.announce(torrent.v1)


def test_swarms_move_to_a_table_of_another_size(serve):
    server, torrent = serve()
    server.announce(torrent.v1, port=7777, source="127.8.8.8")
    server.write_conf("BTHTTPTrackerMemory 16M")
    server.graceful()
    wait_for("the new table", lambda: server.status()["tracker_memory_size"] == 16 << 20)
    assert server.scrape(torrent.v1)[b"files"][torrent.v1][b"incomplete"] == 1
