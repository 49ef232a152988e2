"""A crowd: from the fourth peer on, each is shown pieces bit by bit, and nobody is forgotten."""
import contextlib
import struct

import pytest

from clients import Aria2, Libtorrent, Rtorrent
from wire import FAST, HAVE, HAVE_ALL, HAVE_NONE, Peer

SIZE = 8 << 20
CONF = "BTHTTPMaxPeersPerIP 20\nBTHTTPPieceSize 64K\n"


@pytest.fixture
def server(httpd, content):
    server = httpd(conf=CONF, web_seed=False)
    server.publish(content(SIZE))
    server.address = (server.host, server.port)
    return server


def first_of(server):
    """Three that were there before the crowd, and that are told at once that we have everything."""
    peers = [Peer(server.address, server.made.hash, reserved=FAST) for _ in range(3)]
    for peer in peers:
        assert peer.receive()[0] == HAVE_ALL
    return peers


def shown_to(peer):
    """The first few pieces that it is shown without asking."""
    while len(peer.shown) < 4 or peer.choked:
        peer.receive()
    pieces = set(peer.shown)
    peer.interest()  # before it loses its place to those who are
    return pieces


def test_each_is_shown_other_pieces(server):
    first = first_of(server)
    crowd = [Peer(server.address, server.made.hash, reserved=FAST) for _ in range(5)]
    for peer in crowd:
        assert peer.receive()[0] == HAVE_NONE
    shown = [shown_to(peer) for peer in crowd]
    assert len(set.union(*shown)) == sum(map(len, shown)), "a piece was shown twice while others were shown to nobody"
    for peer, pieces in zip(crowd, shown):
        for index in pieces:
            peer.piece(server.made, index)
            peer.send(HAVE, struct.pack(">I", index))
        peer.wait_shown(*range(server.made.piece_count))  # it goes on: in the end everybody has been shown everything
    for peer in first + crowd:
        peer.close()


def test_a_client_without_the_fast_extension_begins_without_a_bitfield(server):
    first = first_of(server)
    with Peer(server.address, server.made.hash) as peer:
        pieces = shown_to(peer)
        assert set(peer.seen) <= {HAVE, 1}, "nothing but pieces and an unchoke"
        peer.piece(server.made, pieces.pop())
    for peer in first:
        peer.close()


def test_who_wants_nothing_of_what_it_is_shown_is_shown_the_rest(server):
    """It may want some files alone, or the beginning first."""
    first = first_of(server)
    with Peer(server.address, server.made.hash, reserved=FAST) as peer:
        peer.wait_shown(*range(server.made.piece_count))
        peer.interest().piece(server.made, 7)
    for peer in first:
        peer.close()


def test_a_crowd_survives_a_graceful_restart(server):
    first = first_of(server)
    crowd = [Peer(server.address, server.made.hash, reserved=FAST, timeout=60) for _ in range(3)]
    before = [shown_to(peer) for peer in crowd]
    server.graceful()
    for peer, pieces in zip(crowd, before):
        for index in pieces:
            peer.piece(server.made, index)
        peer.wait_shown(*range(server.made.piece_count))
    for peer in first + crowd:
        peer.close()


def test_real_clients_in_one_crowd(server, box, content):
    """All kinds, all at once, at a rate at which the seed cannot feed them all by itself for long."""
    server.write_conf(CONF + "BTHTTPUploadRate 4M\n")
    server.graceful()
    url = f"{server.base}/f.bin"
    with contextlib.ExitStack() as stack:
        crowd = [Aria2(box, url, "aria2-0"), Aria2(box, url, "aria2-1"), Rtorrent(box, server.made),
                 *[Libtorrent(box, f"lt-{n}").add(server.made) for n in range(3)]]
        for client in crowd:
            stack.enter_context(client)
        for client in crowd:
            client.wait()
            assert client.file.read_bytes() == content(SIZE)


def test_clients_that_want_a_part(server, box, content):
    """Among others who want all of it, some have deselected most: they get their part, and are not waited for."""
    first = first_of(server)
    count = server.made.piece_count
    parts = [[4 if low <= n < low + 4 else 0 for n in range(count)] for low in (0, count // 2, count - 4)]
    with contextlib.ExitStack() as stack:
        some = [Libtorrent(box, f"some-{n}").add(server.made, priorities=part) for n, part in enumerate(parts)]
        everything = [Libtorrent(box, f"all-{n}").add(server.made) for n in range(2)]
        for client in some + everything:
            stack.enter_context(client)
        for client, part in zip(some, parts):
            client.wait()
            length = server.made.piece_length
            with open(client.file, "rb") as file:
                for n in (n for n, wanted in enumerate(part) if wanted):
                    file.seek(n * length)
                    assert file.read(length) == content(SIZE)[n * length:(n + 1) * length]
            assert client.status().total_done < SIZE
        for client in everything:
            client.wait()
            assert client.file.read_bytes() == content(SIZE)
    for peer in first:
        peer.close()
