"""Free TCP ports on loopback for the servers of one sandbox."""

from __future__ import annotations

import random
import socket

from callplane.sandbox.failures import SandboxError

LOOPBACK = "127.0.0.1"
# The range lies below the ephemeral ports of Linux and macOS, so that no outgoing connection can
# take a port between our look at it and the server's bind.
FIRST, LAST = 20_000, 32_000
ATTEMPTS = 500


def free(count: int) -> tuple[int, ...]:
    """Return `count` different ports on which nobody listens on loopback right now."""
    chosen: list[int] = []
    source = random.SystemRandom()
    for _ in range(ATTEMPTS):
        if len(chosen) == count:
            return tuple(chosen)
        port = source.randint(FIRST, LAST)
        if port not in chosen and _bindable(port):
            chosen.append(port)
    raise SandboxError(f"no {count} free TCP ports between {FIRST} and {LAST} on {LOOPBACK}")


def _bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
