"""An API server that does not answer has said nothing, and is not asked too much at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callplane.cluster.api_errors import Forbidden, Throttled, Unauthorized, Unavailable
from callplane.cluster.reviews import Question, Subject
from callplane.cluster.tokens import CredentialsError
from callplane.server.cluster_access import ClusterAccess
from callplane.server.ports import AccessUnavailable

ANN, ASKED = Subject("ann"), Question("list", "numbers")


class Server:
    """Answers reviews with an error, or never."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.under_way = 0
        self.most = 0

    async def create(self, *arguments: Any, **named: Any) -> Any:
        if self._error is not None:
            raise self._error
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("no answer"),
        Throttled("later", retry_after_seconds=1),
        Unauthorized("our own token"),
        Forbidden("our own right"),
        CredentialsError("no token file"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_is_no_answer(error: Exception) -> None:
    server: Any = Server(error)
    access = ClusterAccess(server, audience="callplane-api")
    with pytest.raises(AccessUnavailable):
        await access.subject_of("token")
    with pytest.raises(AccessUnavailable):
        await access.is_allowed(ANN, ASKED)


async def test_a_flood_waits_here_and_not_at_the_api_server() -> None:
    server: Any = Server()
    access = ClusterAccess(server, audience="callplane-api", at_once=3, wait_seconds=0.05)
    asked = [asyncio.create_task(access.subject_of(f"token-{n}")) for n in range(10)]
    done, waiting = await asyncio.wait(asked, timeout=5, return_when=asyncio.FIRST_EXCEPTION)
    while len(done) < 7:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        done |= more
    assert server.most == 3
    assert all(isinstance(task.exception(), AccessUnavailable) for task in done)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
