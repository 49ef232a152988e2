"""What the server tells of itself: status.json as it is documented, and the section in mod_status."""
import re
import time
from pathlib import Path

import pytest

from waiting import wait_for
from wire import Peer

ROOT = Path(__file__).resolve().parents[2]
SIZE = 8 << 20


def documented():
    """The members of status.json that docs/protocol.md lists: {"peers", "closed.gone", ...}."""
    text = (ROOT / "docs/protocol.md").read_text()
    section = text.split("\n### Members of `status.json`\n")[1].split("\n## ")[0].split("\n### ")[0]
    rules = text.split("\n## Limits\n")[1].split("\n## ")[0]
    names = re.findall(r"^\| `([a-z0-9_.-]+)` \|", section, re.M)
    assert len(names) == len(set(names))
    names.remove("closed")  # its members are in the tables of limits
    names.remove("announces")  # and of this in the table of results
    forms = re.findall(r"`(\w+)`", re.search(r"^\| `announces` \|.* by form \(([^)]*)\)", section, re.M)[1])
    results = text.split("\n### Results of announces\n")[1].split("\n## ")[0].split("\n### ")[0]
    results = re.findall(r"^\| `([a-z-]+)` \|", results, re.M)
    reasons = re.findall(r"^\|.*\| `([a-z-]+)` \|$", rules, re.M)
    assert len(reasons) == len(set(reasons)), "one row for each reason"
    return (set(names) | {f"closed.{reason}" for reason in reasons}
            | {f"announces.{form}.{result}" for form in forms for result in results})


def told(status, prefix=""):
    names = set()
    for name, value in status.items():
        if isinstance(value, dict):
            names |= told(value, prefix + name + ".")
        else:
            names.add(prefix + name)
    return names


@pytest.fixture
def serve(httpd, content):
    def make(mod_status="before", **options):
        """mod_status is loaded before our module, after it, or not at all."""
        server = httpd(start=False, **options)
        lines = server.conf.read_text().splitlines()
        load = next(line for line in lines if line.startswith("LoadModule status_module"))
        ours = next(i for i, line in enumerate(lines) if line.startswith("LoadModule bthttp_module"))
        if mod_status != "before":
            lines[ours] += f"\n{load}" if mod_status == "after" else ""
            lines.remove(load)
        server.conf.write_text("\n".join(lines) + "\n")
        server.start()
        server.publish(content(SIZE))
        server.address = (server.host, server.port)
        return server
    return make


def test_every_member_is_documented_and_there(serve):
    assert told(serve().status()) == documented()


def test_rate_and_cpu_time(serve):
    """They rise while somebody downloads, and the rate is that of the last seconds: 4 MiB/s, by the limit."""
    server = serve(conf="BTHTTPUploadRate 4M")
    assert server.status()["upload_rate"] == 0
    before = server.status()["cpu_seconds"]
    with Peer(server.address, server.made.hash) as peer:
        peer.interest()
        until, rates = time.monotonic() + 60, [0]
        for n in range(200):
            peer.request(n % server.made.piece_count, 0)
        while time.monotonic() < until and not 2.5e6 < rates[-1] < 6e6:
            for n in range(100):
                peer.until(7)
                peer.request(n % server.made.piece_count, 0)
            rates.append(server.status()["upload_rate"])
        assert 2.5e6 < rates[-1] < 6e6, rates[-20:]
        assert server.status()["cpu_seconds"] > before
    wait_for("no rate without peers", lambda: server.status()["upload_rate"] == 0)


SECTION = "<h2>BitTorrent (mod_bthttp)</h2>"
SETUP = '<Location "/server-status">\nSetHandler server-status\nRequire all granted\n</Location>'


def auto(server):
    body = server.get("/server-status?auto").body.decode()
    return dict(re.findall(r"^(BTHTTP\w+): (.*)$", body, re.M))


@pytest.mark.parametrize("when", ["before", "after"])
def test_section_in_mod_status(serve, when):
    """Whether mod_status is loaded before us or after us; and again after a graceful restart."""
    server = serve(mod_status=when, conf=SETUP)
    with Peer(server.address, server.made.hash) as peer:
        peer.interest().piece(server.made, 0)
        page = server.get("/server-status").body.decode()
        assert page.count(SECTION) == 1 and page.index(SECTION) < page.index("</body>")
        assert "<dt>torrents published: 1</dt>" in page and "<dt>peers: 1</dt>" in page
        figures = auto(server)
        assert figures["BTHTTPPeers"] == "1" and figures["BTHTTPTorrents"] == "1"
        # Counted after it was sent: the peer may have it before.
        wait_for("a piece to be counted", lambda: int(auto(server)["BTHTTPBytesSent"]) == server.made.piece_length)
        assert re.fullmatch(r"\d+\.\d{3}", figures["BTHTTPCpuSeconds"])
        assert figures["BTHTTPClosedSlowReader"] == "0" and "peers closed, slow-reader" not in page
    wait_for("it to be gone", lambda: auto(server)["BTHTTPClosedGone"] == "1")
    assert "<dt>peers closed, gone: 1</dt>" in server.get("/server-status").body.decode()
    server.graceful()
    assert server.get("/server-status").body.decode().count(SECTION) == 1


def test_the_names_of_auto_are_those_of_status_json(serve):
    """So that one description is enough: upload_rate is BTHTTPUploadRate."""
    server = serve(conf=SETUP)
    def camel(name):
        return "BTHTTP" + "".join(word[0].upper() + word[1:] for word in re.split(r"[_.-]", name))
    names = {camel(name) for name in documented()}
    assert set(auto(server)) <= names


def test_without_mod_status(serve):
    assert serve(mod_status="never").get("/server-status").status == 404
