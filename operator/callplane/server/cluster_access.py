"""Tokens and rights as the cluster's own API server knows them: TokenReview and
SubjectAccessReview. A server that does not answer, or refuses to, has said nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from callplane.cluster import reviews
from callplane.cluster.api_errors import ClusterError
from callplane.cluster.ports import ObjectWriter
from callplane.cluster.reviews import Question, Subject
from callplane.cluster.tokens import CredentialsError
from callplane.server.ports import AccessUnavailable


class ClusterAccess:
    """`TokenReader` and `AccessReviewer` over one API server.

    `at_once` bounds how many reviews it is asked at a time, so that a flood of tokens is ours to
    bear; who waits longer than `wait_seconds` for a turn gets no answer.
    """

    def __init__(
        self,
        objects: ObjectWriter,
        *,
        audience: str,
        at_once: int = 16,
        wait_seconds: float = 3.0,
    ) -> None:
        self._objects = objects
        self._audience = audience
        self._turns = asyncio.Semaphore(at_once)
        self._wait_seconds = wait_seconds

    async def subject_of(self, token: str) -> Subject | None:
        async with self._turn():
            return await reviews.whose_token(self._objects, token, audience=self._audience)

    async def is_allowed(self, subject: Subject, question: Question) -> bool:
        async with self._turn():
            return await reviews.is_allowed(self._objects, subject, question)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise AccessUnavailable("too many reviews are under way") from None
        try:
            yield
        except (ClusterError, CredentialsError) as error:
            raise AccessUnavailable(f"the API server reviews nothing: {error}") from error
        finally:
            self._turns.release()
