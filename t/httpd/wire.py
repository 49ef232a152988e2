"""The peer protocol by hand, for peers that misbehave and for looking at single pieces."""
import hashlib
import os
import socket
import struct

import bencode

CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE, BITFIELD, REQUEST, PIECE, CANCEL = range(9)
HAVE_ALL, HAVE_NONE, REJECT, ALLOWED_FAST = 14, 15, 16, 17
EXTENDED = 20
BLOCK = 16384
FAST = bytes(7) + b"\x04"
EXTENSIONS = bytes(5) + b"\x10\x00\x04"  # and the fast extension


class Closed(Exception):
    """The other side closed the connection."""


def handshake(info_hash, reserved=bytes(8), peer_id=None):
    return b"\x13BitTorrent protocol" + reserved + info_hash + (peer_id or b"-XX0001-" + os.urandom(6).hex().encode())


class Peer:
    """A connection to a seed. With an info_hash it shakes hands at once."""

    def __init__(self, address, info_hash=None, *, source=None, reserved=bytes(8), timeout=20, receive_buffer=None):
        if os.environ.get("BTHTTP_SANITIZE"):
            timeout *= 3
        self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.socket.settimeout(timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        self.buffer = b""
        self.choked = True
        self.all_shown, self.shown = False, set()  # which pieces the seed has, as far as it has told
        self.seen = []  # ids of messages, in order
        if info_hash is not None:
            self.raw(handshake(info_hash, reserved))
            self.read_handshake()
            self.info_hash = self.reply[28:48]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # --- bytes

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed from error

    def exactly(self, count):
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            try:
                part = self.socket.recv(1 << 18)
            except ConnectionResetError as error:
                raise Closed from error
            if not part:
                raise Closed
            parts.append(part)
            have += len(part)
        data = b"".join(parts)
        self.buffer = data[count:]
        return data[:count]

    def read_handshake(self):
        self.reply = self.exactly(68)
        assert self.reply[:20] == b"\x13BitTorrent protocol", self.reply

    def wait_closed(self):
        """Reads until the other side closes; anything that it says before is thrown away. Fails at the time-out."""
        try:
            while self.socket.recv(1 << 18):
                pass
        except ConnectionResetError:
            pass

    # --- messages

    def send(self, kind, payload=b""):
        self.raw(struct.pack(">IB", 1 + len(payload), kind) + payload)

    def receive(self):
        """The next message: (id, payload); keep-alives are passed over."""
        while (length := struct.unpack(">I", self.exactly(4))[0]) == 0:
            pass
        message = self.exactly(length)
        self.seen.append(message[0])
        if message[0] == UNCHOKE:
            self.choked = False
        if message[0] == CHOKE:
            self.choked = True
        if message[0] in (BITFIELD, HAVE_ALL):
            self.all_shown = True
        if message[0] == HAVE:
            self.shown.add(struct.unpack(">I", message[1:])[0])
        return message[0], message[1:]

    def until(self, kind):
        while True:
            got, payload = self.receive()
            if got == kind:
                return payload

    def interest(self):
        """Becomes an interested leecher, and waits until it is unchoked."""
        self.send(INTERESTED)
        while self.choked:
            self.receive()
        return self

    def request(self, piece, begin, length=BLOCK):
        self.send(REQUEST, struct.pack(">III", piece, begin, length))

    def block(self, piece, begin, length=BLOCK):
        """Asks for one block and waits for it."""
        self.request(piece, begin, length)
        payload = self.until(PIECE)
        assert struct.unpack(">II", payload[:8]) == (piece, begin)
        assert len(payload) == 8 + length
        return payload[8:]

    def wait_shown(self, *pieces):
        """Waits until we are told of these: in a crowd the seed shows them bit by bit. Nothing may be asked for at the time."""
        while not self.all_shown and not self.shown.issuperset(pieces):
            self.receive()
        return self

    def piece(self, torrent, index):
        """One whole piece, its SHA-1 checked."""
        self.wait_shown(index)
        size = torrent.piece_size(index)
        data = b"".join(self.block(index, at, min(BLOCK, size - at)) for at in range(0, size, BLOCK))
        if torrent.has_v1:
            assert hashlib.sha1(data).digest() == torrent.piece_hash(index), f"piece {index} failed its hash"
        return data


class ExtendedPeer(Peer):
    """One that speaks the extension protocol (BEP 10), and has shaken hands in it."""
    UT_METADATA, UT_PEX, LT_DONTHAVE = 7, 8, 9  # the numbers under which it takes messages

    def __init__(self, address, info_hash, *, says=None, **options):
        super().__init__(address, info_hash, reserved=EXTENSIONS, **options)
        names = {b"ut_metadata": self.UT_METADATA, b"ut_pex": self.UT_PEX, b"lt_donthave": self.LT_DONTHAVE}
        self.extended(0, bencode.encode({b"m": names, **(says or {})}))
        self.theirs = bencode.decode(self.extension(0))  # what the seed said
        self.numbers = self.theirs[b"m"]

    def extended(self, number, payload):
        self.send(EXTENDED, bytes([number]) + payload)

    def extension(self, number):
        """The next extension message under one of our numbers."""
        while (payload := self.until(EXTENDED))[0] != number:
            pass
        return payload[1:]

    def ask_metadata(self, part):
        self.extended(self.numbers[b"ut_metadata"], bencode.encode({b"msg_type": 0, b"piece": part}))

    def metadata_answer(self):
        """(its dictionary, the bytes behind it)"""
        return bencode.decode_first(self.extension(self.UT_METADATA))

    def metadata(self):
        """The whole infodict, in parts."""
        size = self.theirs[b"metadata_size"]
        infodict = b""
        for part in range(-(-size // BLOCK)):
            self.ask_metadata(part)
            header, data = self.metadata_answer()
            assert header == {b"msg_type": 1, b"piece": part, b"total_size": size}
            assert len(data) == min(BLOCK, size - part * BLOCK), "every part but the last is full"
            infodict += data
        return infodict


def refused(address, info_hash, **options):
    """Does the seed close instead of answering a handshake of this info-hash?"""
    try:
        Peer(address, info_hash, **options).close()
        return False
    except Closed:
        return True
