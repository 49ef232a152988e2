"""A stock aria2 without any option: `aria2c URL`, nothing else. It always says that it takes Metalinks, so it gets one, and
with it the swarm and HTTP at once; with no peer it is a download by HTTP as ever."""
import signal
import subprocess

import pytest

from clients import Aria2, Libtorrent, Process
from waiting import free_port, wait_for

SIZE = 8 << 20
# HTTP so slow that it alone would take minutes: whatever comes in time came from peers.
SLOW_HTTP = """<If "%{QUERY_STRING} =~ /bthttp=file/">
SetOutputFilter RATE_LIMIT
SetEnv rate-limit 32
</If>
"""


class PlainAria2(Process):
    """aria2c with its URL and not one option. It seeds when it is done, as aria2 does, until somebody ends it."""
    program = "aria2c"

    def __init__(self, box, url, want, name="plain", file=None):
        """want: the bytes that it is to have in the end. file: the name that they are to have, if it is not the URL's."""
        super().__init__(box, name)
        self.file = self.dir / (file or url.rsplit("/", 1)[1])
        self.want = want
        self.run(["aria2c", url], cwd=self.dir, env={"PATH": "/usr/bin:/bin", "HOME": str(self.dir)})

    def done(self):
        ended = self.process.poll() is not None
        assert not ended or self.process.returncode == 0, f"aria2c ended with {self.process.returncode}:\n{self.tail()}"
        return self.file.exists() and self.file.stat().st_size == len(self.want) and self.file.read_bytes() == self.want

    def finish(self):
        """Ends it as a user at a terminal would. 7 is for a download that it had no time to call complete; one that is
        about to end by itself no longer handles the signal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) in (0, 7, -signal.SIGINT), self.tail()


def http_bytes(server, path):
    """Bytes of the file's bodies sent over HTTP to whoever was not served a form."""
    return sum(int(line.split('" ')[1].split()[1]) for line in server.accesses()
               if f'"GET {path}' in line and line.split('" ')[1].split()[2] == "file")


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_it_rides_the_swarm(httpd, box, content, mpm):
    server = httpd(mpm=mpm, modules=["ratelimit"], conf=SLOW_HTTP)
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    with PlainAria2(box, f"{server.base}/f.bin", content(SIZE)) as client:
        client.wait()
        client.finish()
    assert server.status()["bytes_sent"] > SIZE * 3 // 4, "the bytes came from our seed"
    assert http_bytes(server, "/f.bin") < SIZE // 4


def test_it_takes_from_other_peers(httpd, box, content):
    """Our own seed takes nobody: the bytes come from another visitor, whom only the tracker can have named."""
    server = httpd(modules=["ratelimit"], conf=SLOW_HTTP + "BTHTTPPeerPorts off\nBTHTTPTrackerPrivateAddresses allow")
    path = server.put("f.bin", content(SIZE))
    old = server.torrent("/f.bin", headers={"User-Agent": "aria2/1.36.0"})
    with Libtorrent(box, "other") as other:
        other.add(old, seed_from=path.parent)
        other.wait()
        wait_for("the other to announce itself", lambda: server.announce(old.hash)[b"complete"] >= 1)
        with PlainAria2(box, f"{server.base}/f.bin", content(SIZE)) as client:
            client.wait()
            client.finish()
        assert other.status().total_payload_upload > SIZE * 3 // 4
    assert server.status()["bytes_sent"] == 0


@pytest.mark.parametrize("conf", [
    pytest.param("BTHTTPPeerPorts off", id="nobody seeds"),
    pytest.param("BTHTTPPeerPorts off\nBTHTTPTracker off", id="no tracker"),
    pytest.param("BTHTTPPeerAddress 127.0.0.1:{closed}", id="the seed's port is blocked"),
    pytest.param("BTHTTPPeerAddress 192.0.2.77:6881", id="the seed's address leads nowhere"),
    pytest.param("BTHTTPAlias none", id="no torrent is named"),
    pytest.param("BTHTTPTorrentVersion v2", id="a torrent that aria2 cannot read"),
    pytest.param("BTHTTPWebSeed Off\nBTHTTPPeerPorts off", id="no web seed either"),
    pytest.param("BTHTTPMirror http://127.0.0.1:{closed}/\nBTHTTPPeerPorts off", id="a mirror that is dead"),
    pytest.param("BTHTTPAcceptMetalink Off", id="no Metalink"),
])
def test_it_falls_back_to_http(httpd, box, content, conf):
    server = httpd(conf=conf.format(closed=free_port()))
    server.put("f.bin", content(SIZE))
    server.get("/f.bin", {"X-BT-Accept": "torrent;wait=30"})
    with PlainAria2(box, f"{server.base}/f.bin", content(SIZE)) as client:
        client.wait()
        client.finish()
    assert server.status()["bytes_sent"] == 0
    assert http_bytes(server, "/f.bin") >= SIZE


def test_before_there_is_a_torrent(httpd, box, content):
    """The first one comes while the torrent is being made, and gets the file as ever."""
    server = httpd(conf="BTHTTPWait 0")
    server.put("f.bin", content(64 << 20))
    with PlainAria2(box, f"{server.base}/f.bin", content(64 << 20)) as client:
        client.wait()
        client.finish()
        assert not client.file.with_name("f.bin.meta4").exists()


@pytest.mark.parametrize("name,asked", [
    ("with space.bin", "with%20space.bin"), ("übung.bin", "%c3%bcbung.bin"), ('quote".bin', "quote%22.bin"),
    ("a&b.bin", "a&b.bin"), ("<less>.bin", "%3cless%3e.bin"), ("semi;colon%.bin", "semi;colon%25.bin"),
    ("back\\slash.bin", "back%5cslash.bin"), ("it's.bin", "it's.bin"), ("f.bin.torrent", "f.bin.torrent"),
])
def test_odd_names(httpd, box, content, name, asked):
    """The file has the name that it would have without us."""
    server = httpd()
    server.put(name, content(2 << 20))
    wait_for("the torrent", lambda: server.get("/" + asked, {"X-BT-Accept": "torrent"}).header("X-BT-Status") == "torrent")
    with PlainAria2(box, f"{server.base}/{asked}", content(2 << 20), file=name) as client:
        client.wait()
        client.finish()


@pytest.mark.parametrize("size", [1, 16384, 16385, (1 << 20) + 1])
def test_sizes(httpd, box, content, size):
    server = httpd(conf="BTHTTPMinSize 0")
    server.put("f.bin", content(size))
    server.torrent("/f.bin")
    with PlainAria2(box, f"{server.base}/f.bin", content(size)) as client:
        client.wait()
        client.finish()


def test_a_header_of_ours_is_stronger(httpd, box, content):
    """Somebody who asks aria2 for the torrent gets it, not the Metalink."""
    server = httpd(web_seed=False)
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    with Aria2(box, f"{server.base}/f.bin") as client:
        client.wait()
        assert client.file.read_bytes() == content(SIZE)
    assert server.status()["bytes_sent"] >= SIZE


def test_aria2_shows_the_metalink(httpd, box, content):
    """aria2's own reader of Metalinks: names, sizes and torrents, without a download."""
    server = httpd()
    server.put("f.bin", content(SIZE))
    server.torrent("/f.bin")
    (box / "f.meta4").write_bytes(server.get("/f.bin.meta4").body)
    run = subprocess.run(["aria2c", "--no-conf", "-S", box / "f.meta4"], check=True, capture_output=True, text=True)
    assert "f.bin" in run.stdout and "8.0MiB" in run.stdout, run.stdout
