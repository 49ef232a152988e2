"""Swarms over restarts and crashes: graceful, stop and start, what is on disk damaged or old, children and the whole server killed."""
import contextlib
import hashlib
import os
import re
import signal
import struct
import threading

import pytest

from announce_http import OTHERS, numbers, peer_id, scrape
from conformance import serve
from httpd import peers_of
from udp_tracker import ANNOUNCE, UdpTracker
from waiting import wait_for

SIZE = 1 << 20
PEERS = 20


@pytest.fixture
def server(httpd, content):
    server = serve(httpd, conf="BTHTTPTrackerRate unlimited\n")
    return server.publish(content(SIZE))


def fill(server, count=PEERS):
    for i in range(count):
        server.announce(server.made.hash, port=7000, source=OTHERS[i], peer_id=peer_id(i), left=i % 2)


def check_full(server, count=PEERS):
    assert scrape(server) == numbers(1 + count // 2, count // 2)
    told = peers_of(server.announce(server.made.hash, port=7001, source=OTHERS[290], peer_id=peer_id(290)))
    assert told == {(server.host, server.port)} | {(OTHERS[i], 7000) for i in range(count)}
    server.announce(server.made.hash, port=7001, source=OTHERS[290], peer_id=peer_id(290), raw="&event=stopped")


def test_graceful_is_the_same_segment(server):
    """Its counters go on, too, which no copy has."""
    fill(server)
    before = server.status()
    for _ in range(3):
        server.graceful()
    after = server.status()
    assert after["tracker_announces"] == before["tracker_announces"] == PEERS
    assert after["tracker_memory_used"] == before["tracker_memory_used"]
    check_full(server)


@pytest.mark.parametrize("first,second", [("1M", "32M"), ("32M", "1M")])
def test_another_size_gets_a_copy(server, first, second):
    for size in (first, second):
        server.write_conf(server.base_conf + f"BTHTTPTrackerMemory {size}")
        server.graceful()
        fill(server) if size == first else None
        check_full(server)
        assert server.status()["tracker_memory_size"] == int(size[:-1]) << 20


def saved(server):
    return server.state_dir / "swarms"


def resealed(data, seconds):
    """The same swarms, saved so many seconds earlier, with the right sum."""
    when, = struct.unpack(">Q", data[8:16])
    data = data[:8] + struct.pack(">Q", when - seconds) + data[16:-32]
    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize("spoil,kept", [
    (lambda data: resealed(data, 0), True), (lambda data: resealed(data, 1700), True), (lambda data: resealed(data, 1900), False),
    (lambda data: resealed(data, -900), False), (lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:], False),
    (lambda data: data[:-1], False), (lambda data: b"", False), (lambda data: data + b"\0", False), (lambda data: os.urandom(5000), False)],
    ids=["sound", "in-time", "old", "of-the-future", "a-bit", "cut", "empty", "longer", "garbage"])
def test_saved_swarms_are_taken_up_if_they_are_sound_and_young(server, spoil, kept):
    fill(server)
    server.stop()
    assert saved(server).stat().st_mode & 0o777 == 0o600
    data = saved(server).read_bytes()
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]
    saved(server).write_bytes(spoil(data))
    server.start()
    if not kept:
        assert scrape(server) == numbers(1, 0)
        assert "BTH0003" in server.log()
        fill(server)
    check_full(server)


def test_the_whole_server_is_killed(server):
    """Nothing could be saved: it starts again with what an earlier stop had saved, if that is young, and the others come back."""
    server.expect("AH00098: pid file .* overwritten")
    fill(server, 10)
    server.stop()
    server.start()
    fill(server)
    pids = [server.pid, *server.children()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.process.wait()
    server.process = None
    wait_for("its children to be gone", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))
    server.start()
    check_full(server, 10)
    fill(server)
    check_full(server)


def ask_until_answered(server, **options):
    """A client whose connection was that of a child which was killed asks again."""
    while True:
        try:
            return server.announce(server.made.hash, **options)
        except (OSError, AssertionError):
            continue


def test_children_are_killed_under_load(server):
    """Any child at any moment: whoever asks again is answered, and no swarm is lost."""
    fill(server)
    server.expect("AH00052: child pid .* exit signal Killed|BTH0300: a process died while it changed swarms")
    stopping, answers = threading.Event(), []

    def load(number):
        while not stopping.is_set():
            ask_until_answered(server, port=7002, source=OTHERS[100 + number], peer_id=peer_id(100 + number))
            answers.append(number)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(15):
            count = len(answers)
            children = wait_for("children", server.children)
            os.kill(children[count % len(children)], signal.SIGKILL)
            wait_for("answers after it", lambda: len(answers) > count + 20, 30)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    wait_for("the tracker to answer", lambda: server.status()["seeder_pid"])
    for i in range(4):
        ask_until_answered(server, port=7002, source=OTHERS[100 + i], peer_id=peer_id(100 + i), raw="&event=stopped")
    check_full(server)


class Flood:
    """Announces by UDP without waiting for answers, each of which takes long to choose: the seeder's child mostly has the lock of the
    one swarm's shard."""

    def __init__(self, server):
        self.stopping = False
        self.tracker = UdpTracker("127.0.0.1", server.udp, "127.5.0.1").connect()
        body = self.tracker.body(server.made.hash, port=7777, numwant=200)
        self.packet = struct.pack(">QI", self.tracker.connection, ANNOUNCE) + b"tttt" + body
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopping:
            with contextlib.suppress(OSError):
                self.tracker.send(self.packet)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.tracker.socket.close()


def test_a_child_is_killed_while_it_holds_a_lock(server):
    """It is stopped at a random moment, again and again, until an announce to another child waits for the lock that it has; then it is
    killed. The announce is answered, the shard is made again, and nobody in it is lost."""
    for i in range(40):
        for port in range(1000, 1050):
            with UdpTracker("127.0.0.1", server.udp, f"127.4.0.{i + 1}") as tracker:
                tracker.announce(server.made.hash, port=port, numwant=0)
    known = scrape(server)[b"incomplete"]
    assert known == 2000
    server.expect("AH00052: child pid .* exit signal Killed")
    server.expect("BTH0300|BTH0301")
    answered = []

    def ask():
        answered.append(ask_until_answered(server, port=7001, source=OTHERS[290], peer_id=peer_id(290)))

    with Flood(server):
        for _ in range(300):
            holder = server.seeder()
            os.kill(holder, signal.SIGSTOP)
            answered.clear()
            asking = threading.Thread(target=ask)
            asking.start()
            asking.join(0.5)
            if not asking.is_alive():
                os.kill(holder, signal.SIGCONT)
                continue
            os.kill(holder, signal.SIGKILL)
            asking.join(20)
            assert answered, "it waits for a lock that nobody has"
            if "BTH0300" in server.log():
                break
    kept = [int(n) for n in re.findall(r"BTH0300: .* rebuilt, (\d+) peers kept", server.log())]
    assert kept and min(kept) >= known - 1
    wait_for("the next seeder", lambda: server.status()["seeder_pid"] not in (0, holder))
    assert scrape(server)[b"incomplete"] >= known
