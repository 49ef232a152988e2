"""Hash requests of BEP 52: clients that have the infodict but no piece layers get them from the seed, with proofs."""
import hashlib
import struct

import pytest

from bencode import Torrent, encode
from clients import Libtorrent
from trees import CONF, TreeTorrent, check_tree, collection, put_tree
from wire import Closed, Peer

PIECE = 16 << 10
HASH_REQUEST, HASHES, HASH_REJECT = 21, 22, 23
V2 = bytes(7) + b"\x14"  # fast, and v2


def without_layers(torrent):
    """As a magnet link gives it: the infodict alone."""
    return Torrent(encode({b"info": torrent.info}))


@pytest.fixture
def serve(httpd, content):
    def make(size, version, name="f.bin", conf=""):
        server = httpd(web_seed=False, conf=f"BTHTTPTorrentVersion {version}\nBTHTTPPieceSize 16K\nBTHTTPMinSize 1\n{conf}")
        server.put(name, content(size))
        return server, server.torrent("/" + name)
    return make


# One chunk of 512 hashes and less; with uncles; the last of 513, which libtorrent asks for alone; three chunks.
@pytest.mark.parametrize("pieces", [2, 3, 512, 513, 514, 1300])
def test_libtorrent_without_piece_layers(serve, box, content, pieces):
    size = pieces * PIECE - 100
    server, torrent = serve(size, "v2")
    with Libtorrent(box) as client:
        client.add(without_layers(torrent), tracker=False)
        client.connect(server.host, server.port, v2=True)
        client.wait()
        assert client.file.read_bytes() == content(size)
    assert server.status()["hashes_sent"] >= (pieces + 511) // 512


@pytest.mark.parametrize("v2", [False, True], ids=["by the v1 hash", "by the v2 hash"])
def test_libtorrent_hybrid_without_piece_layers(serve, box, content, v2):
    """Who comes by the v1 hash with the bit of v2 set is answered with the v2 hash; only then libtorrent asks for hashes."""
    size = 700 * PIECE
    server, torrent = serve(size, "hybrid")
    with Libtorrent(box) as client:
        client.add(without_layers(torrent), tracker=False, priorities=[0] * 700)
        client.connect(server.host, server.port, v2=v2)
        client.wait_after_hashes(server, 2)
        assert client.file.read_bytes() == content(size)


@pytest.mark.parametrize("version", ["v2", "hybrid"])
def test_libtorrent_by_a_magnet_link(serve, box, content, version):
    """Nothing but the link: the infodict comes by ut_metadata, the hashes of all pieces by hash requests."""
    size = 1300 * PIECE + 1
    server, _ = serve(size, version)
    with Libtorrent(box) as client:
        client.add_magnet(server.magnet("/f.bin"), "f.bin", at_once=False)
        client.wait_after_hashes(server, 3)
        assert client.file.read_bytes() == content(size)


def test_libtorrent_collection_without_piece_layers(httpd, box, content):
    """Files of one piece, which have no layer, among larger ones."""
    tree = {name: content(size, seed) for seed, (name, size) in enumerate({
        "a.bin": 5, "b/c.bin": 600 * PIECE, "b/d.bin": PIECE, "e.bin": 3 * PIECE + 1, "z.bin": 2 * PIECE}.items())}
    server = httpd(start=False, web_seed=False)
    server.write_conf(CONF.format(docroot=server.docroot, more="BTHTTPTorrentVersion v2\nBTHTTPPieceSize 16K"))
    put_tree(server, "pub", tree)
    server.start()
    torrent = collection(server, "/pub")
    with Libtorrent(box) as client:
        client.add(TreeTorrent(encode({b"info": torrent.info})), tracker=False)
        client.connect(server.host, server.port, v2=True)
        client.wait()
        check_tree(client.file, tree)
    assert server.status()["hashes_sent"] >= 4


# --- by hand


class Tree:
    """The whole hash tree of a file, padding included, as BEP 52 defines it."""

    def __init__(self, data):
        blocks = [hashlib.sha256(data[i:i + 16384]).digest() for i in range(0, len(data), 16384)]
        while len(blocks) & (len(blocks) - 1):
            blocks.append(bytes(32))
        self.levels = [blocks]
        while len(self.levels[-1]) > 1:
            row = self.levels[-1]
            self.levels.append([hashlib.sha256(row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)])
        self.root = self.levels[-1][0]

    def answer(self, base, index, length, proofs):
        """The hashes that are due: nodes, then the uncle of each proof layer that does not follow from them."""
        nodes = self.levels[base][index:index + length]
        level, at = base + (length - 1).bit_length(), index // length
        while level <= min(base + proofs, len(self.levels) - 2):
            nodes.append(self.levels[level][at ^ 1])
            level, at = level + 1, at // 2
        return nodes


def request(root, base, index, length, proofs):
    return root + struct.pack(">IIII", base, index, length, proofs)


def ask(peer, body):
    """Asks, and returns (id, what follows the fields that must come back)."""
    peer.send(HASH_REQUEST, body)
    while True:
        kind, payload = peer.receive()
        if kind in (HASHES, HASH_REJECT):
            assert payload[:48] == body
            return kind, payload[48:]


def requests(tree):
    """Of each level: short ones and long ones, at the beginning, in the middle and at the end, with and without proofs."""
    height = len(tree.levels) - 1
    for base, row in enumerate(tree.levels[:-1]):
        for length in {2, min(16, len(row)), len(row)}:
            for index in {0, len(row) // 2 // length * length, len(row) - length}:
                for proofs in {0, 3, height - 1 - base}:
                    yield base, length, index, min(proofs, height)


def test_every_level_with_proofs_to_a_choked_peer(httpd, content):
    """Leaves, which must be read and hashed, the piece layer, and what is between and above; nobody is unchoked here."""
    size = 67 * (64 << 10) + 20000
    server = httpd(web_seed=False, conf="BTHTTPPieceSize 64K\nBTHTTPMinSize 1")
    server.put("f.bin", content(size))
    torrent = server.torrent("/f.bin")
    tree = Tree(content(size))
    with Peer((server.host, server.port), torrent.v2[:20], reserved=V2) as peer:
        for base, length, index, proofs in requests(tree):
            kind, hashes = ask(peer, request(tree.root, base, index, length, proofs))
            assert (kind, hashes) == (HASHES, b"".join(tree.answer(base, index, length, proofs))), (base, index, length, proofs)
        assert peer.choked
    assert server.status()["hashes_sent"] > 0


def test_what_cannot_be_answered_is_rejected(serve):
    server, torrent = serve(100 * PIECE, "v2")
    root = torrent.info[b"file tree"][b"f.bin"][b""][b"pieces root"]
    with Peer((server.host, server.port), torrent.v2[:20], reserved=V2) as peer:
        for body in (request(bytes(32), 0, 0, 2, 1),  # no file of that root
                     request(root, 0, 0, 0, 1), request(root, 0, 0, 3, 1), request(root, 0, 1, 2, 1),
                     request(root, 0, 128, 2, 1), request(root, 0, 0, 256, 1), request(root, 7, 0, 1, 0),
                     request(root, 1 << 31, 0, 2, 1), request(root, 0, 0xfffffffe, 2, 1), request(root, 0, 0, 2, 0xffffffff)):
            assert ask(peer, body) == (HASH_REJECT, b"")
        assert ask(peer, request(root, 0, 0, 2, 6))[0] == HASHES


def test_a_file_that_has_changed(serve, content):
    """Its leaves are not to be had any more: the torrent is withdrawn, and its peers are closed."""
    server, torrent = serve(100 * PIECE, "v2", conf="BTHTTPPieceSize 64K")
    root = torrent.info[b"file tree"][b"f.bin"][b""][b"pieces root"]
    with Peer((server.host, server.port), torrent.v2[:20], reserved=V2) as peer:
        assert ask(peer, request(root, 0, 0, 4, 6))[0] == HASHES
        server.put("f.bin", content(100 * PIECE, 2))
        with pytest.raises(Closed):
            while True:
                ask(peer, request(root, 0, 4, 4, 6))


def test_v1_peers_have_no_hash_requests(serve):
    server, torrent = serve(100 * PIECE, "hybrid")
    with Peer((server.host, server.port), torrent.v1, reserved=bytes(7) + b"\x04") as peer:
        assert peer.info_hash == torrent.v1
        peer.send(HASH_REQUEST, bytes(48))
        peer.wait_closed()
    with Peer((server.host, server.port), torrent.v1, reserved=V2) as peer:
        assert peer.info_hash == torrent.v2[:20]
        assert ask(peer, request(bytes(32), 0, 0, 2, 0))[0] == HASH_REJECT
