"""What every wire form of the tracker shares, over each form and each store."""
import os
from collections import Counter
from itertools import product

import pytest

from conformance import FORMS, STORES, serve
from udp_tracker import Refused, refusal
from waiting import wait_for

SIZE = 2 << 20
KINDS = list(product(FORMS, STORES))


@pytest.fixture(params=KINDS, ids=["-".join(kind) for kind in KINDS])
def kind(request):
    return request.param


@pytest.fixture
def redis_url(kind, request):
    """Of one that runs for this test, if its store is one. Comes before the server, so that it outlives it."""
    return request.getfixturevalue("redis").url if kind[1] == "redis" else None


@pytest.fixture
def form(kind, redis_url, httpd, content):
    """The form to ask by, with form.hash of what is published."""
    name, store = kind
    server = serve(httpd, store, redis=redis_url)
    server.put("f.bin", content(SIZE))
    make, family = FORMS[name]
    form = make(server, family)
    form.torrent = server.torrent("/f.bin")
    form.hash = form.torrent.hash
    return form


def test_a_leecher_alone_is_told_of_the_server(form):
    answer = form.announce(form.hash)
    assert (answer.peers, answer.seeds, answer.leechers) == ({form.itself}, 1, 1)
    assert 60 <= answer.interval <= 1.5 * 1800


def test_peers_find_each_other(form):
    peers = [form.peer(i) for i in range(6)]
    for i in range(6):
        answer = form.announce(form.hash, i)
        assert answer.peers == {form.itself, *peers[:i]} and answer.leechers == i + 1
    assert form.announce(form.hash, 0).peers == {form.itself, *peers[1:]}, "and the first of all others"


def test_seeds_are_told_of_leechers_alone(form):
    form.announce(form.hash, 0, left=0)
    assert form.announce(form.hash, 1, left=0).peers == set()
    assert form.announce(form.hash, 2).peers == {form.itself, form.peer(0), form.peer(1)}
    answer = form.announce(form.hash, 0, left=0)
    assert (answer.peers, answer.seeds, answer.leechers) == ({form.peer(2)}, 3, 1)


def test_a_life(form):
    """Started, going on, paused, completed (twice said, once counted), stopped."""
    form.announce(form.hash, event="started")
    assert form.scrape(form.hash) == [(1, 0, 1)]
    form.announce(form.hash, left=16384)
    form.announce(form.hash, left=16384, event="paused")
    assert form.scrape(form.hash) == [(1, 0, 1)]
    for _ in range(2):
        form.announce(form.hash, left=0, event="completed")
        assert form.scrape(form.hash) == [(2, 1, 0)]
    form.announce(form.hash, left=0, event="stopped")
    assert form.scrape(form.hash) == [(1, 1, 0)]
    assert form.announce(form.hash, 1).peers == {form.itself}


def test_a_leecher_that_becomes_a_seed_without_a_word_has_completed(form):
    form.announce(form.hash)
    form.announce(form.hash, left=0)
    assert form.scrape(form.hash) == [(2, 1, 0)]


@pytest.mark.parametrize("left", [1, 16384, 1 << 32, (1 << 63) - 1])
def test_left_is_64_bits(form, left):
    form.announce(form.hash, left=left)
    assert form.scrape(form.hash) == [(1, 0, 1)]


def test_numwant(form):
    for i in range(60):
        form.announce(form.hash, i)
    me = 61
    assert form.announce(form.hash, me, numwant=0).peers == set()
    assert form.announce(form.hash, me, numwant=1).peers == {form.itself}
    for wanted, told in ((7, 7), (-1, 50), (None, 50), (60, 60), (1000, 61)):
        peers = form.announce(form.hash, me, numwant=wanted).peers
        assert len(peers) == told and form.itself in peers and form.peer(me) not in peers


def test_everybody_has_a_turn(form):
    for i in range(60):
        form.announce(form.hash, i)
    seen = Counter()
    for _ in range(30):
        seen.update(form.announce(form.hash, 61, numwant=11).peers)
    del seen[form.itself]
    assert sum(seen.values()) == 300 and len(seen) > 50


def test_swarms_are_never_mixed(form):
    """The two hashes of a hybrid have a swarm each."""
    v1, v2 = form.torrent.v1, form.torrent.v2[:20]
    form.announce(v1, 0)
    assert form.announce(v2, 1).peers == {form.itself}
    assert form.announce(v1, 2).peers == {form.itself, form.peer(0)}
    assert form.scrape(v1, v2) == [(1, 0, 2), (1, 0, 1)]


def test_what_is_not_published_is_refused_and_makes_nothing(form):
    before = form.server.status()
    for i in range(20):
        with pytest.raises(Refused, match="does not publish"):
            form.announce(os.urandom(20), i)
        assert form.scrape(os.urandom(20), os.urandom(20)) == [(0, 0, 0)] * 2
    after = form.server.status()
    assert all(after[name] == before[name] for name in ("tracker_swarms", "tracker_memory_used"))


def refused_soon(form, info_hash):
    """The reason. Over UDP what was let in is let in for a moment longer."""
    return wait_for("the refusal", lambda: refusal(form, info_hash))


def test_what_changed_or_is_protected_is_refused(form, content):
    """With the reason; its swarm is gone, and the scrape tells nothing of it."""
    form.announce(form.hash)
    form.server.put("f.bin", content(SIZE, 2))
    assert "changed" in refused_soon(form, form.hash)
    assert form.scrape(form.hash) == [(0, 0, 0)]
    other = form.server.torrent("/f.bin").hash
    form.announce(other)
    (form.server.docroot / ".htaccess").write_text("Require all denied")
    form.server.graceful()
    assert "no longer public" in refused_soon(form, other)
    assert form.scrape(other) == [(0, 0, 0)]
    assert form.server.status()["tracker_swarms"] == 0


def test_the_silent_expire(form):
    form.server.write_conf(form.server.base_conf + "BTHTTPTrackerInterval 10s")
    form.server.graceful()
    form.announce(form.hash, 0)
    form.announce(form.hash, 1, left=0)
    assert 9 <= form.announce(form.hash, 2).interval <= 11
    wait_for("those that are silent to expire", lambda: form.announce(form.hash, 2).peers == {form.itself}, 60)
    assert form.scrape(form.hash) == [(1, 0, 1)]


def test_swarms_survive_every_restart(form):
    """Graceful, with another size of memory, a restart of all children, stop and start."""
    for i in range(10):
        form.announce(form.hash, i, left=i % 2)
    server, expected = form.server, {form.itself, *map(form.peer, range(10))}

    def resize():
        server.write_conf(server.base_conf + "BTHTTPTrackerMemory 3M")
        server.graceful()

    for restart in (server.graceful, resize, server.restart, lambda: (server.stop(), server.start())):
        restart()
        assert form.announce(form.hash, 11).peers == expected
        assert form.scrape(form.hash) == [(6, 0, 6)]


def test_forms_count_what_came_of_announces(form):
    """Each under its own name, and the other not at all."""
    form.announce(form.hash)
    with pytest.raises(Refused):
        form.announce(bytes(20))
    counted = form.server.status()["announces"]
    other = {"http": "udp", "udp": "http"}[form.name]
    assert {name: n for name, n in counted[form.name].items() if n} == {"ok": 1, "unknown": 1}
    assert not any(counted[other].values())
