"""A private httpd for one test: a stock configuration, and ours only added by LoadModule."""
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import http11
from bencode import Torrent, decode
from waiting import free_port, wait_for

STOCK = """access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex deflate dir env
filter mime negotiation reqtimeout setenvif status""".split()

MPM = {
    "event": "StartServers 2\nMinSpareThreads 25\nMaxSpareThreads 75\nThreadLimit 64\nThreadsPerChild 25\n"
             "MaxRequestWorkers 150\nMaxConnectionsPerChild 0",
    "worker": "StartServers 2\nMinSpareThreads 25\nMaxSpareThreads 75\nThreadLimit 64\nThreadsPerChild 25\n"
              "MaxRequestWorkers 150\nMaxConnectionsPerChild 0",
    "prefork": "StartServers 5\nMinSpareServers 5\nMaxSpareServers 10\nMaxRequestWorkers 150\nMaxConnectionsPerChild 0",
}

# The event MPM itself says this when a child ends while a worker of it still lingers on a connection: its pollset is
# closed by then (process_lingering_close in server/mpm/event/event.c). Stock httpd says it as well.
MPM_AT_ITS_END = re.compile(r"\(9\)Bad file descriptor: AH03092: process_lingering_close")
BAD_LINE = re.compile(r"^\[[^]]+\] \[[^]:]*:(emerg|alert|crit|error|warn)\]|exit signal|AH0005[12]|^(?!\[)")
WELL_KNOWN = "/.well-known/bthttp"


def apxs(name):
    tool = shutil.which("apxs") or shutil.which("apxs2")
    assert tool, "apxs is missing"
    return subprocess.run([tool, "-q", name], check=True, capture_output=True, text=True).stdout.strip()


def environment(directory):
    """The environment to run httpd in. With BTHTTP_SANITIZE the module is built with sanitizers, whose reports go below
    the directory."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("APACHE_", "LC_", "LANG"))}
    if os.environ.get("BTHTTP_SANITIZE"):
        reports = Path(directory) / "reports"
        reports.mkdir(exist_ok=True)
        reports.chmod(0o777)
        runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
        clean.update(LD_PRELOAD=os.path.realpath(runtime.stdout.strip()),
                     ASAN_OPTIONS=f"detect_leaks=0:log_path={reports}/asan:handle_abort=1",
                     UBSAN_OPTIONS=f"print_stacktrace=1:log_path={reports}/ubsan")
    return clean


def make_certificate(directory):
    """A self-signed certificate for localhost: (certificate, key)."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:FALSE",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


LISTEN = "0A"


def tcp_sockets(pid):
    """Where this process lives: (local port, state, inode) of each TCP socket of both families, the inode "0" once nobody holds it."""
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            yield int(fields[1].rpartition(":")[2], 16), fields[3], fields[9]


def listens(pid):
    """Does this process hold a TCP socket that listens?"""
    with contextlib.suppress(OSError):
        listening = {f"socket:[{inode}]" for _, state, inode in tcp_sockets(pid) if state == LISTEN}
        return any(os.readlink(fd) in listening for fd in Path(f"/proc/{pid}/fd").iterdir())
    return False


class Httpd:
    """
    box        its private directory (docroot, logs, state are below)
    mpm        event, worker or prefork
    conf       directives of the global server, after the stock ones
    modules    further modules to load, before conf
    tls        (certificate, key): listen with TLS as well, on tls_port
    address    what it listens on, besides 127.0.0.1
    bthttp     load our module?
    state_dir  set BTHTTPStateDir below the box? (No: the build's own is used.)
    web_seed   False says BTHTTPWebSeed Off, so that bytes can only come from peers
    """

    def __init__(self, build, box, name="httpd", *, mpm="event", conf="", modules=(), tls=None, address=None, bthttp=True,
                 state_dir=True, web_seed=True, docroot=None, level="info"):
        self.build, self.dir = Path(build), Path(box) / name
        self.dir.mkdir()
        self.docroot = Path(docroot) if docroot else self.dir / "htdocs"
        self.docroot.mkdir(exist_ok=True)
        self.state_dir = self.dir / "state"
        self.host = address or "127.0.0.1"
        self.port = free_port(self.host)
        self.tls_port = free_port(self.host) if tls else None
        self.process = None
        self._expected = [MPM_AT_ITS_END]
        self._seen = 0
        self.conf = self.dir / "httpd.conf"
        self.error_log = self.dir / "error.log"
        self.access_log = self.dir / "access.log"
        self.options = {"mpm": mpm, "modules": tuple(modules), "tls": tls, "bthttp": bthttp, "state_dir": state_dir,
                        "web_seed": web_seed, "level": level}
        self.write_conf(conf)

    # --- configuration

    def write_conf(self, conf):
        """Writes the whole configuration anew with other `conf` (then start, or graceful)."""
        o = self.options
        libexec = apxs("LIBEXECDIR")
        lines = [f'ServerRoot "{self.dir}"', 'PidFile "httpd.pid"', 'ErrorLog "error.log"', "ServerName localhost",
                 f'DefaultRuntimeDir "{self.dir}"',
                 f"LogLevel notice{' bthttp:' + o['level'] if o['bthttp'] else ''}"]
        for name in ("mpm_" + o["mpm"], *STOCK, *(("ssl", "socache_shmcb") if o["tls"] else ()), *o["modules"]):
            lines.append(f'LoadModule {name}_module "{libexec}/mod_{name}.so"')
        lines += [MPM[o["mpm"]], "TypesConfig /etc/mime.types", "RequestReadTimeout header=20-40,minrate=500",
                  "RequestReadTimeout body=10,minrate=500", "DirectoryIndex index.html", "AddType text/html .html",
                  "AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css text/javascript"]
        if os.getuid() == 0:
            lines += ["User www-data", "Group www-data"]
        lines += [f"Listen {a}:{p}" for a in dict.fromkeys(["127.0.0.1", self.host]) for p in self.ports()]
        if o["bthttp"]:
            lines.append(f'LoadModule bthttp_module "{self.build}/.libs/mod_bthttp.so"')
            if o["state_dir"]:
                lines.append(f'BTHTTPStateDir "{self.state_dir}"')
            if not o["web_seed"]:
                lines.append("BTHTTPWebSeed Off")
        lines += ['LogFormat "%h:%{remote}p %v \\"%r\\" %>s %O %{bthttp-status}n %{bthttp-infohash}n" test',
                  'CustomLog "access.log" test',
                  f'DocumentRoot "{self.docroot}"',
                  '<Directory "/">\nRequire all denied\n</Directory>',
                  f'<Directory "{self.docroot}">\nOptions Indexes FollowSymLinks\nAllowOverride All\n'
                  'Require all granted\n</Directory>',
                  conf]
        if o["tls"]:
            lines += ["SSLSessionCache shmcb:ssl_cache(512000)", "SSLRandomSeed startup builtin",
                      f'<VirtualHost *:{self.tls_port}>\nSSLEngine on\nSSLCertificateFile "{o["tls"][0]}"\n'
                      f'SSLCertificateKeyFile "{o["tls"][1]}"\n</VirtualHost>']
        self.conf.write_text("\n".join(lines) + "\n")

    def ports(self):
        return [self.port] + ([self.tls_port] if self.tls_port else [])

    @property
    def base(self):
        return f"http://{self.host}:{self.port}"

    # --- life

    def command(self, *arguments):
        """Runs httpd with this configuration and further arguments to its end, as `-t` does."""
        binary = f"{apxs('SBINDIR')}/{apxs('PROGNAME')}"
        return subprocess.run([binary, "-f", str(self.conf), *arguments], env=environment(self.dir), capture_output=True,
                              text=True, timeout=60)

    def start(self):
        binary = f"{apxs('SBINDIR')}/{apxs('PROGNAME')}"
        before = self._times_running()
        with open(self.dir / "stderr.log", "ab") as stderr:
            self.process = subprocess.Popen([binary, "-DFOREGROUND", "-f", str(self.conf)], stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr, env=environment(self.dir),
                                            start_new_session=True)  # prefork stops by killing its process group
        wait_for("httpd to start", lambda: self.process.poll() is not None or self._accepting(before))
        assert self.process.poll() is None, f"httpd did not start:\n{self.stderr()}\n{self.log()}"
        return self

    def _accepting(self, before):
        """Its TCP ports are open early; all else is, once it says that it runs, for one time more than before."""
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=5):
            return self._times_running() > before
        return False

    def _times_running(self):
        return self.log().count("resuming normal operations")

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=30):
        """Stops it as `apachectl stop` would; it must end by itself, with status 0, in time."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self._settle()
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            for pid in self.children() + [self.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"httpd did not stop within {timeout} s") from None
        finally:
            self.process = None
        assert status == 0, f"httpd ended with status {status}"

    def _settle(self):
        """Lets httpd close what its clients have closed. A stock event MPM that is stopped within that moment now and then
        reads a worker's socket just freed, and crashes (3 in 1200 tries without any module of ours)."""
        deadline = time.monotonic() + 0.5
        while (self._connections() or self._computes()) and time.monotonic() < deadline:
            time.sleep(0.005)

    def _connections(self):
        return [port for port, state, inode in tcp_sockets(self.pid) if port in self.ports() and state != LISTEN and inode != "0"]

    def _computes(self):
        """Has a thread of a child something to do? On a busy machine a worker that has closed its socket may wait for a core."""
        with contextlib.suppress(OSError):
            return any(stat.read_text().rpartition(")")[2].startswith(" R ") for pid in self.children()
                       for stat in Path(f"/proc/{pid}/task").glob("*/stat"))
        return False

    def graceful(self):
        """A graceful restart; returns when the new generation is running, and alone accepts connections."""
        self._again(signal.SIGUSR1)

    def restart(self):
        """A restart by SIGHUP: all children end; returns when the new ones are there."""
        self._again(signal.SIGHUP)

    def _again(self, kind):
        before, old = self._times_running(), self.children()
        self.process.send_signal(kind)
        wait_for("the restart", lambda: self._times_running() > before or not self.alive())
        assert self.alive(), self.log()
        wait_for("the old children to accept no more", lambda: not any(map(listens, old)))

    def children(self):
        with contextlib.suppress(FileNotFoundError):
            return [int(p) for p in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    def kill_seeder(self):
        """kill -9 of the child that seeds. Returns its pid."""
        pid = self.seeder()
        self.expect(rf"AH00052: child pid {pid} exit signal Killed")
        os.kill(pid, signal.SIGKILL)
        return pid

    def seeder(self, other_than=None):
        """The pid of the child that seeds, waiting until there is one."""
        def current():
            try:
                pid = self.status()["seeder_pid"]
            except (OSError, AssertionError):
                return None  # a child that was killed had taken this very connection
            return pid if pid not in (0, other_than) and pid in self.children() else None
        return wait_for("a seeder", current)

    def rss(self, pid):
        """Resident memory of a process in bytes, without the pages that it shares, with others or with the page cache."""
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return 1024 * sum(int(n) for n in re.findall(r"^Private_Dirty: +(\d+) kB", text, re.M))

    # --- logs

    def log(self):
        return self.error_log.read_text(errors="replace") if self.error_log.exists() else ""

    def stderr(self):
        path = self.dir / "stderr.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def accesses(self):
        return self.access_log.read_text(errors="replace").splitlines() if self.access_log.exists() else []

    def expect(self, pattern):
        """Declares that this test provokes lines in the error_log that match."""
        self._expected.append(re.compile(pattern))

    def unexpected(self):
        lines = [line for line in self.log().splitlines() + self.stderr().splitlines() if BAD_LINE.search(line)]
        lines = [line for line in lines if not any(e.search(line) for e in self._expected)]
        for report in sorted((self.dir / "reports").glob("*")):
            lines.append(report.read_text(errors="replace")[:6000])
        return lines

    # --- files

    def put(self, name, content):
        """Writes a file into the docroot, by rename. Returns its path."""
        path = self.docroot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".writing")
        temporary.write_bytes(content)
        temporary.rename(path)
        return path

    def publish(self, content, name="f.bin"):
        """Puts a file and asks for its torrent, which is in `made` from then on. Returns this server."""
        self.put(name, content)
        self.made = self.torrent(f"/{name}")
        return self

    # --- requests

    def get(self, path, headers=None, method="GET", **options):
        """One request of HTTP/1.1 on a connection of its own; see http11.request for the options."""
        options.setdefault("address", (self.host, self.port))
        return http11.request(path, headers, method, **options)

    def get_tls(self, path, headers=None, method="GET", **options):
        return self.get(path, headers, method, address=(self.host, self.tls_port), tls=True, **options)

    def torrent(self, path, timeout=60, **options):
        """The torrent of a file by its alias, waiting until it is made."""
        def made():
            response = self.get(path + ".torrent", **options)
            if response.status == 503:
                return None
            assert response.status == 200, f"{path}.torrent: {response.status} {response.body[:200]!r}"
            return Torrent(response.body)
        return wait_for(f"the torrent of {path}", made, timeout)

    def magnet(self, path, timeout=60, **options):
        """The magnet link of a file by its alias, waiting until its torrent is made; the .torrent itself is never asked for."""
        def made():
            response = self.get(path + ".magnet", **options)
            if response.status == 503:
                return None
            assert response.status == 200, f"{path}.magnet: {response.status} {response.body[:200]!r}"
            return response.body.decode("ascii").strip()
        return wait_for(f"the magnet link of {path}", made, timeout)

    def status(self):
        response = self.get(WELL_KNOWN + "/status.json", address=("127.0.0.1", self.port))
        assert response.status == 200, response
        return json.loads(response.body)

    def closed(self, reason):
        return self.status()["closed"][reason]

    def wait_closed(self, reason, before=0, timeout=20):
        wait_for(f"a peer closed as {reason}", lambda: self.closed(reason) > before, timeout)

    def announce(self, info_hash, port=6999, left=1, peer_id=b"-XX0001-abcdefghijkl", raw="", headers=None, **options):
        """Announces, and returns the decoded answer."""
        query = f"info_hash={quote(info_hash, safe='')}&peer_id={quote(peer_id, safe='')}&port={port}"
        query += f"&uploaded=0&downloaded=0&left={left}&compact=1{raw}"
        response = self.get(f"{WELL_KNOWN}/announce?{query}", headers, **options)
        assert response.status == 200, response
        return decode(response.body)

    def scrape(self, *hashes, **options):
        query = "&".join("info_hash=" + quote(h, safe="") for h in hashes)
        response = self.get(f"{WELL_KNOWN}/scrape?{query}", **options)
        assert response.status == 200, response
        return decode(response.body)


def peers_of(answer):
    """The IPv4 peers of a compact announce answer: {(address, port)}."""
    compact = answer[b"peers"]
    return {(socket.inet_ntoa(compact[i:i + 4]), int.from_bytes(compact[i + 4:i + 6], "big"))
            for i in range(0, len(compact), 6)}
