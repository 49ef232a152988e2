"""Bencode and torrents, as a test needs them: strict, and keeping the very bytes of the infodict."""
import hashlib


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    items = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in value.items())
    return b"d" + b"".join(encode(k) + encode(v) for k, v in items) + b"e"


def decode(data, spans=None):
    """Decodes all of data, failing on anything not canonical. spans, if given, gets {key: bytes} of the top level."""
    value, end = _decode(data, 0, spans)
    assert end == len(data), f"{len(data) - end} bytes after the end"
    return value


def decode_first(data):
    """Decodes the value at the beginning of data. Returns it and what is behind it."""
    value, end = _decode(data, 0)
    return value, data[end:]


def _integer(digits, signed):
    assert digits == b"0" or digits.lstrip(b"-")[:1] not in (b"0", b""), f"bad integer {digits!r}"
    assert signed or not digits.startswith(b"-")
    return int(digits)


def _decode(data, at, spans=None):
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return _integer(data[at + 1:end], True), end + 1
    if kind == b"l":
        at += 1
        result = []
        while data[at:at + 1] != b"e":
            value, at = _decode(data, at)
            result.append(value)
        return result, at + 1
    if kind == b"d":
        at += 1
        result = {}
        last = None
        while data[at:at + 1] != b"e":
            key, at = _decode(data, at)
            assert isinstance(key, bytes) and (last is None or key > last), f"keys not sorted: {last!r}, {key!r}"
            value, end = _decode(data, at)
            if spans is not None:
                spans[key] = data[at:end]
            result[key] = value
            last, at = key, end
        return result, at + 1
    assert kind.isdigit(), f"no bencode at {at}: {data[at:at + 20]!r}"
    colon = data.index(b":", at)
    length = _integer(data[at:colon], False)
    assert colon + 1 + length <= len(data)
    return data[colon + 1:colon + 1 + length], colon + 1 + length


class Torrent:
    """A .torrent of one file."""

    def __init__(self, data):
        spans = {}
        self.data = data
        self.meta = decode(data, spans)
        self.info = self.meta[b"info"]
        self.infodict = spans[b"info"]
        self.name = self.info[b"name"]
        self.has_v1 = b"pieces" in self.info
        self.has_v2 = self.info.get(b"meta version") == 2
        self.v1 = hashlib.sha1(self.infodict).digest() if self.has_v1 else None
        self.v2 = hashlib.sha256(self.infodict).digest() if self.has_v2 else None
        self.piece_length = self.info[b"piece length"]
        self.length = self.info[b"length"] if self.has_v1 else self._v2_file()[b"length"]

    def _v2_file(self):
        tree = self.info[b"file tree"]
        assert list(tree) == [self.name] and list(tree[self.name]) == [b""]
        return tree[self.name][b""]

    @property
    def hash(self):
        """The 20 bytes by which the wire and the tracker know it first."""
        return self.v1 if self.has_v1 else self.v2[:20]

    @property
    def piece_count(self):
        return -(-self.length // self.piece_length)

    def piece_size(self, index):
        return min(self.piece_length, self.length - index * self.piece_length)

    def piece_hash(self, index):
        return self.info[b"pieces"][20 * index:20 * index + 20]

    def check(self, content):
        """Does it describe these bytes, in each of its versions?"""
        assert self.length == len(content)
        if self.has_v1:
            want = b"".join(hashlib.sha1(content[i:i + self.piece_length]).digest()
                            for i in range(0, len(content), self.piece_length))
            assert self.info[b"pieces"] == want
        if self.has_v2:
            self._check_v2(content)

    def _check_v2(self, content):
        file = self._v2_file()
        if not content:
            assert b"pieces root" not in file
            return
        leaves = [hashlib.sha256(content[i:i + 16384]).digest() for i in range(0, len(content), 16384)]
        root = file[b"pieces root"]
        layers = self.meta.get(b"piece layers", {})
        if len(content) <= self.piece_length:
            assert root == _merkle(leaves, _power(len(leaves)), bytes(32)) and layers == {}
            return
        per = self.piece_length // 16384
        nodes = [_merkle(leaves[i:i + per], per, bytes(32)) for i in range(0, len(leaves), per)]
        assert layers == {root: b"".join(nodes)}
        assert root == _merkle(nodes, _power(len(nodes)), _merkle([bytes(32)], per, bytes(32)))


def _power(n):
    return 1 << max(0, n - 1).bit_length()


def _merkle(nodes, width, pad):
    nodes = nodes + [pad] * (width - len(nodes))
    while len(nodes) > 1:
        nodes = [hashlib.sha256(nodes[i] + nodes[i + 1]).digest() for i in range(0, len(nodes), 2)]
    return nodes[0]
