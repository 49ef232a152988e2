"""Real clients find each other by nothing but the tracker, over HTTP and UDP, IPv4 and IPv6, and behind nginx; the server itself is
no peer here. Each first fetches from a libtorrent that was there before it; that one goes, and another one that comes then has all of
it from the client."""
import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bencode import Torrent, encode
from clients import Aria2, Libtorrent, Rtorrent, loopback_address
from netns import Namespace, Transmission
from nginx import BEHIND, Nginx
from udp_tracker import free_udp_port
from waiting import free_port, wait_for

SIZE = 4 << 20
CONF = "BTHTTPPeerPorts off\nBTHTTPTorrentVersion v1\nBTHTTPTrackerUDP {udp}\n" + BEHIND + "\n"


# libtorrent 2.0.8 sends a Host without brackets for an IPv6 address. httpd answers 400, and so does nginx, unless it need not be strict.
FOR_LIBTORRENT = """Listen {host}:{port}
<VirtualHost {host}:{port}>
ServerName localhost
HttpProtocolOptions Unsafe
</VirtualHost>
"""


class Place:
    """A server with a tracker of one form and family, and addresses from which clients can ask it.
    hosts: (address of the server, addresses of two libtorrents); the server listens on 127.0.0.1 as well.
    torrent: names the tracker of that form; for_libtorrent: names it by HTTP at a port that takes libtorrent's requests."""

    def __init__(self, httpd, content, box, stack, form, hosts):
        self.host, self.first, self.second = hosts
        self.family = 6 if ":" in self.host else 4
        host = f"[{self.host}]" if self.family == 6 else self.host
        self.server = server = httpd(start=False, web_seed=False, modules=["remoteip"])
        udp, lax = free_udp_port(), free_port(self.host)
        listen = f"Listen {host}:{server.port}\n" if self.host != "127.0.0.1" else ""
        server.write_conf(listen + CONF.format(udp=udp) + FOR_LIBTORRENT.format(host=host, port=lax))
        server.start()
        server.put("f.bin", content(SIZE))
        made = server.torrent("/f.bin")
        self.nginx = stack.enter_context(Nginx(box, server, (self.host,))) if form == "nginx" else None
        path = made.meta[b"announce"].decode().split("/", 3)[3]
        port = self.nginx.port if self.nginx else server.port
        self.url = f"udp://{host}:{udp}/announce" if form == "udp" else f"http://{host}:{port}/{path}"
        self.torrent = Torrent(encode({b"announce": self.url, b"info": made.info}))
        self.for_libtorrent = Torrent(encode({b"announce": f"http://{host}:{lax}/{path}", b"info": made.info}))
        assert self.torrent.hash == self.for_libtorrent.hash == made.hash

    def scrape(self):
        """(seeds, leechers)"""
        numbers = self.server.scrape(self.torrent.hash, address=("127.0.0.1", self.server.port))[b"files"][self.torrent.hash]
        return numbers[b"complete"], numbers[b"incomplete"]

    def asked(self):
        """Announces by each form that came through."""
        return {form: counted["ok"] for form, counted in self.server.status()["announces"].items()}


@pytest.fixture
def place(httpd, content, box):
    """place(form, family): on loopback; place(form, family, namespace): for a client in there"""
    with contextlib.ExitStack() as stack:
        def make(form, family, namespace=None):
            if namespace:
                hosts = ((namespace.host_address6, namespace.second_host_address6, namespace.host_address6) if family == 6 else
                         (namespace.host_address, namespace.second_host_address, namespace.host_address))
            else:
                hosts = ("::1",) * 3 if family == 6 else ("127.0.0.1", loopback_address(), loopback_address())
            return Place(httpd, content, box, stack, form, hosts)
        yield make


def meet(place, box, content, make_client):
    """Both ways: the client finds one that was there, and is found by one that comes."""
    with (Libtorrent(box, "first", address=place.first, plugins=False) as first,
          Libtorrent(box, "second", address=place.second, plugins=False) as second):
        first.add(place.for_libtorrent, seed_from=place.server.docroot)
        wait_for("the first", lambda: place.scrape() == (1, 0))
        before = place.asked()
        with make_client() as client:
            client.wait(90)
            assert client.file.read_bytes() == content(SIZE)
            wait_for("it to be a seed as well", lambda: place.scrape() == (2, 0), 60)
            form = "udp" if place.url.startswith("udp") else "http"
            assert place.asked()[form] >= before[form] + 2
            if place.nginx:
                wait_for("all of them in nginx's log", lambda: place.nginx.announces() == place.asked()["http"] - before["http"])
            first.session.remove_torrent(first.handle)
            first.handle = None
            wait_for("the first to be gone", lambda: place.scrape() == (1, 0), 60)
            second.add(place.for_libtorrent)
            second.wait(60)
            assert second.file.read_bytes() == content(SIZE)


FORMS = [("http", 4), ("http", 6), ("udp", 4), ("nginx", 4), ("nginx", 6)]


@pytest.mark.parametrize("form,family", [("http", 4), ("http", 6), ("udp", 4), ("udp", 6), ("nginx", 4)])
def test_libtorrent(place, box, content, form, family):
    at = place(form, family)
    torrent = at.for_libtorrent if (form, family) == ("http", 6) else at.torrent
    meet(at, box, content, lambda: Libtorrent(box, "client", address="::1" if family == 6 else loopback_address(),
                                              plugins=False).add(torrent))


class SeedingAria2(Aria2):
    """It goes on as a seed, and says when it has all."""

    def __init__(self, box, torrent, options):
        self.finished = Path(box) / "aria2.finished"
        script = Path(box) / "finish"
        script.write_text(f"#!/bin/sh\n: >'{self.finished}'\n")
        script.chmod(0o755)
        path = Path(box) / "it.torrent"
        path.write_bytes(torrent.data)
        super().__init__(box, str(path), file=torrent.name.decode(), options=(
            "--disable-ipv6=false", "--seed-time=60", "--seed-ratio=0", f"--on-bt-download-complete={script}", *options))

    def done(self):
        assert self.process.poll() is None, f"aria2c ended:\n{self.tail()}"
        return self.finished.exists()


# By UDP aria2 asks only where its DHT is on, and by IPv4 alone.
@pytest.mark.parametrize("form,family", FORMS)
def test_aria2(place, box, content, form, family):
    at = place(form, family)
    options = ("--enable-dht=true", f"--dht-listen-port={free_udp_port()}", f"--dht-file-path={box}/dht.dat") if form == "udp" else ()
    meet(at, box, content, lambda: SeedingAria2(box, at.torrent, options))


@pytest.mark.parametrize("form,family", FORMS)
def test_rtorrent(place, box, content, form, family):
    at = place(form, family)
    options = "trackers.use_udp.set = yes\npieces.hash.on_completion.set = no\n"
    meet(at, box, content, lambda: Rtorrent(box, at.torrent, options=options, address=None if family == 6 else loopback_address()))


@pytest.mark.parametrize("form,family", FORMS)
def test_transmission(place, box, content, form, family):
    with Namespace() as namespace:
        at = place(form, family, namespace)
        meet(at, box, content, lambda: Transmission(box, namespace, at.torrent))


WEBTORRENT = """
import Client from 'bittorrent-tracker'
const [infoHash, announce, port, left] = process.argv.slice(2)
const client = new Client({ infoHash, announce: [announce], peerId: Buffer.from('-WW0001-abcdefghijkl'), port: Number(port) })
client.on('error', error => { console.error(error.message); process.exit(1) })
client.on('warning', error => { console.error(error.message); process.exit(1) })
const peers = []
client.on('peer', address => peers.push(address))
client.on('scrape', ({ complete, incomplete, downloaded }) => {
  console.log(JSON.stringify({ peers, complete, incomplete, downloaded }))
  process.exit(0)
})
client.once('update', () => setImmediate(() => client.scrape()))
client.start({ left: Number(left), uploaded: 0, downloaded: 0 })
"""


# webtorrent's client of trackers (npm bittorrent-tracker), which knows IPv6 by HTTP alone.
@pytest.mark.parametrize("form,family", FORMS)
def test_webtorrents_tracker_client(place, box, build, form, family):
    at = place(form, family)
    node = shutil.which("node") or shutil.which("nodejs")

    def ask(port):
        run = subprocess.run([node, "--input-type=module", "-", at.torrent.hash.hex(), at.url, str(port), "1000"], input=WEBTORRENT,
                             cwd=build / "npm", capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    assert ask(7001) == {"peers": [], "complete": 0, "incomplete": 1, "downloaded": 0}
    answer = ask(7002)
    assert answer == {"peers": ["[::1]:7001" if family == 6 else "127.0.0.1:7001"], "complete": 0, "incomplete": 2, "downloaded": 0}
