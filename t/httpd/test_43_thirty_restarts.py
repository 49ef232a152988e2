"""Thirty graceful restarts while clients download: each keeps its one connection from the first byte to the last, and none
finds a piece that fails its hash."""
import contextlib
import os
from pathlib import Path

import pytest

from clients import (ARIA2_ENCRYPTION, LIBTORRENT_ENCRYPTION, RTORRENT_ENCRYPTION, TRANSMISSION_ENCRYPTION, Aria2, Libtorrent,
                     QBittorrent, Rtorrent)
from netns import Namespace, Transmission, descendants
from waiting import wait_for

RESTARTS = 30
SIZE = 64 << 20
# They hear of the seed alone, so that every byte is the seed's; and no connection of HTTP's lives over a restart.
CONF = "BTHTTPTrackerPrivateAddresses deny\nKeepAlive Off\n"
SLOW = CONF + "BTHTTPUploadRate 4M\n"


def sockets(pid):
    """The inodes of the sockets that a process has open."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed in between
            link = os.readlink(descriptor)
            if link.startswith("socket:["):
                found.add(link[8:-1])
    return found


def rows(pid, table):
    return [line.split() for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]


def connections(client, port):
    """A client's connections to this port: {(local address, inode of the socket)}, as the kernel has them."""
    local = ""
    if isinstance(client, Libtorrent):  # in this process, and not alone
        local = bytes(reversed([int(n) for n in client.address.split(".")])).hex().upper()
    found = set()
    for pid in [os.getpid()] if isinstance(client, Libtorrent) else descendants(client.process.pid):
        owned = sockets(pid)
        for row in [*rows(pid, "tcp"), *rows(pid, "tcp6")]:
            ours, theirs, state, inode = row[1], row[2], row[3], row[9]
            if theirs.endswith(f":{port:04X}") and state == "01" and inode in owned and ours.startswith(local):
                found.add((ours, inode))
    return found


def in_plain(box, server, torrent, namespace):
    return [Aria2(box, f"{server.base}/f.bin", options=ARIA2_ENCRYPTION["plain"]),
            Rtorrent(box, torrent, options=RTORRENT_ENCRYPTION["plain"]), QBittorrent(box, torrent, encryption="plain"),
            Transmission(box, namespace, torrent, url=f"{server.base}/f.bin.torrent", options=TRANSMISSION_ENCRYPTION["plain"]),
            Libtorrent(box, **LIBTORRENT_ENCRYPTION["plain"]).add(torrent, pex=False)]


def encrypted(box, server, torrent, namespace):
    return [Aria2(box, f"{server.base}/f.bin", options=ARIA2_ENCRYPTION["rc4"]),
            Rtorrent(box, torrent, options=RTORRENT_ENCRYPTION["rc4"]), QBittorrent(box, torrent, encryption="required"),
            Transmission(box, namespace, torrent, url=f"{server.base}/f.bin.torrent", options=TRANSMISSION_ENCRYPTION["required"]),
            Libtorrent(box, "required", **LIBTORRENT_ENCRYPTION["required"]).add(torrent, pex=False),
            Libtorrent(box, "rc4", **LIBTORRENT_ENCRYPTION["rc4"]).add(torrent, pex=False)]


@pytest.mark.parametrize("start, in_rc4, in_plain_then", [(in_plain, 0, 1), (encrypted, 5, 1)])  # aria2 always begins so
def test_thirty_restarts(httpd, box, content, start, in_rc4, in_plain_then):
    with Namespace() as namespace, contextlib.ExitStack() as stack:
        server = httpd(web_seed=False, conf=SLOW, address=namespace.host_address)
        server.put("f.bin", content(SIZE))
        torrent = server.torrent("/f.bin")
        clients = [stack.enter_context(client) for client in start(box, server, torrent, namespace)]
        def settled():
            now = server.status()
            return (now["peers"] == len(clients) and all(connections(c, server.port) for c in clients) and
                    (now["encrypted_rc4"], now["encrypted_plain"]) == (in_rc4, in_plain_then))
        wait_for("all to have connected, each in its way", settled, 60)
        before, first = server.status(), {c: connections(c, server.port) for c in clients}
        for _ in range(RESTARTS):
            sent = server.status()["bytes_sent"]
            server.graceful()
            wait_for("the next seeder to serve", lambda: server.status()["bytes_sent"] > sent + (1 << 20))
        after, last = server.status(), {c: connections(c, server.port) for c in clients}
        for client in clients:
            assert len(first[client] & last[client]) == 1, f"{client}: {first[client]} {last[client]}"
        assert not any(c.done() for c in clients), "all of them were there to the end"
        assert after["peers"] == before["peers"] == len(clients)
        assert after["peers_taken"] == before["peers_taken"], "nobody had to connect anew"
        assert after["closed"] == before["closed"]
        assert after["handovers"] >= RESTARTS * len(clients)
        server.write_conf(CONF)
        server.graceful()
        for client in clients:
            client.wait()
            assert client.hash_failures() == 0
            assert client.file.read_bytes() == content(SIZE)
        assert server.status()["bytes_sent"] == SIZE * len(clients), "no byte was sent twice"
