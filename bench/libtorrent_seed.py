#!/usr/bin/python3
"""libtorrent's seed for bench/seed, in a process of its own: libtorrent_seed.py TORRENT DIRECTORY. Prints its port, and seeds
until its standard input ends."""
import sys
import time

import libtorrent as lt


def settings():
    """libtorrent's own preset for seeds, no limits, nothing but the plain peer protocol on loopback."""
    chosen = lt.high_performance_seed()
    chosen.update(listen_interfaces="127.0.0.1:0", allow_multiple_connections_per_ip=True, unchoke_slots_limit=-1,
                  upload_rate_limit=0, connections_limit=8000, enable_dht=False, enable_lsd=False, enable_upnp=False,
                  enable_natpmp=False, in_enc_policy=lt.enc_policy.disabled, out_enc_policy=lt.enc_policy.disabled,
                  suggest_mode=0, seed_choking_algorithm=lt.seed_choking_algorithm_t.round_robin, alert_mask=0)
    return chosen


def main(torrent, directory):
    session = lt.session(settings())
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = directory
    params.flags = lt.torrent_flags.seed_mode
    handle = session.add_torrent(params)
    while not (handle.status().is_seeding and session.listen_port()):
        time.sleep(0.02)
    print(session.listen_port(), flush=True)
    sys.stdin.read()


main(*sys.argv[1:])
