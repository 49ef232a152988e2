"""Torrents of several files, and directories to make them of."""
import hashlib

from bencode import Torrent
from waiting import wait_for

CONF = """<Directory "{docroot}">
BTHTTPCollection On
BTHTTPMinSize 1
{more}
</Directory>
"""


class TreeTorrent(Torrent):
    """A .torrent of several files: `files` says their lengths by path, as bytes."""

    def __init__(self, data):
        from bencode import decode
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
        views = ([self._v1_files()] if self.has_v1 else []) + ([dict(self._walk(self.info[b"file tree"], b""))] if self.has_v2 else [])
        self.files = views[0]
        assert all(view == self.files for view in views), "v1 and v2 name other files"
        self.length = sum(self.files.values())

    def _v1_files(self):
        return {b"/".join(f[b"path"]): f[b"length"] for f in self.info[b"files"] if b"p" not in f.get(b"attr", b"")}

    def _walk(self, tree, above):
        for name, below in tree.items():
            if b"" in below:
                yield above + name, below[b""][b"length"]
            else:
                yield from self._walk(below, above + name + b"/")


def sizes(tree):
    return {name.encode(): len(content) for name, content in tree.items()}


def put_tree(server, directory, tree):
    for name, content in tree.items():
        path = server.docroot / directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def collection(server, path, timeout=60, **options):
    """The torrent of a directory by DIR.torrent, waiting until it is made."""
    def made():
        response = server.get(path.rstrip("/") + ".torrent", **options)
        if response.status == 503:
            return None
        assert response.status == 200, f"{path}: {response.status} {response.headers} {response.body[:200]!r}"
        return TreeTorrent(response.body)
    return wait_for(f"the torrent of {path}", made, timeout)


def check_tree(directory, tree):
    """Does a directory hold exactly these files?"""
    there = {str(p.relative_to(directory)): p for p in directory.rglob("*") if p.is_file() and ".pad" not in p.parts}
    assert set(there) == set(tree)
    for name, content in tree.items():
        assert there[name].read_bytes() == content, f"{name} is another file"
