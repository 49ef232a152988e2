import pytest

from command import Command


@pytest.fixture
def torrentgen(build, box):
    """torrentgen("create", ...): see command.py."""
    return Command(build, box)
