"""Churn: peers of all kinds come and go, files change, the server is restarted, and some mean ill; and a look at whether the
server is afterwards as it was. For bench/soak, and for a short form of it among the tests."""
import contextlib
import os
import random
import re
import statistics
import struct
import threading
import time
from pathlib import Path

import wire
from clients import Libtorrent
from mse import PLAIN, RC4_STREAM, EncryptedPeer
from waiting import wait_for

# One child, so that all that grows grows there; small files of their own torrents; nothing that another test would share.
CONF = """BTHTTPMinSize 16K
BTHTTPPieceSize 16K
BTHTTPMaxPeers 400
BTHTTPMaxPeersPerIP 20
BTHTTPTrackerMemory 1M
StartServers 1
ServerLimit 4
ThreadsPerChild 10
MaxRequestWorkers 40
MinSpareThreads 1
MaxSpareThreads 40
"""
FILES = 12
KEPT = 30        # peers that stay for a while
SAMPLES = 8      # looks at memory in each half
# Bytes by which the last looks may exceed the first: pools and arenas that were not yet full; AddressSanitizer keeps what was freed.
MEMORY = 256 << 20 if os.environ.get("BTHTTP_SANITIZE") else 1 << 20
DESCRIPTORS = 3  # the same: a connection of HTTP's that is about to go
RESERVED = (wire.FAST, bytes(8), b"\0\0\0\0\0\x10\0\x14")


class Pause(threading.Thread):
    """A peer that never stops reading: its longest time without a byte around each restart."""

    def __init__(self, address, torrent, name):
        super().__init__(daemon=True)
        self.peer = wire.Peer(address, torrent.v1, reserved=wire.FAST, source="127.5.5.5", timeout=60)
        self.torrent, self.name, self.over, self.failed = torrent, name, False, None
        self.longest = 0.0

    def run(self):
        try:
            self.peer.interest().wait_shown(0)
            for _ in range(4):
                self.peer.request(0, 0, 1024)
            last = time.monotonic()
            while not self.over:
                self.peer.until(wire.PIECE)
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
                time.sleep(0.02)
                self.peer.request(0, 0, 1024)
        except (wire.Closed, OSError) as error:
            self.failed = self.failed or repr(error)

    def take(self):
        """The longest pause since it was last asked."""
        longest, self.longest = self.longest, 0.0
        return longest

    def end(self):
        self.over = True
        self.join()
        self.peer.close()


class Soak:
    """Half of the time without restarts, so that what one child loses adds up; then with them, so that what each loses does."""

    def __init__(self, server, box, seconds, pace=30, seed=1):
        self.server, self.box, self.seconds, self.pause = server, Path(box), seconds, 1 / pace
        self.random = random.Random(seed)
        self.files, self.peers, self.counts = {}, [], {}
        self.pauses = []
        for n in range(FILES):
            self.change(f"f{n}.bin")
        self.steady = server.put("steady.bin", self.random.randbytes(64 << 10))
        self.steady_torrent = server.torrent("/steady.bin")

    # --- what happens

    def change(self, name):
        """A file is written anew, often with another size: its peers are closed, another torrent takes its place."""
        content = self.random.randbytes(self.random.choice((20, 100, 300)) << 10)
        self.server.put(name, content)
        self.files[name] = content, self.server.torrent("/" + name)

    def connect(self, source=None):
        name = self.random.choice(list(self.files))
        content, torrent = self.files[name]
        address = (self.server.host, self.server.port)
        options = {"source": source or f"127.77.{self.random.randrange(4)}.{self.random.randrange(1, 30)}",
                   "reserved": self.random.choice(RESERVED)}
        way = self.random.randrange(4)
        if way < 2:
            peer = wire.Peer(address, torrent.v1 if way else torrent.v2[:20], **options)
        else:
            peer = EncryptedPeer(address, torrent.v1, provide=PLAIN if way == 2 else RC4_STREAM, **options)
        peer.content, peer.torrent = content, torrent
        return peer

    def arrive(self):
        if len(self.peers) >= KEPT:
            self.leave()
        self.peers.append(self.connect())

    def leave(self):
        """Some in the middle of what they asked for."""
        if self.peers:
            peer = self.peers.pop(self.random.randrange(len(self.peers)))
            with contextlib.suppress(wire.Closed), peer:  # its file may have changed
                if not peer.choked and self.random.random() < 0.5:
                    self.ask(peer, 20)

    def ask(self, peer, count):
        blocks = [self.random.randrange(peer.torrent.piece_count) for _ in range(count)]
        for block in blocks:
            peer.request(block, 0, min(wire.BLOCK, peer.torrent.piece_size(block)))
        return blocks

    def download(self):
        """A few blocks, compared with the file."""
        if not self.peers:
            return
        peer = self.random.choice(self.peers)
        try:
            peer.interest().wait_shown(*range(peer.torrent.piece_count))
            wanted = len(self.ask(peer, 5))
            while wanted:
                kind, payload = peer.receive()
                if kind == wire.REJECT or kind == wire.CHOKE:
                    break
                if kind == wire.PIECE:
                    piece, begin = struct.unpack(">II", payload[:8])
                    at = piece * peer.torrent.piece_length + begin
                    assert payload[8:] == peer.content[at:at + len(payload) - 8], "a block was wrong"
                    wanted -= 1
        except wire.Closed:  # its file was changed
            peer.close()
            self.peers.remove(peer)

    def mean_ill(self):
        """Each kind of peer that is closed, and some that are only silent. From another address each time: they are banned."""
        source = f"127.66.{self.random.randrange(256)}.{self.random.randrange(1, 255)}"
        address = (self.server.host, self.server.port)
        kind = self.random.randrange(6)
        with contextlib.suppress(wire.Closed, OSError):
            if kind == 0:
                wire.Peer(address, os.urandom(20), source=source).close()
            elif kind == 1:
                with wire.Peer(address, source=source) as peer:
                    peer.raw(b"\x13BitTorrent protocol" + bytes(8) + b"half a hash")
            elif kind == 2:
                with wire.Peer(address, source=source) as peer:  # it might be an encrypted handshake
                    peer.raw(b"\x13" + os.urandom(200))
            else:
                with self.connect(source) as peer:
                    peer.raw({3: b"\x7f\xff\xff\xff\x14", 4: struct.pack(">IBIII", 13, wire.REQUEST, 1 << 30, 0, 16384),
                              5: struct.pack(">IBI", 5, wire.HAVE, 0) * 3000}[kind])
                    peer.wait_closed()

    def ask_http(self):
        name = self.random.choice(list(self.files))
        content, torrent = self.files[name]
        at = self.random.randrange(len(content) - 1000)
        response = self.server.get("/" + name, {"Range": f"bytes={at}-{at + 999}", "Connection": "close"})
        assert (response.status, response.body) == (206, content[at:at + 1000])
        self.server.announce(torrent.v1, port=self.random.randrange(1024, 60000), headers={"Connection": "close"},
                             source=f"127.88.{self.random.randrange(256)}.1")

    def real_client(self):
        name = self.random.choice(list(self.files))
        content, torrent = self.files[name]
        with Libtorrent(self.box, f"lt{self.counts.get('real_client', 0)}") as client:
            client.add(torrent)
            client.wait()
            assert client.file.read_bytes() == content
            client.file.unlink()
        client.dir.rmdir()

    def restart(self):
        before = self.server.seeder()
        self.steady_peer.take()
        self.server.graceful()
        self.server.seeder(other_than=before)
        wait_for("the peers to be there", lambda: self.server.status()["peers"] >= 1)
        wait_for("the old child to be gone", lambda: before not in self.server.children())
        self.pauses.append(self.steady_peer.take())

    STEPS = (("arrive", 30), ("download", 30), ("leave", 10), ("mean_ill", 15), ("ask_http", 12), ("change_one", 2),
             ("real_client", 1))

    def change_one(self):
        self.change(self.random.choice(list(self.files)))

    def step(self):
        name = self.random.choices([name for name, _ in self.STEPS], [weight for _, weight in self.STEPS])[0]
        getattr(self, name)()
        self.counts[name] = self.counts.get(name, 0) + 1

    # --- what is looked at

    def empty(self):
        """Everybody goes, but for the one that watches."""
        for peer in self.peers:
            peer.close()
        self.peers.clear()
        wait_for("all peers to be gone", lambda: self.server.status()["peers"] <= 1, 60)

    def look(self):
        """(own memory, descriptors) of child and parent, with nobody there."""
        self.empty()
        return [own(pid) for pid in (self.server.seeder(), self.server.pid)]

    def half(self, restarts):
        """Churn, with a look at the end of each eighth."""
        looks = []
        for n in range(SAMPLES):
            end = time.monotonic() + self.seconds / 2 / SAMPLES
            if restarts:
                self.restart()
            while time.monotonic() < end:
                start = time.monotonic()
                self.step()
                time.sleep(max(0.0, self.pause - (time.monotonic() - start)))
            looks.append(self.look())
        return looks

    def run(self):
        """@return {what: (first, last)} of what grew; the looks are in self.looks"""
        self.steady_peer = Pause((self.server.host, self.server.port), self.steady_torrent, "steady")
        self.steady_peer.start()
        try:
            self.looks = {"one child": self.half(False), "restarts": self.half(True)}
        finally:
            self.empty()
            self.steady_peer.end()
        assert not self.steady_peer.failed, f"the peer that stays was cut off: {self.steady_peer.failed}"
        return {key: value for key, value in self.compared().items() if value[1] > value[0] + value[2]}

    def compared(self):
        """{what: (first quarter, last quarter, what is allowed)}"""
        found = {}
        for half, looks in self.looks.items():
            for whose, process in enumerate(("child", "parent")):
                for what, unit in enumerate(("memory", "descriptors")):
                    numbers = [look[whose][what] for look in looks]
                    first, last = numbers[1:1 + SAMPLES // 4], numbers[-(SAMPLES // 4):]
                    found[f"{half}: {unit} of the {process}"] = (statistics.median(first), statistics.median(last),
                                                                 (MEMORY, DESCRIPTORS)[what])
        return found


def own(pid):
    """(bytes that only this process has and has written, open descriptors)"""
    dirty = re.search(r"^Private_Dirty: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(dirty[1]) * 1024, len(os.listdir(f"/proc/{pid}/fd"))
