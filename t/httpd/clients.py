"""Real clients, each downloading one torrent into a directory of its own. All have the same face: start in the
constructor, wait() until the download is complete, path of the file, stop()."""
import contextlib
import json
import os
import pty
import random
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import libtorrent as lt

from bencode import Torrent
from waiting import free_port, wait_for

# How each client is told about message stream encryption: "plain" never, "required" with either payload, "rc4" to the end.
ARIA2_ENCRYPTION = {"plain": (), "required": ("--bt-require-crypto=true",),
                    "rc4": ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4")}
RTORRENT_ENCRYPTION = {"plain": "protocol.encryption.set = none", "required": "protocol.encryption.set = require,try_outgoing",
                       "rc4": "protocol.encryption.set = require,require_RC4,try_outgoing"}
LIBTORRENT_ENCRYPTION = {"plain": {"out_enc_policy": 2, "in_enc_policy": 2},
                         "required": {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 3, "prefer_rc4": False},
                         "rc4": {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 2}}
TRANSMISSION_ENCRYPTION = {"plain": ("-et",), "required": ("-er",)}


def loopback_address():
    """One of the 2^24 loopback addresses, so that clients in one test are different hosts to the tracker."""
    r = random.SystemRandom()
    return f"127.{r.randrange(1, 255)}.{r.randrange(1, 255)}.{r.randrange(1, 255)}"


class Process:
    """A client that is a program. Its output goes to a file, for the report of a failed test."""
    program = None

    def __init__(self, box, name):
        assert shutil.which(self.program), f"{self.program} is missing"
        self.dir = Path(box) / name
        self.dir.mkdir()
        self.output = self.dir / "output.log"
        self.process = None

    def run(self, command, **options):
        with open(self.output, "ab") as output:
            options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, **options}
            self.process = subprocess.Popen(command, start_new_session=True, **options)

    def tail(self):
        return self.output.read_text(errors="replace")[-3000:]

    def done(self):
        raise NotImplementedError

    says_hash_failed = None

    def hash_failures(self):
        """How often it found a piece, or how many bytes, to be wrong; as it says itself."""
        return len(re.findall(self.says_hash_failed, self.output.read_text(errors="replace")))

    def wait(self, timeout=120):
        wait_for(f"{self.program} to finish; it said:\n{self.tail()}", self.done, timeout)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind:
            print(f"--- {self.program} in {self.dir}:\n{self.tail()}")


class Aria2(Process):
    """aria2c as a visitor runs it: with X-BT-Accept, it gets the torrent under the file's own URL and follows it."""
    program = "aria2c"
    says_hash_failed = r"we got wrong piece|Bad piece hash"

    def __init__(self, box, url, name="aria2", options=(), header="X-BT-Accept: torrent", file=None):
        """file: the name of what comes of a url that is none, but a magnet link."""
        super().__init__(box, name)
        self.file = self.dir / (file or url.rsplit("/", 1)[1])
        self.run(["aria2c", "--no-conf", f"--header={header}", "--dir", str(self.dir), "--seed-time=0", "--enable-dht=false",
                  "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--disable-ipv6",
                  "--summary-interval=1", "--check-certificate=false", "--file-allocation=none", "--console-log-level=info",
                  f"--listen-port={free_port()}", *options, url])

    def done(self):
        if self.process.poll() is None:
            return False
        assert self.process.returncode == 0, f"aria2c ended with {self.process.returncode}:\n{self.tail()}"
        return True


class Rtorrent(Process):
    """rtorrent at a terminal of its own."""
    program = "rtorrent"

    def __init__(self, box, torrent: Torrent, name="rtorrent", options="", magnet=None, file=None, address=loopback_address):
        """magnet, file: in place of a torrent, a link, and the name of what comes of it. address: None is all of both families,
        for it takes none of IPv6."""
        super().__init__(box, name)
        self.file = self.dir / (file or torrent.name.decode())
        self.finished = self.dir / "finished"
        (self.dir / "session").mkdir()
        self.size = torrent.length if torrent else None
        if torrent:
            (self.dir / "it.torrent").write_bytes(torrent.data)
        script = self.dir / "finish"
        script.write_text(f"#!/bin/sh\necho $1 $2 >'{self.finished}.new' && mv '{self.finished}.new' '{self.finished}'\n")
        script.chmod(0o755)
        port = free_port()
        address = address() if callable(address) else address
        bind = f"network.bind_address.set = {address}" if address else ""
        (self.dir / "rtorrent.rc").write_text(f"""
directory.default.set = {self.dir}
session.path.set = {self.dir}/session
network.port_range.set = {port}-{port}
network.port_random.set = no
{bind}
dht.mode.set = disable
protocol.pex.set = no
trackers.use_udp.set = no
system.umask.set = 0022
method.set_key = event.download.finished, mark, "execute.nothrow={self.dir}/finish,$d.down.total=,$d.skip.total="
log.open_file = "log", {self.dir}/output.log
log.add_output = "info", "log"
log.add_output = "tracker_info", "log"
{options}
load.start = {f'"{magnet}"' if magnet else f"{self.dir}/it.torrent"}
""")
        ours, terminal = pty.openpty()
        self.run(["rtorrent", "-n", "-o", f"import={self.dir}/rtorrent.rc"], stdin=terminal, stdout=terminal, stderr=terminal,
                 env={**os.environ, "TERM": "xterm", "HOME": str(self.dir)})
        os.close(terminal)
        threading.Thread(target=self._drain, args=(ours,), daemon=True).start()

    def _drain(self, terminal):
        with contextlib.suppress(OSError):
            while os.read(terminal, 65536):
                pass
        os.close(terminal)

    def done(self):
        assert self.process.poll() is None, f"rtorrent ended:\n{self.tail()}"
        return self.finished.exists()

    def hash_failures(self):
        """It keeps no such number: bytes that it received beyond what there is, at the end."""
        received, skipped = map(int, self.finished.read_text().split())
        return received + skipped - self.size


class QBittorrent(Process):
    """qbittorrent-nox, which is steered and asked through its Web API. It seeds once it is complete, until it is stopped."""
    program = "qbittorrent-nox"
    ENCRYPTION = {"allowed": 0, "required": 1, "plain": 2}

    def __init__(self, box, torrent: Torrent, name="qbittorrent", encryption="allowed"):
        super().__init__(box, name)
        self.address = loopback_address()
        self.web = free_port()
        self.torrent = torrent
        self.file = self.dir / torrent.name.decode()
        (self.dir / "it.torrent").write_bytes(torrent.data)
        conf = self.dir / "qBittorrent" / "config" / "qBittorrent.conf"
        conf.parent.mkdir(parents=True)
        session = {"DefaultSavePath": self.dir, "Port": free_port(self.address), "InterfaceAddress": self.address,
                   "Encryption": self.ENCRYPTION[encryption], "BTProtocol": "TCP", "SSRFMitigation": "false",
                   "MultiConnectionsPerIp": "true", "DHTEnabled": "false", "PeXEnabled": "false", "LSDEnabled": "false",
                   "AnnounceToAllTrackers": "false", "QueueingSystemEnabled": "false", "ResolvePeerCountries": "false"}
        lines = ["[LegalNotice]", "Accepted=true", "[Network]", "PortForwardingEnabled=false", "[BitTorrent]",
                 *(f"Session\\{key}={value}" for key, value in session.items()), "[Preferences]",
                 "WebUI\\Address=127.0.0.1", f"WebUI\\Port={self.web}", "WebUI\\LocalHostAuth=false", "WebUI\\UseUPnP=false"]
        conf.write_text("\n".join(lines) + "\n")
        self.run(["qbittorrent-nox", f"--profile={self.dir}", "--skip-dialog=true", str(self.dir / "it.torrent")],
                 env={**os.environ, "HOME": str(self.dir)})

    def ask(self, method, **query):
        """What a method of the Web API answers; None while it is not up."""
        url = f"http://127.0.0.1:{self.web}/api/v2/{method}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)
        except OSError:
            assert self.process.poll() is None, f"qbittorrent-nox ended:\n{self.tail()}"
            return None

    def status(self):
        """As torrents/info has it, {} before the torrent is loaded."""
        return next(iter(self.ask("torrents/info") or ()), {})

    def hash_failures(self):
        """Bytes that it threw away: blocks that failed their hash, and such as came twice."""
        return self.ask("torrents/properties", hash=self.status()["hash"])["total_wasted"]

    def done(self):
        assert self.process.poll() is None, f"qbittorrent-nox ended:\n{self.tail()}"
        status = self.status()
        assert status.get("state") not in ("error", "missingFiles"), status
        return status.get("progress") == 1 and status.get("state") in ("uploading", "stalledUP", "forcedUP")


class Libtorrent:
    """libtorrent in this process, at a loopback address of its own."""

    def __init__(self, box, name="lt", address=None, port=None, plugins=True, **settings):
        """plugins: does it speak extensions, peer exchange among them?"""
        self.dir = Path(box) / name
        self.dir.mkdir()
        self.address = address or loopback_address()
        self.port = port or free_port(self.address)
        self.session = lt.session({
            "listen_interfaces": f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}",
            "outgoing_interfaces": self.address,
            "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
            "allow_multiple_connections_per_ip": True,  # several clients of one machine are one host to it
            "ssrf_mitigation": False,                   # else it refuses trackers on loopback with a path like ours
            "validate_https_trackers": False,           # the tests' certificate is their own
            "enable_outgoing_utp": False, "enable_incoming_utp": False,
            "close_redundant_connections": False,
            "min_reconnect_time": 1, "peer_connect_timeout": 5, "connection_speed": 100,
            "stop_tracker_timeout": 1, "tracker_completion_timeout": 15, "min_announce_interval": 1,
            "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.storage_notification,
            **settings}, flags=1 if plugins else 0)
        self.handle = None
        self.file = None

    def add(self, torrent, *, seed_from=None, tracker=True, priorities=None, pex=True):
        """Starts a download, or a seed of the file in the directory seed_from."""
        parameters = lt.add_torrent_params()
        parameters.ti = lt.torrent_info(torrent.data)
        parameters.save_path = str(seed_from or self.dir)
        if not tracker:
            parameters.ti.clear_trackers() if hasattr(parameters.ti, "clear_trackers") else None
            parameters.trackers = []
        if seed_from:
            parameters.flags |= lt.torrent_flags.seed_mode
        if priorities:
            parameters.piece_priorities = priorities
        if not pex:
            parameters.flags |= lt.torrent_flags.disable_pex
        parameters.flags &= ~lt.torrent_flags.auto_managed
        parameters.flags &= ~lt.torrent_flags.paused
        self.file = Path(parameters.save_path) / torrent.name.decode(errors="replace")
        self.handle = self.session.add_torrent(parameters)
        if not tracker:
            self.handle.replace_trackers([])
        return self

    def add_magnet(self, magnet, name, at_once=True):
        """Starts a download by nothing but a magnet link. @param name of the file that comes of it; at_once False: no piece
        is wanted yet"""
        parameters = lt.parse_magnet_uri(magnet)
        if not at_once:
            parameters.flags |= lt.torrent_flags.default_dont_download
        parameters.save_path = str(self.dir)
        parameters.flags &= ~lt.torrent_flags.auto_managed
        parameters.flags &= ~lt.torrent_flags.paused
        self.file = self.dir / name
        self.handle = self.session.add_torrent(parameters)
        return self

    def connect(self, address, port, v2=False):
        """Connects to a peer; v2 (which it must have) makes the handshake one with the v2 info-hash."""
        self.handle.connect_peer((address, port), 0, 0x80 if v2 else 0)

    def status(self):
        status = self.handle.status()
        assert not status.errc.value(), status.errc.message()
        return status

    def wait(self, timeout=120):
        wait_for(f"libtorrent to finish", self.done, timeout)
        assert self.status().total_failed_bytes == 0, "a block failed its hash"
        self._flush()

    def wait_after_hashes(self, server, number=1):
        """Wants nothing before the hashes are there: libtorrent 2.0.8 calls a hybrid inconsistent when they come for a piece
        that it has checked and not yet flushed."""
        wait_for("the hashes", lambda: server.status()["hashes_sent"] >= number)
        self.handle.prioritize_files([4])
        self.handle.prioritize_pieces([4] * self.handle.torrent_file().num_pieces())
        self.wait()

    def _flush(self):
        """It calls itself finished when the last hash is right, which may be before the last block is in its file."""
        self.handle.flush_cache()
        wait_for("libtorrent to write its file",
                 lambda: any(isinstance(a, lt.cache_flushed_alert) for a in self.session.pop_alerts()))

    def done(self):
        return self.status().is_finished

    def hash_failures(self):
        return self.status().total_failed_bytes

    def complete(self):
        return self.handle.is_valid() and self.status().is_seeding

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind and self.handle:
            status = self.handle.status()
            print(f"--- libtorrent: {status.state} {status.progress:.3f} peers {status.num_peers}; "
                  f"trackers {[(t['url'], t['message']) for t in self.handle.trackers()]}")
            for alert in self.session.pop_alerts():
                print("   ", alert.message())
        self.stop()

    def stop(self):
        self.handle = None
        self.session = None  # its destructor tells the tracker, and waits
