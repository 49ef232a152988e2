"""What all tests share: where the build is, a private directory for each, and the counts for ./check's last line."""
import os
import shutil
import tempfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def build():
    """The build directory: ./check names it, else build/."""
    return Path(os.environ.get("BTHTTP_BUILD", TOP / "build"))


@pytest.fixture(scope="session")
def httpd_environment():
    """environment(directory): in which to run httpd, sanitized or not."""
    from httpd import environment
    return environment


@pytest.fixture(scope="session")
def top():
    return TOP


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.passed_call = report.passed


@pytest.fixture
def box(request):
    """A directory of this test, readable by httpd's children whoever they are. Kept if the test fails."""
    path = Path(tempfile.mkdtemp(prefix="bthttp-t-"))
    path.chmod(0o755)
    yield path
    if not getattr(request.node, "passed_call", False) or os.environ.get("BTHTTP_KEEP"):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


# --- the counts for ./check: a test is passed only if every phase of it passed; skipped is failed.

_outcomes = {}


def _note(node, good):
    _outcomes[node] = _outcomes.get(node, True) and good


def pytest_runtest_logreport(report):
    _note(report.nodeid, report.passed and not hasattr(report, "wasxfail"))


def pytest_collectreport(report):
    if report.failed:
        _note(report.nodeid, False)


def pytest_sessionfinish(session):
    name = os.environ.get("BTHTTP_COUNTS")
    if name and not hasattr(session.config, "workerinput"):
        good = sum(_outcomes.values())
        Path(name).write_text(f"{good} {len(_outcomes) - good}\n")
