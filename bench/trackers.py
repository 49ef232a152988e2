"""Other trackers for bench/announce, and a site with a torrent for each of many small files."""
import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import rig

SIZE = 4 << 10  # of each file that has a swarm


def has_port(port):
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
               for line in Path("/proc/net/tcp").read_text().splitlines()[1:])


def below(pid):
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


class Program:
    """A server that runs in the foreground, until it is told to end."""

    def __init__(self, directory, command, port):
        self.port = port
        with open(directory / "log", "w") as log:
            self.process = subprocess.Popen(list(map(str, command)), cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        rig.wait_until(f"{command[0]} to listen", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.process.args[0]} ended")
        return has_port(self.port)

    def pids(self):
        return below(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def directory_for(name):
    directory = rig.state(name)
    directory.chmod(0o755)
    return directory


def opentracker(hashes):
    """Debian's, which serves what is in its whitelist; as root it locks itself up in its directory."""
    directory, port = directory_for("bench-announce/opentracker"), rig.free_port()
    (directory / "whitelist").write_text("\n".join(hashes) + "\n")
    (directory / "whitelist").chmod(0o644)
    return Program(directory, ["opentracker", "-i", "127.0.0.1", "-p", port, "-P", port, "-d", directory, "-w", "whitelist"], port)


def nginx(tracker_port, certificate, key):
    """Speaks TLS, HTTP/1.1 and HTTP/2, for a tracker that does not. A tracker that keeps no connections would cost it one port after the
    other, of which an address has 28,000 a minute: so it has many addresses."""
    addresses = "".join(f" 1% 127.0.9.{number};" for number in range(1, 51)) + " * 127.0.9.51;"
    directory, port = directory_for("bench-announce/nginx"), rig.free_port()
    (directory / "nginx.conf").write_text(f"""
daemon off; worker_processes auto; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log access.log;
    keepalive_requests 1000000000;
    split_clients $request_id $from {{{addresses} }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        location / {{ proxy_bind $from; proxy_pass http://127.0.0.1:{tracker_port}; }}
    }}
}}
""")
    return Program(directory, ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"], port)


def from_npm():
    """`bittorrent-tracker`, as bench/npm/package-lock.json has it. Its own command needs a compiled WebRTC, which its server does without."""
    rig.shell(f"npm_packages '{rig.BUILD}' bench/npm bench-npm")
    port = rig.free_port()
    program = ("import Server from 'bittorrent-tracker/server';"
               f"new Server({{http: true, udp: false, ws: false, stats: false}}).listen({port}, {{http: '127.0.0.1'}})")
    return Program(rig.BUILD / "bench-npm", ["node", "--input-type=module", "--eval", program], port)


def make_site(site, count):
    """Small files that all differ."""
    noise = os.urandom(SIZE)
    shutil.rmtree(site, ignore_errors=True)
    for number in range(count):
        path = site / f"{number // 500:03}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(8, "big") + noise[8:])
    return site


def status(httpd):
    with urllib.request.urlopen(httpd.url(".well-known/bthttp/status.json")) as response:
        return json.load(response)


def published(httpd, count):
    """The info-hash of each torrent, once the scan has made them all."""
    def is_scanned():
        scan = status(httpd)["scan"]
        return scan["walks"] and scan["made"] + scan["failed"] >= count

    rig.wait_until("all torrents", is_scanned, 600)
    lines = subprocess.run([rig.BUILD / "bthttp-torrentgen", "list", "--json", "--state-dir", httpd.dir / "bthttp"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [json.loads(line)["infohash_v1"] for line in lines]
