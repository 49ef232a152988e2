"""HTTP/1.x by hand: the exact headers in their order, no help from a library."""
import socket
import ssl
from dataclasses import dataclass, field

AS_REACHED = object()  # the Host that a client would send: address and port of the connection


@dataclass
class Response:
    status: int
    version: str
    headers: list = field(default_factory=list)
    body: bytes = b""

    def header(self, name):
        """All values of a header, joined; None if there is none."""
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def __repr__(self):
        return f"<{self.status} {self.headers} {len(self.body)} bytes {self.body[:60]!r}>"


class Connection:
    """One connection, for several requests one after the other."""

    def __init__(self, address, tls=False, source=None, timeout=60):
        self.socket = socket.create_connection(address, timeout=timeout, source_address=(source, 0) if source else None)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        ip, port = self.socket.getpeername()[:2]
        self.reached = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def request(self, path, headers=None, method="GET", version="1.1", host=AS_REACHED):
        """headers: a dictionary, or a list of pairs to repeat names; values may be bytes."""
        host = self.reached if host is AS_REACHED else host
        pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
        lines = [f"{method} {path} HTTP/{version}".encode("latin-1")]
        if host is not None and not any(n.lower() == "host" for n, _ in pairs):
            pairs.insert(0, ("Host", host))
        for name, value in pairs:
            value = value if isinstance(value, bytes) else value.encode("latin-1")
            lines.append(name.encode() + b": " + value)
        self.socket.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        return self.response(method)

    def response(self, method="GET"):
        line = self.file.readline().decode("latin-1").rstrip("\r\n")
        assert line.startswith("HTTP/1."), f"no status line but {line[:80]!r}"
        response = Response(int(line[9:12]), line[:8])
        while (line := self.file.readline().decode("latin-1").rstrip("\r\n")):
            name, _, value = line.partition(":")
            response.headers.append((name, value.strip()))
        if method != "HEAD" and response.status not in (204, 304):
            response.body = self._body(response)
        return response

    def _body(self, response):
        if response.header("Transfer-Encoding") == "chunked":
            body = b""
            while (size := int(self.file.readline().split(b";")[0], 16)):
                body += self.file.read(size)
                self.file.readline()
            self.file.readline()
            return body
        length = response.header("Content-Length")
        if length is None:
            return self.file.read()
        body = self.file.read(int(length))
        assert len(body) == int(length), f"{len(body)} bytes of {length}"
        return body


def request(path, headers=None, method="GET", *, address, tls=False, source=None, version="1.1", host=AS_REACHED,
            keep_alive=False):
    """One request on a connection of its own."""
    pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
    if not keep_alive and version == "1.1":
        pairs.append(("Connection", "close"))
    with Connection(address, tls, source) as connection:
        return connection.request(path, pairs, method, version, host)
