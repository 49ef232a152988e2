"""A network namespace with a real, routed address, for clients that refuse loopback addresses: Transmission."""
import os
import random
import subprocess
from pathlib import Path

from clients import Process


def _root(*command, check=True):
    """Runs a command as root: by itself, or by sudo."""
    command = list(command) if os.getuid() == 0 else ["sudo", "-n", *command]
    return subprocess.run(command, check=check, capture_output=True, text=True)


class Namespace:
    """host_address and second_host_address (here) and address (inside), joined by a veth pair; both end with the `with` block.
    host_address6, second_host_address6 and address6 are the same of IPv6."""

    def __init__(self):
        number = random.SystemRandom().randrange(1 << 16, 1 << 20)  # libtorrent's announces to addresses in fd00::/64 time out
        self.name = f"bthttp-{number}"
        self.here, self.there = f"bth{number}a", f"bth{number}b"
        block = f"10.{128 + (number >> 13) % 128}.{(number >> 5) & 255}.{(number & 31) * 8}".rsplit(".", 1)
        self.host_address, self.address, self.second_host_address = (f"{block[0]}.{int(block[1]) + i}" for i in (1, 2, 3))
        self.host_address6, self.address6, self.second_host_address6 = (f"fd00:0:0:{number >> 16:x}:{number & 0xffff:x}::{i}" for i in (1, 2, 3))

    def __enter__(self):
        _root("ip", "netns", "add", self.name)
        try:
            _root("ip", "link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns", self.name)
            for address in (self.host_address, self.second_host_address):
                _root("ip", "address", "add", f"{address}/29", "dev", self.here)
            _root("ip", "link", "set", self.here, "up")
            inside = ("ip", "-n", self.name)
            _root(*inside, "address", "add", f"{self.address}/29", "dev", self.there)
            _root(*inside, "link", "set", self.there, "up")
            _root(*inside, "link", "set", "lo", "up")
            for address in (self.host_address6, self.second_host_address6):
                _root("ip", "address", "add", f"{address}/80", "dev", self.here, "nodad")
            _root(*inside, "address", "add", f"{self.address6}/80", "dev", self.there, "nodad")
            _root(*inside, "route", "add", "default", "via", self.host_address)
            _root(*inside, "route", "add", "default", "via", self.host_address6)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        _root("ip", "link", "delete", self.here, check=False)
        _root("ip", "netns", "delete", self.name, check=False)

    def command(self, *command):
        """The words that run a command inside, as the user that we are."""
        enter = ["ip", "netns", "exec", self.name]
        if os.getuid() == 0:
            return [*enter, *command]
        return ["sudo", "-n", *enter, "setpriv", f"--reuid={os.getuid()}", f"--regid={os.getgid()}", "--init-groups", *command]


class Transmission(Process):
    """transmission-cli inside a namespace. It seeds once it is complete, until it is stopped."""
    program = "transmission-cli"
    says_hash_failed = "failed its checksum test"

    def __init__(self, box, namespace, torrent, name="transmission", port=51413, options=(), url=None, data=None, file=None, pex=False):
        """url: it fetches the torrent by itself, as it does with a link that a user gives it, or it is a magnet link; then
        torrent may be None and file is the name of what comes of it. data: what it has already."""
        super().__init__(box, name)
        self.port = port
        self.file = self.dir / (file or torrent.name.decode())
        self.finished = self.dir / "finished"
        if torrent:
            (self.dir / "it.torrent").write_bytes(torrent.data)
        if data is not None:
            self.file.write_bytes(data)
            options = (*options, "-v")
        script = self.dir / "finish"
        script.write_text(f"#!/bin/sh\n: >'{self.finished}'\n")
        script.chmod(0o755)
        config = self.dir / "config"
        config.mkdir()
        (config / "settings.json").write_text(
            '{"dht-enabled": false, "lpd-enabled": false, "utp-enabled": false,'
            f' "pex-enabled": {str(pex).lower()},'
            ' "port-forwarding-enabled": false, "message-level": 3}')
        self.command = namespace.command("transmission-cli", "-g", str(config), "-w", str(self.dir), "-p", str(port), "-M", "-U",
                                         "-D", "-f", str(script), *options, url or str(self.dir / "it.torrent"))
        self.run(self.command)

    def done(self):
        if self.process.poll() is not None and any(said in self.tail() for said in ("Magnet Verify", "Queued for verification")):
            # It pauses a torrent that it has fetched for a moment, and ends when it happens to look just then.
            self.output.unlink()
            self.run(self.command)
        assert self.process.poll() is None, f"transmission-cli ended:\n{self.tail()}"
        return self.finished.exists()

    def stop(self):
        # sudo would not pass on a SIGKILL; transmission-cli ends at SIGTERM, but first tells the tracker.
        if self.process.poll() is None:
            _root("kill", "-9", *map(str, descendants(self.process.pid)), check=False)
        self.process.wait()


def descendants(pid):
    """The ids of a process and of all below it."""
    found = [pid]
    for parent in found:
        path = Path(f"/proc/{parent}/task/{parent}/children")
        if path.exists():
            found += [int(p) for p in path.read_text().split()]
    return found
