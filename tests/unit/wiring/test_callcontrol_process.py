"""The process of call control answers what it can from the first moment on, and ends when a part of
it has failed for good.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress

import pytest

from callplane.callcontrol import refreshing
from callplane.errors import CallplaneError
from callplane.settings import CallControlSettings
from callplane.testing.readiness_watch import ReadinessWatch
from callplane.wiring import callcontrol_process

#: Nobody listens there.
NOWHERE = "postgresql://callplane@127.0.0.1:9/nothing"


def settings() -> CallControlSettings:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return CallControlSettings(database_url=NOWHERE, http_port=port, probe_port=0)


async def authorise(port: int, dialled: str) -> dict[str, object]:
    """Ask as an SBC that speaks HTTP does, and wait until the endpoint is there."""
    question = {"ev": "authorise", "i": 1, "l": 2, "attempt_id": "a-1", "boot_id": "b-1"}
    question |= {"ingress": "pbx", "caller": "+442079460001", "dialled": dialled}
    body = json.dumps(question)
    for _ in range(400):
        with suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST /v1/authorise HTTP/1.1\r\nHost: sbc\r\nContent-Length: {len(body)}"
            writer.write(f"{head}\r\nConnection: close\r\n\r\n{body}".encode())
            answer = await reader.read()
            writer.close()
            return dict(json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1]))
        await asyncio.sleep(0.01)
    raise AssertionError("nobody answers")


async def test_emergencies_are_answered_before_the_tables_were_ever_read() -> None:
    chosen = settings()
    running = asyncio.create_task(callcontrol_process._run(chosen))
    try:
        emergency = await authorise(chosen.http_port, "999")
        assert emergency["allow"]
        # Nothing is known of anybody, which is an outage and no refusal.
        other = await authorise(chosen.http_port, "02079460123")
        assert (bool(other["allow"]), other["reason"]) == (False, "Outage")
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_is_not_ready_before_its_endpoint_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = ReadinessWatch.over(callcontrol_process, monkeypatch)
    chosen = CallControlSettings(
        database_url=NOWHERE, http_port=watch.endpoint_port, probe_port=watch.probe_port
    )
    running = asyncio.create_task(callcontrol_process._run(chosen))
    try:
        await watch.until("the tables were not read yet")
        assert watch.before == ["not answering yet"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_sockets_belong_to_sbcs() -> None:
    chosen = CallControlSettings(sbcs=("127.0.0.1:1", "127.0.0.1:2"), rpc_sockets=("/run/a.sock",))
    assert list(callcontrol_process.sockets(chosen)) == ["127.0.0.1:1"]
    with pytest.raises(CallplaneError, match="CALLPLANE_RPC_SOCKETS names more sockets"):
        callcontrol_process.sockets(CallControlSettings(rpc_sockets=("/run/a.sock",)))


async def test_a_part_that_has_ended_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("cannot go on")

    monkeypatch.setattr(refreshing, "keep_fresh", fail)
    async with asyncio.timeout(20):
        assert await callcontrol_process._run(settings()) == 1
