"""The figures as OpenMetrics, read by Prometheus' own parser, and as a page for people: all that status.json has, and the same."""
import json
import math
import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from bencode import decode
from httpd import WELL_KNOWN
from test_64_status import SIZE, told
from waiting import wait_for
from wire import Peer

LOCAL = "127.0.0.1"
STATES = {"bthttp_scan_state": ("off", ["off", "walking", "making", "watching"]), "bthttp_store_state": ("local", ["local", "away", "shared"])}
LABELS = {"bthttp_closed": ["reason"], "bthttp_announces": ["form", "result"]}


@pytest.fixture
def server(httpd, content):
    return httpd().publish(content(SIZE))


def metrics(server, path=f"{WELL_KNOWN}/metrics", **options):
    """{family: its samples as {(label values): value}}, of a page that the parser takes without complaint."""
    response = server.get(path, address=(LOCAL, server.port), **options)
    assert response.status == 200, response
    assert response.header("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.header("Cache-Control") == "no-store"
    text = response.body.decode("ascii")
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1 and "\n\n" not in text
    families = {family.name: family for family in parse(text)}
    assert len(families) == text.count("# TYPE "), "each family once, and not in pieces"
    assert all(name.startswith("bthttp_") and family.documentation for name, family in families.items())
    return families


def value(families, name, *labels):
    """The sample that status.json has under `name`, with "." and its labels after it."""
    family = families["bthttp_" + name.replace(".", "_")]
    wanted = dict(zip(LABELS.get(family.name, []), labels))
    found = [sample.value for sample in family.samples if sample.labels == wanted]
    assert len(found) == 1, f"{name} {labels}"
    return found[0]


def flat(status, prefix=""):
    for name, member in status.items():
        if isinstance(member, dict):
            yield from flat(member, f"{prefix}{name}.")
        else:
            yield prefix + name, member


def split(name):
    """"closed.gone" becomes ("closed", "gone"): what is a label there is a member here."""
    for family, labels in LABELS.items():
        start = family.removeprefix("bthttp_").replace("_", ".") + "."
        if name.startswith(start):
            return start[:-1], *name[len(start):].split(".")
    return (name,)


def test_all_figures_are_those_of_status_json(server):
    server.announce(server.made.hash, port=7001)
    before, families, after = server.status(), metrics(server), server.status()
    for name, (now, words) in STATES.items():
        state = families.pop(name)
        assert state.type == "stateset"
        assert [(s.labels, s.value) for s in state.samples] == [({name: word}, word == now) for word in words]
    names = told(before) - {"scan.state", "store.state", "top"}
    assert sum(len(family.samples) for family in families.values()) == len(names)
    later = dict(flat(after))
    for name, number in flat(before):
        figure = value(families, *split(name)) if name in names else None
        if name in names and later[name] == number:  # it stood still meanwhile
            assert figure == number or number == -1 and math.isnan(figure), name
    assert value(families, "tracker_announces") == 1 and value(families, "torrents") == 1


def test_counters_and_gauges(server):
    families = metrics(server)
    for name in ["closed", "bytes_sent", "cpu_seconds", "tracker_announces", "hashed_bytes", "bans"]:
        assert families[f"bthttp_{name}"].type == "counter"
        assert {sample.name for sample in families[f"bthttp_{name}"].samples} == {f"bthttp_{name}_total"}
    for name in ["peers", "upload_rate", "banned", "torrents", "hashing_rate", "tracker_memory_used"]:
        assert families[f"bthttp_{name}"].type == "gauge"
    assert value(families, "hashed_files") == 1 and value(families, "hashed_bytes") == SIZE


def test_the_same_samples_whatever_happens(server):
    """And in the same order: what is not known is NaN, not left out."""
    def samples():
        body = server.get(f"{WELL_KNOWN}/metrics", address=(LOCAL, server.port)).body.decode()
        return re.sub(r" \S+$", "", body, flags=re.M)
    before = samples()
    for i in range(3):
        server.announce(server.made.hash, port=7001 + i, source=f"127.9.0.{i + 1}")
    assert samples() == before
    server.graceful()
    assert samples() == before
    assert not [s for s in metrics(server)["bthttp_hashing_seconds_left"].samples if math.isinf(s.value)]


REMOTE = """RemoteIPHeader X-Client
<Location "/open">
SetHandler bthttp-{name}
Require all granted
</Location>
<Location "/closed">
SetHandler bthttp-{name}
Require local
</Location>"""


@pytest.mark.parametrize("path, name", [("metrics", "metrics"), ("status.json", "status"), ("status", "status")])
def test_who_may_see_it(httpd, path, name):
    """Under BTHTTPPath this machine alone; mounted elsewhere whoever httpd lets in."""
    server = httpd(modules=["remoteip"], conf=REMOTE.replace("{name}", name))
    server.expect(r"AH01630: client denied .*/closed$")
    far = {"X-Client": "192.0.2.7"}
    def status(path, headers=None):
        return server.get(path, headers, address=(LOCAL, server.port)).status
    assert status(f"{WELL_KNOWN}/{path}") == 200 and status(f"{WELL_KNOWN}/{path}", far) == 403
    assert status("/open") == 200 and status("/open", far) == 200
    assert status("/closed") == 200 and status("/closed", far) == 403


@pytest.mark.parametrize("path", ["metrics", "status.json", "status"])
def test_head_and_post(server, path):
    address = (LOCAL, server.port)
    head = server.get(f"{WELL_KNOWN}/{path}", method="HEAD", address=address)
    assert head.status == 200 and head.body == b"" and int(head.header("Content-Length")) > 1000
    refused = server.get(f"{WELL_KNOWN}/{path}", {"Content-Length": "0"}, "POST", address=address)
    assert refused.status == 405


def test_a_server_without_a_tracker(httpd):
    families = metrics(httpd(conf="BTHTTPTracker off"))
    assert value(families, "tracker_swarms") == 0 and value(families, "peers") == 0


VOID = {"meta"}


class Page(HTMLParser):
    """A page whose elements are all closed in order: {section: {label: (exact, readable)}}."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.tables, self.attributes = [], set(), {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)
        self.text = ""
        if tag == "td":
            self.exact = dict(attributes).get("title")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "h2":
            self.section = self.tables.setdefault(self.text, {})
        elif tag == "th":
            self.label = self.text
        elif tag == "td":
            self.section[self.label] = (self.exact, self.text)

    def handle_data(self, data):
        self.text = getattr(self, "text", "") + data


def page(server, path=f"{WELL_KNOWN}/status"):
    response = server.get(path, address=(LOCAL, server.port))
    assert response.status == 200 and response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.header("Content-Security-Policy").startswith("default-src 'none';")
    return Page(response.body.decode())


def test_the_page(server):
    """Readable numbers in sections, the exact ones beside them, nothing from elsewhere and no script."""
    shown = page(server)
    assert list(shown.tables) == ["Seed", "Tracker", "Hashing", "Scan"]
    assert shown.tables["Seed"]["torrents published"] == ("1", "1")
    assert shown.tables["Hashing"]["bytes hashed"] == (str(SIZE), "8.0 MiB")
    assert shown.tables["Seed"]["upload, bytes a second"] == ("0", "0 bytes/s")
    assert shown.tables["Scan"]["what the scan does"] == ("off", "off")
    assert not shown.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not [name for name, _ in shown.attributes if name in ("src", "href") or name.startswith("on")]


def test_the_page_has_all_figures(server):
    """But of the reasons for which peers were closed, and of the results of announces, those that there were."""
    with Peer((server.host, server.port), server.made.hash) as peer:
        peer.interest()
    wait_for("it to be gone", lambda: server.closed("gone") == 1)
    labels = {label for table in page(server).tables.values() for label in table}
    documentation = {family.documentation for family in metrics(server).values()}
    assert labels - {"peers closed, gone"} == documentation - {"peers closed", "announces"}


def test_page_and_json_in_a_place_of_their_own(httpd):
    server = httpd(conf='<Location "/swarms">\nSetHandler bthttp-status\n</Location>')
    assert "Seed" in page(server, "/swarms").tables and "Seed" in page(server, "/swarms/here").tables
    response = server.get("/swarms/status.json")
    assert response.header("Content-Type") == "application/json" and told(json.loads(response.body)) == told(server.status())


def test_announces_are_counted_by_what_came_of_them(httpd, content):
    """Each once, and none is lost in a graceful restart."""
    server = httpd(conf="BTHTTPTrackerPrivateAddresses deny\nBTHTTPTrackerMemory 1M")
    for name in ["f.bin", "changed.bin", "protected/f.bin"]:
        server.put(name, content(SIZE, len(name)))
    hashes = {name: server.torrent(f"/{name}").hash for name in ["f.bin", "changed.bin", "protected/f.bin"]}
    assert page(server).tables["Tracker"]["announces a second"] == ("0.000", "0.000")
    server.put("changed.bin", content(SIZE, 77))
    server.put("protected/.htaccess", b"Require local\n")

    assert b"failure reason" not in server.announce(hashes["f.bin"], raw="&event=stopped")
    for _ in range(2):
        assert b"failure reason" not in server.announce(hashes["f.bin"], port=7001)  # from 127.0.0.1
    for _ in range(3):
        assert b"failure reason" in server.announce(b"?" * 20, port=7001)
    for _ in range(4):
        assert b"failure reason" in decode(server.get(f"{WELL_KNOWN}/announce?info_hash=short").body)
    wait_for("the change to be noticed", lambda: b"changed" in server.announce(hashes["changed.bin"], port=7001).get(b"failure reason", b""))
    assert server.get("/protected/f.bin", {"X-BT-Accept": "torrent"}).header("X-BT-Status") == "protected"
    assert b"public" in server.announce(hashes["protected/f.bin"], port=7001)[b"failure reason"]
    counted = server.status()["announces"]["http"]
    assert (counted["bad-request"], counted["unknown"], counted["ok"]) == (4, 3, 1)
    assert counted["private-address"] >= 2 and counted["changed"] >= 1 and counted["protected"] == 1
    assert sum(counted.values()) == sum("/announce?" in line for line in server.accesses())
    assert counted["full"] == counted["failed"] == 0
    wait_for("a rate of all of them", lambda: abs(server.status()["tracker_announce_rate"] - sum(counted.values()) / 60) < 0.001)
    server.graceful()
    assert server.status()["announces"]["http"] == counted
    assert value(metrics(server), "announces", "http", "unknown") == 3
    assert page(server).tables["Tracker"]["announces, http, unknown"] == ("3", "3")


def announce_many(server, info_hash, seeds, leechers):
    for i in range(seeds + leechers):
        server.announce(info_hash, port=7001, left=0 if i < seeds else 1, source=f"127.9.1.{i + 1}")


def test_the_largest_swarms(httpd, content):
    """In order, with their names whatever these are, and no more than 20."""
    server = httpd(conf="BTHTTPMinSize 1K")
    names = ['<b>"x" & \'y\'.bin', "\\ \u202e\u00e9\u20ac.bin"] + [f"{n}.bin" for n in range(9)]
    torrents = {}
    for n, name in enumerate(names):
        server.put(name, content(5000, n))
        torrents[name] = server.torrent("/" + quote(name))
    assert server.status()["top"] == []
    for n, name in enumerate(names):
        announce_many(server, torrents[name].v1, 1, 14 - n)
    announce_many(server, torrents[names[1]].v2[:20], 2, 30)
    wanted = [{"info_hash": torrents[name].v1.hex(), "name": name, "seeds": 1, "leechers": 14 - n, "downloaded": 0}
              for n, name in enumerate(names)]
    wanted.insert(0, {"info_hash": torrents[names[1]].v2[:20].hex(), "name": names[1], "seeds": 2, "leechers": 30, "downloaded": 0})
    assert server.status()["top"] == wanted

    shown = page(server)
    assert set(names) <= set(shown.tables["Largest swarms"]) and "b" not in shown.tags

    for name in names[2:]:
        announce_many(server, torrents[name].v2[:20], 0, 1)
    assert len(server.status()["top"]) == 20, "of 21"
    server.put(names[0], content(5000, 99))
    wait_for("the change to be noticed", lambda: b"failure reason" in server.announce(torrents[names[0]].v1))
    top = server.status()["top"]
    assert len(top) == 20 and names[0] not in {swarm["name"] for swarm in top}, "what is withdrawn is not there any more"
    assert sum(swarm["seeds"] + swarm["leechers"] == 1 for swarm in top) == 9
