"""Free ports."""

from __future__ import annotations

import socket

import pytest

from callplane.sandbox import ports
from callplane.sandbox.failures import SandboxError


def test_ports_are_different_and_below_the_ephemeral_ones() -> None:
    found = ports.free(20)
    assert len(set(found)) == 20
    assert all(ports.FIRST <= port <= ports.LAST for port in found)


def test_a_port_in_use_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        number = taken.getsockname()[1]
        monkeypatch.setattr(ports, "FIRST", number)
        monkeypatch.setattr(ports, "LAST", number)
        with pytest.raises(SandboxError, match="no 1 free TCP ports"):
            ports.free(1)
