"""Keys come from where the issuer's own document says, and from nowhere odd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callplane.cluster.issuer_keys import (
    DOCUMENT_LIMIT_BYTES,
    IssuerKeys,
    IssuerUnavailable,
    is_issuer,
)
from callplane.testing.token_issuer import TokenIssuer

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    made = TokenIssuer()
    with made.listening():
        yield made


async def test_keys_are_found_through_the_discovery_document(issuer: TokenIssuer) -> None:
    assert await IssuerKeys(issuer.address).fetch() == issuer.key_set()
    assert issuer.asked == [DISCOVERY, "/keys"]


@pytest.mark.parametrize(
    ("path", "status", "body", "said"),
    [
        (DISCOVERY, 404, b"{}", "answered 404"),
        (DISCOVERY, 302, b"{}", "answered 302"),
        (DISCOVERY, 200, b"[]", "no JSON object"),
        (DISCOVERY, 200, b"<html>", "no JSON object"),
        (DISCOVERY, 200, b'{"issuer": "https://other.example.com"}', "another issuer's"),
        ("/keys", 500, b"{}", "answered 500"),
        ("/keys", 200, b" " * (DOCUMENT_LIMIT_BYTES + 1), "too long"),
    ],
)
async def test_a_document_that_is_none_is_refused(
    issuer: TokenIssuer, path: str, status: int, body: bytes, said: str
) -> None:
    issuer.answers[path] = (status, body)
    with pytest.raises(IssuerUnavailable, match=said):
        await IssuerKeys(issuer.address).fetch()


@pytest.mark.parametrize("address", ["http://192.0.2.1/keys", "file:///etc/passwd", "", "/keys"])
async def test_keys_elsewhere_in_the_clear_are_not_fetched(
    issuer: TokenIssuer, address: str
) -> None:
    issuer.publish(jwks_uri=address)
    with pytest.raises(IssuerUnavailable, match="not at an https address"):
        await IssuerKeys(issuer.address).fetch()
    assert issuer.asked == [DISCOVERY]


async def test_an_issuer_that_is_away_is_unavailable() -> None:
    with pytest.raises(IssuerUnavailable, match="did not answer"):
        await IssuerKeys("http://127.0.0.1:9").fetch()


@pytest.mark.parametrize(
    ("address", "may_be"),
    [
        ("https://login.example.com/tenant/v2.0", True),
        ("http://127.0.0.1:8080", True),
        ("http://login.example.com", False),
        ("https://login.example.com/?x=1", False),
        ("https://login.example.com/#x", False),
        ("https://", False),
        ("login.example.com", False),
    ],
)
def test_an_issuer_is_spoken_to_in_secret(address: str, may_be: bool) -> None:
    assert is_issuer(address) is may_be
    if not may_be:
        with pytest.raises(ValueError, match="no issuer"):
            IssuerKeys(address)
