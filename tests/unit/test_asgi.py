"""Probes say how a process is."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter

from callplane.asgi import Message, Probes


async def answer(probes: Probes, path: str, *, kind: str = "http") -> tuple[int, str]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("a probe has no body")

    await probes({"type": kind, "path": path}, receive, send)
    return sent[0]["status"], sent[1]["body"].decode()


async def test_each_path_has_its_answer() -> None:
    registry, problems = CollectorRegistry(), ["not yet"]
    Counter("looks", "Looks.", registry=registry).inc()
    probes = Probes(registry, lambda: problems[0])
    assert await answer(probes, "/healthz") == (200, "ok\n")
    assert await answer(probes, "/readyz") == (503, "not yet\n")
    problems[0] = ""
    assert await answer(probes, "/readyz") == (200, "ok\n")
    status, metrics = await answer(probes, "/metrics")
    assert (status, "looks_total 1.0" in metrics) == (200, True)
    assert (await answer(probes, "/else"))[0] == 404
    with pytest.raises(ValueError, match="only HTTP"):
        await answer(probes, "/healthz", kind="websocket")
