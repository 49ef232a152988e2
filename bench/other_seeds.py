"""Other seeds for bench/seed: rtorrent, libtorrent and Transmission, each a process of its own that seeds one file on a port
of 127.0.0.1 without limits (or with one upload rate), takes one connection from each address of loopback, and ends with its `with` block."""
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import rig

CONNECTIONS = 2000  # more than any bench makes


class Seed:
    """A program with a directory of its own."""

    def __init__(self, box):
        self.dir = Path(box)
        subprocess.run(["rm", "-rf", self.dir], check=True)
        self.dir.mkdir(parents=True)
        self.log = self.dir / "output.log"
        self.port = rig.free_port()
        self.process = None

    def run(self, command, **options):
        self.process = subprocess.Popen(list(map(str, command)), start_new_session=True, **options)

    def alive(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{type(self).__name__} ended: see {self.log}")
        return True

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Rtorrent(Seed):
    """rtorrent at a terminal of its own. It checks the file's hashes before it seeds; encrypted connections are taken."""

    def __init__(self, box, torrent, directory, rate=0):
        super().__init__(box)
        checked = self.dir / "checked"
        (self.dir / "session").mkdir()
        (self.dir / "rtorrent.rc").write_text(f"""
directory.default.set = {directory}
session.path.set = {self.dir}/session
network.port_range.set = {self.port}-{self.port}
network.port_random.set = no
network.bind_address.set = 127.0.0.1
network.max_open_sockets.set = {CONNECTIONS}
throttle.max_peers.seed.set = {CONNECTIONS}
throttle.max_peers.normal.set = {CONNECTIONS}
throttle.max_uploads.set = {CONNECTIONS}
throttle.max_uploads.global.set = 0
throttle.global_up.max_rate.set = {rate}
protocol.encryption.set = allow_incoming
protocol.pex.set = no
dht.mode.set = disable
trackers.use_udp.set = no
method.set_key = event.download.hash_done, mark, "execute.nothrow=touch,{checked}"
log.open_file = "log", {self.log}
log.add_output = "info", "log"
load.start = {torrent}
""")
        ours, terminal = pty.openpty()
        self.run(["rtorrent", "-n", "-o", f"import={self.dir}/rtorrent.rc"], stdin=terminal, stdout=terminal, stderr=terminal,
                 env={**os.environ, "TERM": "xterm", "HOME": str(self.dir)})
        os.close(terminal)
        threading.Thread(target=self._read, args=(ours,), daemon=True).start()
        rig.wait_until("rtorrent to check the file", lambda: self.alive() and checked.exists(), 120)

    @staticmethod
    def _read(terminal):
        with contextlib.suppress(OSError):
            while os.read(terminal, 65536):
                pass
        os.close(terminal)


class Libtorrent(Seed):
    """libtorrent with its own preset for seeds, in a Python that does nothing else (see the end of this file)."""

    def __init__(self, box, torrent, directory, rate=0):
        super().__init__(box)
        self.run([sys.executable, __file__, torrent, directory, rate], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()


class Transmission(Seed):
    """transmission-cli: takes loopback addresses, as long as it is not the one that connects."""

    def __init__(self, box, torrent, directory, rate=0):
        super().__init__(box)
        settings = {"dht-enabled": False, "lpd-enabled": False, "utp-enabled": False, "pex-enabled": False,
                    "port-forwarding-enabled": False, "rpc-enabled": False, "bind-address-ipv4": "127.0.0.1", "encryption": 1,
                    "peer-limit-global": CONNECTIONS, "peer-limit-per-torrent": CONNECTIONS, "upload-slots-per-torrent": CONNECTIONS,
                    "speed-limit-up": rate // 1000, "speed-limit-up-enabled": rate > 0}
        (self.dir / "settings.json").write_text(json.dumps(settings))
        with open(self.log, "wb") as log:
            self.run(["transmission-cli", "-g", self.dir, "-w", directory, "-p", self.port, "-M",
                      *(["-u", rate // 1000] if rate else ["-U"]), "-D", "-v", torrent],
                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        rig.wait_until("Transmission to check the file", lambda: self.alive() and b"Seeding" in self.log.read_bytes(), 120)


def libtorrent_settings(lt, rate):
    """Its own preset for seeds, no other limits, nothing but peers on loopback."""
    chosen = lt.high_performance_seed()
    chosen.update(listen_interfaces="127.0.0.1:0", allow_multiple_connections_per_ip=True, unchoke_slots_limit=-1,
                  upload_rate_limit=rate, connections_limit=8000, enable_dht=False, enable_lsd=False, enable_upnp=False,
                  enable_natpmp=False, in_enc_policy=lt.enc_policy.enabled, out_enc_policy=lt.enc_policy.disabled,
                  suggest_mode=0, seed_choking_algorithm=lt.seed_choking_algorithm_t.round_robin, alert_mask=0)
    return chosen


def libtorrent_seed(torrent, directory, rate):
    """The process of Libtorrent: prints its port, and seeds until its standard input ends."""
    import time

    import libtorrent as lt
    session = lt.session(libtorrent_settings(lt, int(rate)))
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = directory
    params.flags = lt.torrent_flags.seed_mode
    handle = session.add_torrent(params)
    handle.set_max_connections(CONNECTIONS)
    handle.set_max_uploads(-1)
    while not (handle.status().is_seeding and session.listen_port()):
        time.sleep(0.02)
    print(session.listen_port(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    libtorrent_seed(*sys.argv[1:])
