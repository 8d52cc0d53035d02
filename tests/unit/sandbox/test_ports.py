"""Free ports."""

from __future__ import annotations

import socket
from collections import deque

import pytest

from callplane.sandbox import ports
from callplane.sandbox.failures import SandboxError


def test_ports_are_different_and_below_the_ephemeral_ones() -> None:
    found = ports.free(20)
    assert len(set(found)) == 20
    assert all(ports.FIRST <= port <= ports.LAST for port in found)


def test_nobody_is_given_what_another_was_given_a_moment_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "_given", deque(maxlen=100))
    monkeypatch.setattr(ports, "LAST", ports.FIRST + 40)
    first, second = ports.free(15), ports.free(15)
    assert set(first).isdisjoint(second)


def test_a_port_in_use_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        number = taken.getsockname()[1]
        monkeypatch.setattr(ports, "FIRST", number)
        monkeypatch.setattr(ports, "LAST", number)
        with pytest.raises(SandboxError, match="no 1 free TCP ports"):
            ports.free(1)
