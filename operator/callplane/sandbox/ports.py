"""Free TCP ports on loopback for the servers of one sandbox."""

from __future__ import annotations

import random
import socket
import threading
from collections import deque

from callplane.sandbox.failures import SandboxError

LOOPBACK = "127.0.0.1"
# The range lies below the ephemeral ports of Linux and macOS, so that no outgoing connection can
# take a port between our look at it and the server's bind.
FIRST, LAST = 20_000, 32_000
ATTEMPTS = 500
# Servers of a sandbox start beside one another, and nobody listens yet on a port that another
# thread was given a moment ago.
_given: deque[int] = deque(maxlen=1_000)
_giving = threading.Lock()


def free(count: int) -> tuple[int, ...]:
    """Return `count` different ports on which nobody listens on loopback right now, and which this
    process was not given lately.
    """
    chosen: list[int] = []
    source = random.SystemRandom()
    with _giving:
        for _ in range(ATTEMPTS):
            if len(chosen) == count:
                _given.extend(chosen)
                return tuple(chosen)
            port = source.randint(FIRST, LAST)
            if port not in chosen and port not in _given and _bindable(port):
                chosen.append(port)
    raise SandboxError(f"no {count} free TCP ports between {FIRST} and {LAST} on {LOOPBACK}")


def _bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
