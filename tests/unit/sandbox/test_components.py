"""The project's own processes in a sandbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callplane.sandbox import components
from callplane.sandbox.components import Component, Surroundings
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.state import SandboxState

SERVER = """
import http.server, os, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/ready' else 404)
        self.end_headers()
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Answers).serve_forever()
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SandboxState]:
    made = SandboxState.create(tmp_path / "sandbox")
    yield made
    made.stop()


def surroundings(state: SandboxState) -> Surroundings:
    return Surroundings(
        folder=state.folder,
        kubeconfig=state.folder / "kubeconfig",
        database_url="postgresql://nowhere/",
        identity=lambda user, groups: state.folder / user,
    )


def web(path: str, *, timeout_seconds: float = 30.0) -> Component:
    return Component(
        name="web",
        command=lambda known: (sys.executable, "-S", "-c", SERVER, str(known.ports["web", "http"])),
        ports=("http",),
        ready=("http", path),
        timeout_seconds=timeout_seconds,
    )


def test_a_component_gets_free_ports_and_the_next_one_knows_them(state: SandboxState) -> None:
    known = components.start(web("/ready"), state, surroundings(state))
    assert known.url("web", "http") == f"http://127.0.0.1:{known.ports['web', 'http']}"
    second = Component(
        name="second",
        command=lambda seen: (sys.executable, "-c", f"print({seen.url('web', 'http')!r})"),
        environment=lambda seen: {"DATABASE": seen.database_url},
    )
    components.start(second, state, known)
    assert [record.name for record in state.processes] == ["web", "second"]


def test_a_component_that_does_not_become_ready_is_an_error(state: SandboxState) -> None:
    with pytest.raises(SandboxError, match="web was not ready within 0 s"):
        components.start(web("/never", timeout_seconds=0.3), state, surroundings(state))
