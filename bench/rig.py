"""What the benchmarks share: private httpds below build/, files, processes ended by id, and the arithmetic of ratios."""
import os
import shlex
import signal
import socket
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BTHTTP_BUILD", TOP / "build")).resolve()
TICKS = os.sysconf("SC_CLK_TCK")


def shell(script):
    """The output of a script that may use dev/lib.sh."""
    return subprocess.run(["sh", "-euc", ". dev/lib.sh\n" + script], cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout


def need(*groups):
    shell("need " + " ".join(groups))
    for built in (".libs/mod_bthttp.so", "bench/drain"):
        if not (BUILD / built).exists():
            raise SystemExit(f"{BUILD / built} is missing: ./configure && make in {BUILD} first")


def state(name):
    """A directory below the build that httpd's children can read."""
    return Path(shell(f"state_below {shlex.quote(str(BUILD))} {name}").strip())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_file(path, size):
    """A file of random bytes, made once."""
    if not path.exists() or path.stat().st_size != size:
        with open(path, "wb") as out, open("/dev/urandom", "rb") as source:
            while size:
                size -= out.write(source.read(min(size, 1 << 20)))
    path.chmod(0o644)
    return path


def wait_until(what, ready, timeout=30):
    deadline = time.monotonic() + timeout
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up waiting for {what}")
        time.sleep(0.02)


def cpu_seconds(pids):
    """User and system time of whole processes."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


class Httpd:
    """A private httpd, event MPM, configured like a stock one, with our module or without it, in the foreground of its own
    process group."""

    def __init__(self, name, site, *, module=True, conf=""):
        self.dir = state(name)
        self.port = free_port()
        binary = shell("httpd_binary").strip()
        text = shell(f"httpd_conf {shlex.quote(str(self.dir))} {shlex.quote(str(site))} 127.0.0.1:{self.port} "
                     f"{shlex.quote(str(BUILD / '.libs/mod_bthttp.so'))}")
        if not module:
            text = text.replace("LogLevel notice bthttp:info", "LogLevel notice")
            text = "".join(line for line in text.splitlines(True) if not line.startswith(("LoadModule bthttp_module", "BTHTTP")))
        # One child of a fixed size, so that no children come and go in the middle of a measurement.
        text += ("StartServers 1\nServerLimit 1\nThreadLimit 96\nThreadsPerChild 96\nMaxRequestWorkers 96\n"
                 "MinSpareThreads 1\nMaxSpareThreads 96\n" + conf)
        (self.dir / "httpd.conf").write_text(text)
        self.began = time.monotonic()
        self.process = subprocess.Popen([binary, "-DFOREGROUND", "-f", str(self.dir / "httpd.conf")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until("httpd to listen", self._listens)
        wait_until("httpd's child", self.children)

    def _listens(self):
        if self.process.poll() is not None:
            raise SystemExit(f"httpd ended: see {self.dir}/error.log")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def children(self):
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def torrent(self, path, agent="bench"):
        """The torrent of one of its files, once it has been made; some clients get another half of a hybrid."""
        def ask():
            headers = {"X-BT-Accept": "torrent;wait=10", "User-Agent": agent}
            request = urllib.request.Request(self.url(path), headers=headers, method="GET")
            with urllib.request.urlopen(request) as response:
                if response.headers.get_content_type() == "application/x-bittorrent":
                    return response.read()
            return None
        return wait_until(f"the torrent of {path}", ask, 120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def paired(values, base):
    """(ratio of medians, median of the ratios of neighbours) of two equally long lists."""
    return statistics.median(values) / statistics.median(base), statistics.median(v / b for v, b in zip(values, base))


def pairs(values, base, digits=2):
    """The median of the ratios of neighbours and their range, to be printed; and the median."""
    ratios = sorted(v / b for v, b in zip(values, base))
    middle = statistics.median(ratios)
    return f"{middle:.{digits}f} ({ratios[0]:.{digits}f}-{ratios[-1]:.{digits}f})", middle


def machine():
    model = next(line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release.split('-')[0]}, load {os.getloadavg()[0]:.1f}"
