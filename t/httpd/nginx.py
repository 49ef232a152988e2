"""nginx in front of an httpd, as a private program on a port of its own."""
import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

from waiting import free_port, wait_for

# The addresses that clients reach it by are its own; httpd is told theirs in X-Forwarded-For, and the Host that they asked for.
CONF = """daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {dir}/access.log;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
{listen}
        location / {{
            proxy_pass http://{behind};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""

# What httpd needs behind it: whom it believes about addresses.
BEHIND = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1"


class Nginx:
    """addresses: numeric, of either family; all have the same port."""

    def __init__(self, box, behind, addresses=("127.0.0.1", "::1"), name="nginx"):
        assert (program := shutil.which("nginx") or shutil.which("/usr/sbin/nginx")), "nginx is missing"
        self.dir = Path(box) / name
        self.dir.mkdir()
        self.addresses, self.port = addresses, free_port(addresses[0])
        self.host = addresses[0]
        hosts = [f"[{a}]" if ":" in a else a for a in addresses]
        listen = "\n".join(f"        listen {host}:{self.port};" for host in hosts)
        conf = self.dir / "nginx.conf"
        conf.write_text(CONF.format(dir=self.dir, listen=listen, behind=f"127.0.0.1:{behind.port}"))
        with open(self.dir / "output.log", "wb") as output:
            self.process = subprocess.Popen([program, "-p", str(self.dir), "-e", str(self.dir / "error.log"), "-c", str(conf)],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_for("nginx to start", self._accepting)

    def _accepting(self):
        assert self.process.poll() is None, (self.dir / "output.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=5):
            return True
        return False

    def announces(self):
        """How many it has passed on, by its log."""
        return (self.dir / "access.log").read_text().count("/announce?")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
