"""Fixtures of the tests with a real httpd."""
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from httpd import Httpd, make_certificate
from redis_server import Redis


@pytest.fixture(scope="session")
def tls():
    """(certificate, key), made once for each worker."""
    directory = Path(tempfile.mkdtemp(prefix="bthttp-tls-"))
    yield make_certificate(directory)
    shutil.rmtree(directory)


@pytest.fixture
def httpd(request, build, box):
    """Makes and starts servers: httpd(mpm=..., conf=...). Afterwards each must stop by itself and have logged nothing that
    the test did not declare with expect()."""
    made = []

    def make(start=True, **options):
        server = Httpd(build, box, f"httpd{len(made)}", **options)
        made.append(server)
        return server.start() if start else server

    yield make
    trouble = []
    for server in made:
        try:
            server.stop()
        except AssertionError as problem:
            trouble.append(str(problem))
        trouble += server.unexpected()
        if trouble or not getattr(request.node, "passed_call", False):
            print(f"--- {server.error_log}\n" + "\n".join(server.log().splitlines()[-60:]))
            print(f"--- {server.access_log}\n" + "\n".join(server.accesses()[-20:]))
    assert not trouble, "unexpected in the logs:\n" + "\n".join(trouble[:20])


@pytest.fixture
def redis(box):
    made = Redis(box)
    yield made.start()
    made.stop()


_contents = {}


@pytest.fixture(scope="session")
def content():
    """content(size, seed): reproducible bytes that do not compress; content() is 64 MiB."""
    def make(size=64 << 20, seed=1):
        if (size, seed) not in _contents:
            if len(_contents) > 16:
                _contents.clear()
            _contents[size, seed] = random.Random(size * 1000 + seed).randbytes(size)
        return _contents[size, seed]
    return make
