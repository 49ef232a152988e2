"""A private redis-server for one test, and a client of it by hand."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from waiting import free_port, wait_for


class RedisError(Exception):
    """Redis answered with an error."""


class Redis:
    """Keeps nothing on disk, so one that is killed comes back empty."""

    def __init__(self, box, options=()):
        assert shutil.which("redis-server"), "redis-server is missing"
        self.dir = Path(box) / "redis"
        self.dir.mkdir()
        self.port = free_port()
        self.options = list(options)
        self.password = None
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        with open(self.dir / "output.log", "ab") as output:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir",
                 str(self.dir), *self.options], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        wait_for("redis to start", self._answers)
        return self

    def _answers(self):
        assert self.process.poll() is None, (self.dir / "output.log").read_text()
        with contextlib.suppress(OSError):
            return self.ask("PING") == b"PONG"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def hang(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def ask(self, *command, database=0):
        """The answer to one command, on a connection of its own: bytes, a number, None or a list."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection, connection.makefile("rb") as answers:
            commands = ([("AUTH", self.password)] if self.password else []) + [("SELECT", database), command]
            for each in commands:
                words = [w if isinstance(w, bytes) else str(w).encode() for w in each]
                connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
                answer = self._read(answers)
        return answer

    def _read(self, answers):
        line = answers.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else answers.read(int(rest) + 2)[:-2]
        assert kind == b"*", line
        return [self._read(answers) for _ in range(int(rest))]
