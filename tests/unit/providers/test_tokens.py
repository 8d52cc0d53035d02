"""One token for all who wait, and no storm when there is none."""

from __future__ import annotations

import asyncio

import pytest

from callplane.providers.protocol import (
    AuthenticationFailed,
    ProviderError,
    Throttled,
    Unavailable,
)
from callplane.providers.teams.sign_in import refusal
from callplane.providers.tokens import (
    OUTAGE_MEMORY_SECONDS,
    PERMISSIONS_AGE_SECONDS,
    REFUSAL_MEMORY_SECONDS,
    Grant,
    TokenSource,
)
from callplane.testing.manual_clock import ManualClock

LIFETIME_SECONDS = 3600.0


class Service:
    """A token service: gives `token-1`, `token-2` …, or says no."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.asked = 0
        self.error: ProviderError | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.source = TokenSource(self.acquire, clock=self.clock)

    async def acquire(self) -> Grant:
        self.asked += 1
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return Grant(f"token-{self.asked}", LIFETIME_SECONDS)


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    service = Service()
    assert await service.source.token() == "token-1"
    service.clock.advance(LIFETIME_SECONDS - 301.0)
    assert await service.source.token() == "token-1"
    service.clock.advance(2.0)
    assert await service.source.token() == "token-2"
    assert service.asked == 2


async def test_all_who_wait_share_one_request() -> None:
    service = Service()
    service.may_answer.clear()
    waiters = [asyncio.create_task(service.source.token()) for _ in range(50)]
    await asyncio.sleep(0)
    service.may_answer.set()
    assert await asyncio.gather(*waiters) == ["token-1"] * 50
    assert service.asked == 1


async def test_a_waiter_that_gives_up_takes_nothing_from_the_others() -> None:
    service = Service()
    service.may_answer.clear()
    first, second = (asyncio.create_task(service.source.token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    service.may_answer.set()
    assert await second == "token-1"
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (AuthenticationFailed("wrong secret"), REFUSAL_MEMORY_SECONDS),
        (Unavailable("no connection"), OUTAGE_MEMORY_SECONDS),
        (Throttled(17.5), 17.5),
    ],
)
async def test_a_no_is_remembered_for_a_while(error: ProviderError, seconds: float) -> None:
    service = Service()
    service.error = error
    for _ in range(100):
        with pytest.raises(type(error), match=str(error)):
            await service.source.token()
    assert service.asked == 1
    service.error = None
    service.clock.advance(seconds)
    assert await service.source.token() == "token-2"


async def test_while_a_token_lasts_a_failed_renewal_does_no_harm() -> None:
    service = Service()
    await service.source.token()
    service.error = AuthenticationFailed("the secret has expired")
    service.clock.advance(LIFETIME_SECONDS - 100.0)
    assert await service.source.token() == "token-1"
    assert await service.source.token() == "token-1"
    assert service.asked == 2
    service.clock.advance(100.0)
    with pytest.raises(AuthenticationFailed):
        await service.source.token()


async def test_a_token_that_was_not_accepted_is_replaced_once() -> None:
    service = Service()
    token = await service.source.token()
    # Two calls were under way with the same token; the second finds it replaced already.
    service.source.drop(token)
    assert await service.source.token() == "token-2"
    service.source.drop(token)
    assert await service.source.token() == "token-2"
    assert service.asked == 2


async def test_a_refused_new_token_is_the_end_of_it_for_a_while() -> None:
    service = Service()
    await service.source.token()
    assert "not accepted" in str(service.source.refuse("not accepted"))
    for _ in range(10):
        with pytest.raises(AuthenticationFailed, match="not accepted"):
            await service.source.token()
    assert service.asked == 1
    service.clock.advance(REFUSAL_MEMORY_SECONDS)
    assert await service.source.token() == "token-2"


async def test_a_missing_permission_asks_for_a_new_token_when_the_old_one_is_old() -> None:
    service = Service()
    token = await service.source.token()
    service.source.drop_old(token)
    assert await service.source.token() == "token-1"
    service.clock.advance(PERMISSIONS_AGE_SECONDS + 1.0)
    service.source.drop_old(token)
    assert await service.source.token() == "token-2"


async def test_closing_ends_a_request_under_way() -> None:
    service = Service()
    service.may_answer.clear()
    waiter = asyncio.create_task(service.source.token())
    await asyncio.sleep(0)
    await service.source.close()
    with pytest.raises(asyncio.CancelledError):
        await waiter


def test_a_grant_does_not_show_its_token() -> None:
    assert "hidden" not in repr(Grant("hidden", 1.0))


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided. "
                "Trace ID: 1-2 Correlation ID: 3 Timestamp: now",
            },
            AuthenticationFailed,
            (
                "the token service refused the credentials: invalid_client: "
                "AADSTS7000215: Invalid client secret provided."
            ),
        ),
        (
            {"error": "unauthorized_client", "error_description": "AADSTS700016: No\r\nTrace"},
            AuthenticationFailed,
            "the token service refused the credentials: unauthorized_client: AADSTS700016: No",
        ),
        (
            {"error": "server_error", "error_description": "AADSTS90033: A transient error"},
            Unavailable,
            "the token service cannot answer now: server_error: AADSTS90033: A transient error",
        ),
        (
            {"error": "temporarily_unavailable"},
            Unavailable,
            "the token service cannot answer now: temporarily_unavailable",
        ),
        (
            {},
            AuthenticationFailed,
            "the token service refused the credentials: unknown_error",
        ),
    ],
)
def test_what_a_refused_token_request_means(
    answer: dict[str, str], error: type[ProviderError], text: str
) -> None:
    refused = refusal(answer)
    assert type(refused) is error
    assert str(refused) == text
