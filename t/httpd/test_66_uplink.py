"""BTHTTPUplink: HTTP comes first on a stated uplink, peers get what it leaves, and always something."""
import socket
import threading
import time

import pytest

from waiting import wait_for
from wire import Peer

UPLINK = 4 << 20
SIZE = 4 << 20


@pytest.fixture
def serve(httpd, content):
    def make(conf):
        server = httpd(web_seed=False, conf=conf)
        server.put("file.bin", content(SIZE))
        return server, server.torrent("/file.bin")
    return make


class Download(threading.Thread):
    """GETs a file over and over, at about so many bytes a second."""

    def __init__(self, server, path, rate):
        super().__init__(daemon=True)
        self.server, self.path, self.rate, self.over = server, path, rate, threading.Event()
        self.start()

    def run(self):
        begin, got = time.monotonic(), 0
        while not self.over.is_set():
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
                s.connect((self.server.host, self.server.port))
                s.sendall(f"GET {self.path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
                while not self.over.is_set():
                    bytes_ = s.recv(16 << 10)
                    if not bytes_:
                        break
                    got += len(bytes_)
                    self.over.wait(max(0, got / self.rate - (time.monotonic() - begin)))

    def end(self):
        self.over.set()
        self.join()


class Leecher(threading.Thread):
    """Asks ahead for pieces over and over, as fast as they come."""

    def __init__(self, server, torrent):
        super().__init__(daemon=True)
        self.torrent, self.over = torrent, threading.Event()
        self.peer = Peer((server.host, server.port), torrent.hash, timeout=60)
        self.peer.interest()
        self.start()

    def run(self):
        count = 0
        for _ in range(20):
            self.ask(count := count + 1)
        while not self.over.is_set():
            self.peer.until(7)
            self.ask(count := count + 1)

    def ask(self, number):
        blocks = self.torrent.piece_length // 16384
        self.peer.request(number // blocks % (self.torrent.piece_count - 1), number % blocks * 16384)

    def end(self):
        self.over.set()
        self.join()
        self.peer.close()


def reaches(server, low, high):
    """The seed's rate comes to lie between two bounds, parts of the uplink."""
    wait_for(f"a rate between {low} and {high} of the uplink",
             lambda: low * UPLINK <= server.status()["upload_rate"] <= high * UPLINK, 60)


@pytest.mark.parametrize("rate,low,high", [(3 << 20, 0.15, 0.4), (50 << 20, 0.03, 0.1)])
def test_http_first(serve, rate, low, high):
    server, torrent = serve(f"BTHTTPUplink {UPLINK}")
    leecher = Leecher(server, torrent)
    reaches(server, 0.8, 1.1)
    download = Download(server, "/file.bin?bthttp=file", rate)
    reaches(server, low, high)
    download.end()
    reaches(server, 0.8, 1.1)
    leecher.end()


def test_never_more_than_the_upload_rate(serve):
    server, torrent = serve(f"BTHTTPUplink {UPLINK}\nBTHTTPUploadRate {UPLINK // 4}")
    leecher = Leecher(server, torrent)
    reaches(server, 0.2, 0.28)
    leecher.end()


def test_none(serve):
    server, torrent = serve("BTHTTPUplink none")
    leecher = Leecher(server, torrent)
    reaches(server, 1.2, 10000)
    leecher.end()


@pytest.mark.parametrize("value", ["0", "100", "fast", "-5"])
def test_nonsense(httpd, value):
    server = httpd(start=False, conf=f"BTHTTPUplink {value}")
    run = server.command("-t")
    assert run.returncode != 0 and "BTHTTPUplink" in run.stderr
