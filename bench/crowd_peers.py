#!/usr/bin/python3
"""libtorrent for bench/crowd, in a process of its own: the leechers of a crowd, or a seed to compare with.
usage: crowd_peers.py leech BOX PLAN        leechers as the plan (JSON, see bench/crowd) says, each a session of its own
       crowd_peers.py seed DIRECTORY PLAN   a seed; "super": true makes it a super-seeding one
Prints "ready ..."; begins with the first line of standard input, ends with the last."""
import json
import sys
import threading
import time
from pathlib import Path

import libtorrent as lt

EVERY = 0.1  # s between two looks


def limit_loopback(session):
    """libtorrent gives addresses like 127.x no limit of rate and of unchoke slots: here they are to be strangers."""
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << session.global_peer_class_id)
    session.set_peer_class_filter(everybody)


def make_session(address, port, upload, download, settings):
    """As libtorrent comes, but for a network without DHT and the like, a limited uplink, and quick connections."""
    session = lt.session({"listen_interfaces": f"{address}:{port}", "outgoing_interfaces": address,
                          "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
                          "enable_outgoing_utp": False, "enable_incoming_utp": False, "ssrf_mitigation": False,
                          "in_enc_policy": lt.enc_policy.disabled, "out_enc_policy": lt.enc_policy.disabled,
                          "allow_multiple_connections_per_ip": True, "connection_speed": 200, "torrent_connect_boost": 100,
                          "peer_connect_timeout": 10, "min_reconnect_time": 1, "rate_limit_ip_overhead": False,
                          "upload_rate_limit": upload, "download_rate_limit": download, "alert_mask": 0, **settings})
    limit_loopback(session)
    return session


def add(session, torrent, directory, *, seed=False, tracker=False):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(str(torrent))
    params.save_path = str(directory)
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags |= lt.torrent_flags.paused
    if seed:
        params.flags |= lt.torrent_flags.seed_mode
    handle = session.add_torrent(params)
    if not tracker:
        handle.replace_trackers([])
    for url in handle.url_seeds():
        handle.remove_url_seed(url)
    return handle


class Leecher:
    def __init__(self, box, plan, number):
        self.number, self.finished = number, None
        self.directory = Path(box) / f"leecher{number}"
        self.directory.mkdir()
        self.session = make_session(plan["hosts"][number], plan["port"], plan["upload"], plan["download"], plan["settings"])
        self.handle = add(self.session, plan["torrent"], self.directory, tracker=plan["tracker"])

    def start(self, plan):
        """Everybody knows everybody; of two, one connects."""
        self.handle.resume()
        if plan["tracker"]:
            return
        self.handle.connect_peer(tuple(plan["seed"]))
        for step in range(1, (len(plan["hosts"]) + 1) // 2 + 1):
            other = (self.number + step) % len(plan["hosts"])
            if step * 2 != len(plan["hosts"]) or other > self.number:
                self.handle.connect_peer((plan["hosts"][other], plan["port"]))

    def look(self, status):
        if self.finished is None and status.is_finished:
            self.finished = time.monotonic()
            print("finished", self.number, self.finished, flush=True)

    def figures(self, status):
        return [status.total_payload_download, status.total_payload_upload, status.total_failed_bytes,
                status.total_redundant_bytes, status.progress, status.num_peers]


def leech(box, plan):
    leechers = [Leecher(box, plan, number) for number in plan["mine"]]
    print("ready", flush=True)
    sys.stdin.readline()
    for leecher in leechers:
        leecher.start(plan)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(EVERY):
        figures = []
        for leecher in leechers:
            status = leecher.handle.status()
            leecher.look(status)
            figures.append(leecher.figures(status))
        print("look", plan["mine"][0], json.dumps(figures), flush=True)


def seed(directory, plan):
    session = make_session("127.0.0.1", 0, plan["upload"], 0, {"connections_limit": 1000, **plan["settings"]})
    handle = add(session, plan["torrent"], directory, seed=True)
    if plan.get("super"):
        handle.set_flags(lt.torrent_flags.super_seeding)
    handle.resume()
    while not session.listen_port() or not handle.status().is_seeding:
        time.sleep(0.02)
    print("ready", session.listen_port(), flush=True)
    sys.stdin.read()


def main(role, directory, plan):
    {"leech": leech, "seed": seed}[role](directory, json.loads(plan))


main(*sys.argv[1:])
