"""Magnets, Metalinks, feeds and hints, read back by programs that others wrote, with whatever bytes names may have."""
import hashlib
import random
import re
import string
import subprocess
import urllib.parse
import xml.etree.ElementTree as ET

import feedparser
import libtorrent as lt
import pytest

from bencode import Torrent, decode

EINVAL = 22
METALINK = "{urn:ietf:params:xml:ns:metalink}"
ATOM = "{http://www.w3.org/2005/Atom}"


class Writer:
    """t/unit/tg_formats_cli, kept running."""

    def __init__(self, build):
        self.process = subprocess.Popen([build / "t/unit/tg_formats_cli"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, what, /, *said, **more):
        """said: (key, value[, priority]) for keys that repeat. The bytes; or a number, if it was refused with that status."""
        lines = []
        for key, value, *priority in [*said, *more.items()]:
            value = value if isinstance(value, bytes) else str(value).encode()
            lines.append(" ".join([key, value.hex(), *map(str, priority)]) if value else key)
        self.process.stdin.write(("\n".join([*lines, f"write {what}"]) + "\n").encode())
        self.process.stdin.flush()
        status, length = map(int, self.process.stdout.readline().split())
        written = self.process.stdout.read(length)
        return status if status else written

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture(scope="module")
def write(build):
    writer = Writer(build)
    yield writer
    writer.end()


@pytest.fixture(scope="module")
def valid(top):
    """valid(schema, document): xmllint has nothing against it. Several documents may be checked at once."""
    def check(schema, *documents, directory=None):
        files = []
        for i, document in enumerate(documents):
            (directory / f"{i}.xml").write_bytes(document)
            files.append(directory / f"{i}.xml")
        run = subprocess.run(["xmllint", "--noout", "--nonet", "--relaxng", top / "t/schemas" / schema, *files], capture_output=True)
        wrong = [line for line in run.stderr.decode(errors="replace").splitlines() if not line.endswith(" validates")]
        assert run.returncode == 0, "\n".join(wrong[:20])
    return check


@pytest.fixture
def made(build, box):
    """made(name, size, version): (file, path of its torrent)."""
    def make(name="a file.bin", size=100000, version="hybrid"):
        file, torrent = box / name, box / "out.torrent"
        file.write_bytes(random.Random(size).randbytes(size))
        subprocess.run([build / "t/unit/tg_make_cli", file, version, "16384", torrent], check=True, capture_output=True)
        return file, torrent
    return make


def held(text):
    """What the writers make of bytes that XML cannot hold; re.sub on the surrogates of what is no UTF-8."""
    def byte(match):
        return "".join(f"%{b:02X}" for b in match[0].encode(errors="surrogateescape"))
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", byte, text.decode(errors="surrogateescape"))


def odd_bytes(rng, most):
    """Text as the world has it: letters, markup, whole and broken UTF-8, control characters."""
    pools = [string.ascii_letters, "<>&\"'%#?=+;[] ", "éü€日本🌍\u0085\u2028\ufffd\ufffe", "".join(map(chr, range(1, 32)))]
    parts = [rng.choice(rng.choice(pools)).encode() if rng.random() < 0.9 else bytes([rng.randrange(1, 256)])
             for _ in range(rng.randrange(1, most))]
    return b"".join(parts)


# --- magnets -------------------------------------------------------------------------------------------------------------

def test_libtorrent_reads_our_magnets(write):
    rng = random.Random(1)
    for _ in range(300):
        version = rng.choice([1, 2, 3])
        v1, v2 = rng.randbytes(20), rng.randbytes(32)
        name = odd_bytes(rng, 60).decode(errors="ignore").strip() or "x"
        trackers = [f"http://t{i}.example:{rng.randrange(1, 65536)}/a?k={i}&x=%20#{rng.random()}" for i in range(rng.randrange(4))]
        seeds = [f"https://s{i}.example/{urllib.parse.quote(name)}?bthttp=file" for i in range(rng.randrange(3))]
        peers = [("192.0.2.1", rng.randrange(1, 65536)), ("2001:db8::1", rng.randrange(1, 65536))][:rng.randrange(3)]
        link = write("magnet", *[("tracker", t) for t in trackers], *[("web_seed", s) for s in seeds],
                     *[("peer", f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}") for ip, port in peers],
                     version=version, v1=v1, v2=v2, name=name, length=rng.randrange(1 << 62)).decode("ascii")
        params = lt.parse_magnet_uri(link)
        assert params.info_hashes.has_v1() == bool(version & 1) and params.info_hashes.has_v2() == bool(version & 2)
        if version & 1:
            assert params.info_hashes.v1.to_bytes() == v1
        if version & 2:
            assert params.info_hashes.v2.to_bytes() == v2
        assert params.name == name
        assert params.trackers == trackers
        assert sorted(params.url_seeds) == sorted(seeds)
        assert sorted(params.peers) == sorted(peers)


def test_any_magnet_comes_back(write):
    """By the rules of URLs alone: every value is the one that went in, whatever its bytes."""
    rng = random.Random(2)
    for _ in range(500):
        values = {key: [rng.randbytes(rng.randrange(1, 80)).replace(b"\0", b"x") for _ in range(count)]
                  for key, count in (("dn", 1), ("tr", rng.randrange(5)), ("ws", rng.randrange(5)))}
        link = write("magnet", *[("tracker", t) for t in values["tr"]], *[("web_seed", s) for s in values["ws"]],
                     version=1, v1=b"\xab" * 20, name=values["dn"][0], length=7).decode("ascii")
        assert re.fullmatch(r"magnet:\?[A-Za-z0-9\-._~%&=:]+", link)
        parsed = urllib.parse.parse_qs(link[len("magnet:?"):], encoding="latin-1", strict_parsing=True, max_num_fields=20)
        assert parsed.pop("xt") == ["urn:btih:" + "ab" * 20]
        assert parsed.pop("xl") == ["7"]
        assert {key: [v.encode("latin-1") for v in found] for key, found in parsed.items()} == {k: v for k, v in values.items() if v}


def test_aria2_takes_our_hybrid_magnet(write, box):
    """It knows the hash: it says so while it looks for the metadata, in vain."""
    link = write("magnet", version=3, v1=b"\xab" * 20, v2=b"\xcd" * 32, name="a b").decode()
    run = subprocess.run(["aria2c", "--no-conf", "--enable-dht=false", "--bt-stop-timeout=1", "-d", box, link], capture_output=True,
                         text=True, timeout=60)
    assert "Unrecognized URI" not in run.stdout + run.stderr
    assert "[METADATA]a b" in run.stdout


# --- Metalink ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["v1", "v2", "hybrid"])
def test_metalink_of_a_torrent(write, valid, made, box, version):
    file, torrent = made(version=version)
    content = file.read_bytes()
    document = write("metalink", ("torrent", torrent.read_bytes()), ("metaurl", "http://h.example/f.torrent", 1),
                     ("url", "http://h.example/f?bthttp=file", 2), ("url", "http://m.example/f&g", 3),
                     digest=hashlib.sha256(content).digest(), published=1700000000, origin="http://h.example/f.meta4",
                     generator="mod_bthttp/0")
    valid("metalink4.rng", document, directory=box)
    root = ET.fromstring(document)
    [its] = root.findall(METALINK + "file")
    assert its.get("name") == "a file.bin"
    assert its.findtext(METALINK + "size") == str(len(content))
    assert [(h.get("type"), h.text) for h in its.findall(METALINK + "hash")] == [("sha-256", hashlib.sha256(content).hexdigest())]
    pieces = its.find(METALINK + "pieces")
    if version == "v2":
        assert pieces is None
    else:
        assert (pieces.get("type"), pieces.get("length")) == ("sha-1", "16384")
        assert [h.text for h in pieces] == [hashlib.sha1(content[i:i + 16384]).hexdigest() for i in range(0, len(content), 16384)]
    assert [(u.get("priority"), u.text) for u in its.findall(METALINK + "url")] == [
        ("2", "http://h.example/f?bthttp=file"), ("3", "http://m.example/f&g")]
    assert [(u.get("mediatype"), u.text) for u in its.findall(METALINK + "metaurl")] == [("torrent", "http://h.example/f.torrent")]


def test_metalinks_with_odd_names(write, valid, box):
    rng = random.Random(3)
    documents = []
    for _ in range(300):
        name, url = odd_bytes(rng, 60), b"http://h.example/" + odd_bytes(rng, 60)
        document = write("metalink", ("url", url, rng.randrange(1, 1000000)), name=name, length=rng.randrange(1 << 62))
        try:
            acceptable = "/" not in name.decode()
        except UnicodeDecodeError:
            acceptable = False
        if not acceptable or document == EINVAL:
            assert (document, acceptable) == (EINVAL, False)  # a torrent of ours has no such name either
            continue
        [its] = ET.fromstring(document)
        assert its.get("name") == held(name)
        assert its.find(METALINK + "url").text == held(url)
        documents.append(re.sub(rb"(?<=/)[^<]*(?=</url>)", b"f", document))  # such URLs are none by the schema
    assert len(documents) > 50
    valid("metalink4.rng", *documents, directory=box)


@pytest.mark.parametrize("name", [".", "..", "a/b", "../x", "", "\udce9"])
def test_names_that_no_metalink_may_have(write, name):
    assert write("metalink", ("url", "http://h/f", 1), name=name.encode(errors="surrogateescape"), length=1) == EINVAL


def test_the_schema_refuses_what_is_wrong(top, box, write):
    """Else it would show nothing."""
    good = write("metalink", ("url", "http://h/f", 1), name="f", length=1, digest=b"\xab" * 32, generator="mod_bthttp/0")
    for old, new in [(b">abab", b">ABab"), (b' type="sha-256"', b""), (b"mod_bthttp/0", b"mod bthttp"), (b"mod_bthttp/0", b"a/b/c"),
                     (b'name="f"', b'name="a/f"'), (b'priority="1"', b'priority="0"'), (b"<size>1<", b"<size>-1<"),
                     (b"<url ", b"<uri "), (b"<file ", b"<files ")]:
        bad = good.replace(old, new).replace(b"</url>", b"</uri>" if new == b"<uri " else b"</url>")
        assert bad != good
        (box / "bad.xml").write_bytes(bad.replace(b"</file>", b"</files>") if new == b"<files " else bad)
        run = subprocess.run(["xmllint", "--noout", "--relaxng", top / "t/schemas/metalink4.rng", box / "bad.xml"], capture_output=True)
        assert run.returncode == 3, (new, run.stderr)


@pytest.mark.parametrize("version", ["v1", "v2", "hybrid"])
def test_aria2_reads_our_metalink(write, made, box, version):
    file, torrent = made(version=version)
    meta4 = box / "f.meta4"
    meta4.write_bytes(write("metalink", ("torrent", torrent.read_bytes()), ("url", "http://127.0.0.1:1/f", 1),
                            ("metaurl", "http://127.0.0.1:1/f.torrent", 1), digest=hashlib.sha256(file.read_bytes()).digest()))
    shown = subprocess.run(["aria2c", "--no-conf", "-S", "-M", meta4], capture_output=True, text=True, check=True).stdout
    assert "a file.bin" in shown and "97KiB (100,000)" in shown


@pytest.mark.parametrize("damage", [False, True])
def test_aria2_checks_a_file_by_our_metalink(write, made, box, damage):
    """It has the whole file: by the hashes it finds it right, or wrong."""
    file, torrent = made(version="hybrid")
    content = file.read_bytes()
    (box / "f.meta4").write_bytes(write("metalink", ("torrent", torrent.read_bytes()), ("url", "http://127.0.0.1:1/f", 1),
                                        digest=hashlib.sha256(content).digest()))
    if damage:
        file.write_bytes(content[:50000] + bytes([content[50000] ^ 1]) + content[50001:])
    run = subprocess.run(["aria2c", "--no-conf", "-d", box, "-V", "--max-tries=1", "--connect-timeout=1", "-M", box / "f.meta4"],
                         capture_output=True, text=True, timeout=60)
    assert (run.returncode == 0) == (not damage), run.stdout


# --- feeds ---------------------------------------------------------------------------------------------------------------

def test_feeds_with_odd_titles(write, valid, box):
    rng = random.Random(4)
    documents = []
    for _ in range(300):
        title, summary = odd_bytes(rng, 60), odd_bytes(rng, 200)
        document = write("atom", id="http://h.example/feed.atom", title=title, author="h.example", self="http://h.example/feed.atom",
                         first="http://h.example/feed.atom", updated=rng.randrange(1 << 33), entry_id="urn:btih:" + "ab" * 20,
                         entry_title=title, entry_updated=rng.randrange(1 << 33), file="http://h.example/a?b&c",
                         enclosure="http://h.example/a.torrent", enclosure_length=rng.randrange(1, 1 << 40),
                         magnet="magnet:?xt=urn:btih:" + "ab" * 20 + "&dn=a", summary=summary)
        root = ET.fromstring(document)
        entry = root.find(ATOM + "entry")
        assert root.findtext(ATOM + "title") == entry.findtext(ATOM + "title") == held(title)
        assert entry.findtext(ATOM + "summary") == held(summary)
        page = feedparser.parse(document)
        assert not page.bozo and len(page.entries) == 1
        assert page.entries[0].enclosures[0].href == "http://h.example/a.torrent"
        documents.append(document)
    valid("atom.rng", *documents, directory=box)


# --- hints around the infodict -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["v1", "v2", "hybrid"])
def test_hints_do_not_disturb(write, made, box, version):
    """BEP 38 and 39: the info-hash stays what it was, and clients that know nothing of them load the torrent."""
    _, path = made(version=version)
    before = path.read_bytes()
    hints = write("torrent", ("torrent", before), ("similar", b"\xaa" * 20), ("similar", b"\xbb" * 32), ("collection", "h.example/d"),
                  ("tracker", "http://h.example/announce"), ("web_seed", "http://h.example/f"),
                  update_url="http://h.example/f.torrent")
    top = decode(hints)
    assert list(top) == sorted(top)
    assert top[b"similar"] == [b"\xaa" * 20, b"\xbb" * 32]
    assert top[b"collections"] == [b"h.example/d"]
    assert top[b"update-url"] == b"http://h.example/f.torrent"
    ours, after = Torrent(before), Torrent(hints)
    assert (ours.v1, ours.v2) == (after.v1, after.v2)

    def aria2_hash():
        shown = subprocess.run(["aria2c", "--no-conf", "-S", path], capture_output=True, text=True, check=True).stdout
        return re.search("^Info Hash: (.*)", shown, re.M)[1]

    aria2_before = version != "v2" and aria2_hash()
    path.write_bytes(hints)
    info = lt.torrent_info(str(path))
    if version != "v2":
        assert info.info_hashes().v1.to_bytes() == ours.v1
        assert aria2_hash() == aria2_before
    if version == "v1":  # no hybrids for the Transmission of today: docs/protocol.md, "Old clients"
        assert ours.v1.hex() in subprocess.run(["transmission-show", path], capture_output=True, text=True, check=True).stdout
    if version != "v1":
        assert info.info_hashes().v2.to_bytes() == ours.v2
    assert [h.to_bytes() for h in info.similar_torrents()] == [b"\xaa" * 20]  # it knows no v2 ones there
    assert info.collections() == ["h.example/d"]
