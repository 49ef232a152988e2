"""Waiting for conditions, never for time; and free ports."""
import os
import random
import socket
import time


def wait_for(what, condition, timeout=20.0):
    """Polls until condition() is true and returns its value; fails with `what` after timeout seconds."""
    if os.environ.get("BTHTTP_SANITIZE"):
        timeout *= 3
    deadline = time.monotonic() + timeout
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s for: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def free_port(address="127.0.0.1"):
    """A port that nobody listens on, outside the range from which the kernel picks for outgoing connections."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(1000):
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket(family) as probe:
            try:
                probe.bind((address, port))
                return port
            except OSError:
                continue
    raise AssertionError(f"no free port on {address}")
