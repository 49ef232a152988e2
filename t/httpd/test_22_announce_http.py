"""What real clients need of announces over HTTP, and what breaks them: a test for each."""
import hashlib
import os
import random
import socket
import struct
from collections import Counter
from urllib.parse import quote

import libtorrent as lt
import pytest

from announce_http import OTHERS, ask, base, numbers, peer_id, scrape
from bencode import decode, encode
from clients import Libtorrent
from http11 import Connection
from httpd import WELL_KNOWN, peers_of
from waiting import wait_for

SIZE = 2 << 20


@pytest.fixture
def server(httpd, content):
    return httpd().publish(content(SIZE))


@pytest.fixture
def both_families(httpd, content):
    server = httpd(start=False)
    server.write_conf(f"Listen [::1]:{server.port}")
    server.start()
    return server.publish(content(SIZE))


def itself(server):
    return (server.host, server.port)


def is_failure(answer):
    return (answer[b"failure reason"] and answer[b"interval"] > 0 and answer[b"min interval"] > 0 and b"peers" not in answer
            and (answer[b"retry in"] == b"never" or answer[b"retry in"] > 0))


def test_an_answer_says_nothing_of_torrents(server):
    """aria2 sends the user's headers to trackers, too."""
    response = server.get(f"{WELL_KNOWN}/announce?{base(server)}&port=7001&left=1", headers={"X-BT-Accept": "torrent"})
    assert response.status == 200 and decode(response.body)[b"peers"]
    assert response.header("X-BT-Status") is None


# --- errors


def test_errors_are_200_with_a_failure_reason(server, content):
    """With intervals, and `retry in` (BEP 31): "never", or minutes where waiting may help."""
    known = quote(server.made.hash, safe="")
    for query in ("", "&&==&", "info_hash=short", "info_hash=%zz", "peer_id=-XX0001-abcdefghijkl&port=1", base(server) + "&port=70000",
                  base(server) + "&port=x", base(server) + "&port=-1", base(server) + "&port=0", f"info_hash={known}%00&port=1"):
        assert is_failure(ask(server, query)), query
    unknown = server.announce(b"u" * 20)
    assert is_failure(unknown) and unknown[b"retry in"] > 0
    assert is_failure(ask(server, "", "scrape")) and is_failure(ask(server, "info_hash=short", "scrape"))
    server.put("f.bin", content(SIZE, 2))
    assert is_failure(changed := server.announce(server.made.hash)) and b"changed" in changed[b"failure reason"]


# --- the form of answers


@pytest.mark.parametrize("query", ["", "&numwant=0", "&left=0", "&left=0&compact=0", "&event=stopped", "&event=stopped&left=0", "&compact=0"])
def test_peers_are_always_sent(server, query):
    """Even where there are none: to a seed among seeds, to one that wants none or that goes."""
    answer = ask(server, base(server) + "&port=7000" + query)
    assert isinstance(answer[b"peers"], list if "compact=0" in query else bytes)


@pytest.mark.parametrize("said,compact", [("", True), ("&compact=1", True), ("&compact=", True), ("&compact=x", True), ("&compact=0", False)])
def test_compact_unless_compact_is_0(server, said, compact):
    peers = ask(server, base(server) + "&port=7000&left=1" + said)[b"peers"]
    if compact:
        assert peers == socket.inet_aton(server.host) + struct.pack(">H", server.port)
    else:
        assert peers == [{b"ip": server.host.encode(), b"port": server.port}]


def test_sorted_keys_text_plain_and_exact_length(server):
    """The decoder refuses keys that are not in order; ask() looks at the rest."""
    server.announce(server.made.hash, port=7000, source=OTHERS[0])
    answer = ask(server, base(server) + "&port=7001&left=1")
    assert list(answer) == sorted(answer) and len(answer) >= 7
    server.scrape(server.made.v2[:20], server.made.v1)


def segments_with_data(connection):
    """How many TCP segments with data came in so far (tcpi_data_segs_in)."""
    return struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 152)[0]


def test_one_write(server):
    """Head and body are one segment."""
    with Connection((server.host, server.port)) as connection:
        for count in range(1, 20):
            connection.request(f"{WELL_KNOWN}/announce?{base(server)}&port=7000&left=1")
            assert segments_with_data(connection.socket) == count


@pytest.mark.parametrize("version,header", [("1.0", None), ("1.0", "close"), ("1.0", "keep-alive"), ("1.1", "close")])
def test_http_1_0_and_connection_close(server, version, header):
    """All of the answer, and then the end, but where it was to stay open."""
    headers = {"Connection": header} if header else {}
    with Connection((server.host, server.port)) as connection:
        answer = connection.request(f"{WELL_KNOWN}/announce?{base(server)}&port=7000&left=1", headers, version=version,
                                    host=None if version == "1.0" else "localhost")
        assert answer.status == 200 and b"peers" in decode(answer.body)
        assert answer.header("Content-Length") == str(len(answer.body)) and answer.header("Transfer-Encoding") is None
        if header != "keep-alive":
            assert connection.file.read() == b""


def test_no_gzip_on_announces(server):
    """Though the configuration compresses plain text."""
    server.put("plain.txt", b"text " * 1000)
    assert server.get("/plain.txt", {"Accept-Encoding": "gzip"}).header("Content-Encoding") == "gzip"
    for path in ("announce", "scrape"):
        answer = server.get(f"{WELL_KNOWN}/{path}?{base(server)}&port=7000&left=1", {"Accept-Encoding": "gzip, deflate, br"})
        assert answer.header("Content-Encoding") is None and decode(answer.body)


# --- what is said of oneself


def name_with_hash(torrent, wanted):
    """Another name, by which the same bytes have a v1 info-hash with all of these bytes in it; and that hash."""
    assert encode(torrent.info) == torrent.infodict
    for number in range(1 << 20):
        name = b"%06d.bin" % number
        info = {**torrent.info, b"name": name, b"file tree": {name: torrent.info[b"file tree"][torrent.name]}}
        digest = hashlib.sha1(encode(info)).digest()
        if all(byte in digest for byte in wanted):
            return name.decode(), digest
    raise AssertionError("no such name")


def test_the_info_hash_is_20_raw_bytes(server, content):
    """Literal and %xx mixed, any hex case, NULs; a plus is a plus, and nothing goes through UTF-8."""
    name, digest = name_with_hash(server.made, b"\0+\xff")
    server.put(name, content(SIZE))
    torrent = server.torrent("/" + name)
    assert torrent.v1 == digest
    def unreserved(byte):
        return chr(byte).isalnum() and byte < 128 or chr(byte) in "+-._~!*'():@,;$/?"
    codes = (lambda b: f"%{b:02x}", lambda b: f"%{b:02X}", lambda b: chr(b) if unreserved(b) else f"%{b:02X}",
             lambda b: f"%{b:02x}" if b % 2 else chr(b) if unreserved(b) else f"%{b:02X}")
    for port, code in enumerate(codes, 7000):
        answer = ask(server, f"info_hash={''.join(map(code, digest))}&peer_id=-XX0001-abcdefghijkl&port={port}&left=1")
        assert answer.get(b"incomplete") == port - 6999, "all of them are in one swarm"
    spaces = quote(digest, safe="").replace("%2B", "%20")
    assert is_failure(ask(server, f"info_hash={spaces}&port=7000&left=1")), "no plus is a space"
    with Connection((server.host, server.port)) as connection:  # bytes as they are, above ASCII as well
        raw = b"".join(bytes([b]) if b > 127 else b"%%%02x" % b for b in digest)
        connection.socket.sendall(b"GET " + WELL_KNOWN.encode() + b"/announce?info_hash=" + raw + b"&port=7009&left=1 HTTP/1.0\r\n\r\n")
        assert decode(connection.response().body).get(b"incomplete") == len(codes) + 1


@pytest.mark.parametrize("left,seed", [("", False), ("&left=", False), ("&left=16384", False), ("&left=4294967296", False),
                                       ("&left=9223372036854775807", False), ("&left=18446744073709551616", False),
                                       ("&left=-1", False), ("&left=x", False), ("&left=0", True)])
def test_left_is_64_bits_and_missing_is_a_leecher(server, left, seed):
    ask(server, base(server) + "&port=7000" + left)
    assert scrape(server)[b"incomplete"] == (0 if seed else 1)


def test_numwant_minus_one_is_the_default_and_0_is_none(server):
    for i in range(250):
        server.announce(server.made.hash, port=7000, source=OTHERS[i], peer_id=peer_id(i), keep_alive=False)
    me = {"port": 7000, "source": OTHERS[299], "peer_id": peer_id(299)}
    for said, number in (("", 50), ("&numwant=-1", 50), ("&numwant=", 50), ("&numwant=0", 0), ("&numwant=10", 10),
                         ("&numwant=200", 200), ("&numwant=99999999999", 200)):
        assert len(peers_of(server.announce(server.made.hash, raw=said, **me))) == number, said


@pytest.mark.parametrize("event", ["started", "paused", "", "unknown", "completed", None])
def test_left_decides_whatever_the_event(server, event):
    said = "" if event is None else f"&event={event}"
    server.announce(server.made.hash, left=1, raw=said, port=7000)
    assert scrape(server) == numbers(1, 1, paused=event == "paused")
    server.announce(server.made.hash, left=0, raw=said, port=7000)
    assert scrape(server) == numbers(2, 0, 1)


def test_completed_counts_once_a_peer(server):
    for _ in range(3):
        server.announce(server.made.hash, left=0, raw="&event=completed", port=7000)
    assert scrape(server)[b"downloaded"] == 1
    server.announce(server.made.hash, left=1, port=7000)  # it checks its file again, and has a piece to get
    server.announce(server.made.hash, left=0, raw="&event=completed", port=7000)
    assert scrape(server)[b"downloaded"] == 1
    server.announce(server.made.hash, left=0, raw="&event=completed", port=7001)
    assert scrape(server)[b"downloaded"] == 2


def test_the_port_may_be_left_out_and_a_stopped_may_carry_0(server):
    for wrong in ("0", "65536", "-1", "x", "", "70000"):
        assert is_failure(ask(server, f"{base(server)}&left=1&port={wrong}")), wrong
    answer = ask(server, f"{base(server)}&left=1")
    assert (b"peers" in answer and answer[b"incomplete"] == 0), "aria2: told of others, but kept by no one"
    for right in ("1", "65535"):
        ask(server, f"{base(server)}&left=1&port={right}")
    assert scrape(server)[b"incomplete"] == 2
    assert b"peers" in ask(server, f"{base(server)}&left=1&port=0&event=stopped")
    assert b"peers" in ask(server, f"{base(server)}&left=1&event=stopped")
    assert scrape(server)[b"incomplete"] == 2
    ask(server, f"{base(server)}&left=1&port=1&event=stopped")
    assert scrape(server)[b"incomplete"] == 1


@pytest.mark.parametrize("query", ["&key=x&trackerid=y", "&no_peer_id=1", "&compact=0&no_peer_id=1", "&supportcrypto=1&requirecrypto=1",
                                   "&cryptoport=7", "&corrupt=0&redundant=0", "&uploaded=x&downloaded=", "&&&=&a", "&info_hash=again"])
def test_other_parameters_are_accepted(server, query):
    assert b"peers" in ask(server, base(server) + "&port=7000&left=1" + query)


# --- who is asking


def test_the_address_is_the_connections(server):
    """Nobody speaks for another: thousands of peers could be sent to a victim."""
    victims = "&ip=192.0.2.7&ipv4=192.0.2.8&ipv6=2001%3adb8%3a%3a9&ip=%5b2001%3adb8%3a%3a9%5d%3a80"
    forwarded = {"X-Forwarded-For": "192.0.2.10", "Forwarded": "for=192.0.2.11", "X-Real-IP": "192.0.2.12", "Client-IP": "192.0.2.13"}
    answer = server.announce(server.made.hash, port=7000, source=OTHERS[0], raw=victims, headers=forwarded)
    assert answer[b"external ip"] == socket.inet_aton(OTHERS[0])
    answer = server.announce(server.made.hash, port=7001, source=OTHERS[1], peer_id=peer_id(1))
    assert peers_of(answer) == {itself(server), (OTHERS[0], 7000)} and b"peers6" not in answer


def test_the_address_is_what_mod_remoteip_says(httpd, content):
    """Of the proxies that are listed, and of nobody else."""
    server = httpd(modules=["remoteip"], conf="RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.8.0.1\n"
                                             "BTHTTPTrackerPrivateAddresses allow\nBTHTTPPeerAddress 127.0.0.1")
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    for source, said, address in (("127.8.0.1", "198.51.100.7", "198.51.100.7"), ("127.8.0.1", "2001:db8::7", "2001:db8::7"),
                                  ("127.8.0.1", "::ffff:198.51.100.9", "198.51.100.9"), ("127.8.0.2", "198.51.100.8", "127.8.0.2")):
        answer = server.announce(torrent.hash, port=7000, source=source, headers={"X-Forwarded-For": said})
        assert answer[b"external ip"] == socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    answer = server.announce(torrent.hash, port=7001, source="127.8.0.3")
    assert peers_of(answer) == {itself(server), ("198.51.100.7", 7000), ("198.51.100.9", 7000), ("127.8.0.2", 7000)}
    assert answer[b"peers6"] == socket.inet_pton(socket.AF_INET6, "2001:db8::7") + struct.pack(">H", 7000)


def test_v4_in_peers_and_v6_in_peers6(both_families):
    """A client that announces from an address of each family is a peer of each, and told of both."""
    server, six = both_families, ("::1", both_families.port)
    server.announce(server.made.hash, port=7000, source=OTHERS[0])
    server.announce(server.made.hash, port=7000, address=six)
    for where in ({"source": OTHERS[1]}, {"address": six}):
        answer = server.announce(server.made.hash, port=7001, peer_id=peer_id(1), **where)
        v6 = "address" in where
        own = {socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">H", port) for port in ([7000, server.port] if v6 else [7000])}
        assert {answer[b"peers6"][i:i + 18] for i in range(0, len(answer[b"peers6"]), 18)} == own
        assert peers_of(answer) == {(OTHERS[0], 7000)} | ({(OTHERS[1], 7001)} if v6 else {itself(server)})
        assert answer[b"external ip"] == (socket.inet_pton(socket.AF_INET6, "::1") if v6 else socket.inet_aton(OTHERS[1]))


def test_a_hybrids_two_hashes_are_two_swarms(server):
    """The second is the truncated SHA-256; both have the server as their seed, and no peer of one is told to the other."""
    hashes = {server.made.v1: 7001, server.made.v2[:20]: 7002}
    for round in range(2):
        for info_hash, port in hashes.items():
            answer = server.announce(info_hash, port=port + 10 * round, source=OTHERS[round], peer_id=peer_id(round))
            assert peers_of(answer) == {itself(server)} | ({(OTHERS[0], port)} if round else set())
    assert is_failure(server.announce(server.made.v2[12:])), "no other part of it is a hash"


# --- whom one is told of


def test_seeds_are_not_given_to_seeds(server):
    server.announce(server.made.hash, port=7000, left=0, source=OTHERS[0], peer_id=peer_id(0))
    answer = server.announce(server.made.hash, port=7001, left=0, source=OTHERS[1], peer_id=peer_id(1))
    assert peers_of(answer) == set() and b"peers" in answer
    answer = server.announce(server.made.hash, port=7002, source=OTHERS[2], peer_id=peer_id(2))
    assert peers_of(answer) == {itself(server), (OTHERS[0], 7000), (OTHERS[1], 7001)}
    assert answer[b"complete"] == 3
    answer = server.announce(server.made.hash, port=7001, left=0, source=OTHERS[1], peer_id=peer_id(1))
    assert peers_of(answer) == {(OTHERS[2], 7002)}


def test_nobody_is_given_itself(server):
    """Neither in a small swarm nor in a large one, nor after coming back with another id."""
    for i in range(60):
        for number in (i, i + 1000):
            answer = server.announce(server.made.hash, port=7000, source=OTHERS[i], peer_id=peer_id(number), raw="&numwant=200")
            assert (OTHERS[i], 7000) not in peers_of(answer) and len(peers_of(answer)) == i + 1


def test_no_order_by_address_or_id(server):
    """Of 200 leechers each has its turn, whatever its address, its id, and when it came."""
    ids = list(range(200))
    random.Random(7).shuffle(ids)
    for i in range(200):
        server.announce(server.made.hash, port=7000, source=OTHERS[i], peer_id=peer_id(ids[i]))
    seen = Counter()
    for _ in range(100):
        seen.update(peers_of(server.announce(server.made.hash, port=7000, source="127.77.0.1", peer_id=peer_id(999))))
    del seen[itself(server)]
    total = sum(seen.values())
    assert total == 4900 and len(seen) == 200 and min(seen.values()) >= 5
    for order in (range(200), sorted(range(200), key=ids.__getitem__)):
        order = list(order)
        for quarter in range(4):
            share = sum(seen[OTHERS[i], 7000] for i in order[50 * quarter:50 * quarter + 50]) / total
            assert 0.2 < share < 0.3, "a quarter has a quarter"


def test_the_server_itself_is_in_every_answer_to_a_leecher(server):
    """However few are wanted and however many there are; it is counted, and never expires."""
    server.write_conf("BTHTTPTrackerInterval 10s")
    server.graceful()
    for i in range(100):
        answer = server.announce(server.made.hash, port=7000, source=OTHERS[i], peer_id=peer_id(i), raw="&numwant=1" if i % 2 else "")
        assert answer[b"peers"][:6] == socket.inet_aton(server.host) + struct.pack(">H", server.port), "it is the first"
        assert answer[b"complete"] == 1
    wait_for("all others to expire", lambda: scrape(server)[b"incomplete"] == 0, 60)
    assert scrape(server)[b"complete"] == 1
    assert peers_of(server.announce(server.made.hash, port=7001)) == {itself(server)}


# --- scrape


def test_a_scrape_of_repeated_info_hashes(server, content):
    """Zeros for what is published and has no peers, nothing for what is not."""
    server.put("g.bin", content(SIZE, 2))
    other = server.torrent("/g.bin")
    server.announce(server.made.hash, port=7000)
    hashes = [server.made.v1, server.made.v2[:20], other.v1, b"u" * 20, server.made.v1]
    files = server.scrape(*hashes)[b"files"]
    assert files == {server.made.v1: numbers(1, 1), server.made.v2[:20]: numbers(1, 0), other.v1: numbers(1, 0)}
    server.write_conf("BTHTTPPeerPorts off")
    server.graceful()
    assert server.scrape(other.v1)[b"files"][other.v1] == numbers(0, 0)


@pytest.mark.parametrize("path", [None, "/bt"])
def test_the_scrape_url_is_announces_with_the_first_announce_replaced(httpd, content, box, path):
    """As libtorrent does it, wherever in the URL it is."""
    server = httpd(conf=f"BTHTTPPath {path}" if path else "")
    server.put("f.bin", content(SIZE))
    torrent = server.torrent("/f.bin")
    url = torrent.meta[b"announce"].decode().replace("announce", "scrape", 1)
    answer = server.get(url.removeprefix(server.base) + "?info_hash=" + quote(torrent.hash, safe=""))
    assert torrent.hash in decode(answer.body)[b"files"]
    with Libtorrent(box, alert_mask=lt.alert.category_t.tracker_notification) as client:
        client.add(torrent)
        client.handle.scrape_tracker()

        def scraped():
            alerts = client.session.pop_alerts()
            assert not [a.message() for a in alerts if isinstance(a, lt.scrape_failed_alert)]
            return [a for a in alerts if isinstance(a, lt.scrape_reply_alert)]
        assert wait_for("libtorrent's scrape", scraped)[0].complete >= 1


def test_a_path_with_announce_in_it_stops_the_start(httpd):
    server = httpd(start=False)
    server.write_conf("BTHTTPPath /announcements")
    result = server.command("-t")
    assert result.returncode != 0 and "the first \"announce\" of the URL" in result.stderr


def test_a_scrape_of_unknown_hashes_never_allocates(server):
    server.announce(server.made.hash, port=7000)
    before = server.status()
    for start in range(20):
        answer = server.scrape(*[os.urandom(20) for _ in range(100)])
        assert answer[b"files"] == {}
    after = server.status()
    assert [after[name] - before[name] for name in ("tracker_swarms", "tracker_memory_used")] == [0, 0]


def test_at_most_100_are_scraped(server):
    unknown = [os.urandom(20) for _ in range(100)]
    assert server.made.hash in server.scrape(*unknown[:99], server.made.hash)[b"files"]
    assert server.scrape(*unknown, server.made.hash)[b"files"] == {}
