"""Message stream encryption, the side that calls: by steps for peers that misbehave, or at once for those that do not."""
import ctypes
import ctypes.util
import hashlib
import os
import random
import struct

from wire import Closed, Peer, handshake

PRIME = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
            "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563", 16)
PLAIN, RC4_STREAM = 1, 2
PAD_MAX = 512
VC = bytes(8)

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))


def sha1(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


class RC4:
    """One direction."""

    def __init__(self, key):
        self.state = ctypes.create_string_buffer(4096)  # RC4_KEY and room
        _crypto.RC4_set_key(self.state, ctypes.c_int(len(key)), key)
        self(bytes(1024))

    def __call__(self, data):
        out = ctypes.create_string_buffer(max(1, len(data)))
        _crypto.RC4(self.state, ctypes.c_size_t(len(data)), bytes(data), out)
        return out.raw[:len(data)]


class Initiator:
    """What a caller says, step by step: pure. `skey` is the info-hash that is the key."""

    def __init__(self, skey):
        self.skey = skey
        self.private = int.from_bytes(os.urandom(20), "big")
        self.public = pow(2, self.private, PRIME).to_bytes(96, "big")

    def agree(self, theirs):
        """Takes their public key; everything below needs it."""
        self.secret = pow(int.from_bytes(theirs, "big"), self.private, PRIME).to_bytes(96, "big")
        self.out = RC4(sha1(b"keyA", self.secret, self.skey))
        self.into = RC4(sha1(b"keyB", self.secret, self.skey))

    def hashes(self):
        """HASH('req1', S) and what names the torrent."""
        named = bytes(a ^ b for a, b in zip(sha1(b"req2", self.skey), sha1(b"req3", self.secret)))
        return sha1(b"req1", self.secret) + named

    def offer(self, provide=PLAIN | RC4_STREAM, pad_c=b"", ia=b"", vc=VC):
        return self.out(vc + struct.pack(">IH", provide, len(pad_c)) + pad_c + struct.pack(">H", len(ia)) + ia)

    def marker(self):
        """How their answer begins, wherever PadB ends. Once only."""
        return self.into(VC)


class EncryptedPeer(Peer):
    """A peer whose handshake is encrypted; `stream` says what was selected. With ia=True its handshake goes within it, with ia=bytes these as well.
    With shake=False it stops after the encrypted handshake."""

    def __init__(self, address, info_hash, *, provide=PLAIN | RC4_STREAM, skey=None, pad_a=None, pad_c=0, ia=True, shake=True,
                 reserved=bytes(8), **options):
        self.into = self.out = None  # RC4, if the stream is encrypted
        super().__init__(address, **options)
        self.initiator = Initiator(skey or info_hash)
        first = handshake(info_hash, reserved) + (ia if isinstance(ia, bytes) else b"")
        self.raw(self.initiator.public + os.urandom(random.randint(0, PAD_MAX) if pad_a is None else pad_a))
        self.initiator.agree(self.exactly(96))
        self.raw(self.initiator.hashes() + self.initiator.offer(provide, bytes(pad_c), first if ia and shake else b""))
        self.read_answer()
        if not shake:
            return
        if not ia:
            self.raw(first)
        self.read_handshake()
        self.info_hash = self.reply[28:48]

    def read_answer(self):
        """PadB, VC, crypto_select, PadD."""
        self.resync(self.initiator.marker())
        self.stream, length = struct.unpack(">IH", self.initiator.into(self.exactly(6)))
        self.initiator.into(self.exactly(length))
        if self.stream == RC4_STREAM:
            self.into, self.out = self.initiator.into, self.initiator.out
            self.buffer = self.into(self.buffer)

    def resync(self, marker):
        seen = self.exactly(len(marker))
        while not seen.endswith(marker):
            assert len(seen) < PAD_MAX + len(marker), "no answer within the longest PadB"
            seen += self.exactly(1)

    # --- bytes: as those of a plain peer, through the stream

    def raw(self, data):
        super().raw(self.out(data) if self.out else data)

    def exactly(self, count):
        if not self.into:
            return super().exactly(count)
        while len(self.buffer) < count:
            try:
                part = self.socket.recv(1 << 18)
            except ConnectionResetError as error:
                raise Closed from error
            if not part:
                raise Closed
            self.buffer += self.into(part)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data
