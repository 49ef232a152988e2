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


# Modules with tests that take from ten seconds to a minute.
SLOW = {"test_29_tracker_floods", "test_32_collection", "test_37_crowd", "test_43_thirty_restarts", "test_45_soak", "test_60_bad_peers",
        "test_62_floods", "test_66_uplink", "test_67_cold"}


def pytest_collection_modifyitems(items):
    """Slow tests are spread over the first half, lest one worker has several of them left when all others are done."""
    slow = [item for item in items if item.module.__name__ in SLOW]
    fast = [item for item in items if item.module.__name__ not in SLOW]
    step = max(1, len(fast) // 2 // max(1, len(slow)))
    ordered = []
    for n, item in enumerate(fast):
        if n % step == 0 and slow:
            ordered.append(slow.pop(0))
        ordered.append(item)
    items[:] = ordered + slow


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
