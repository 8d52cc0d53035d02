"""Tokens of an issuer count when everything about them is right; keys are seldom asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from callplane.cluster.issuer_keys import IssuerUnavailable
from callplane.cluster.reviews import Subject
from callplane.server import issuer_tokens
from callplane.server.issuer_tokens import ByIssuer, IssuerTerms, IssuerTokens
from callplane.server.ports import AccessUnavailable
from callplane.testing.manual_clock import ManualClock
from callplane.testing.token_issuer import AUDIENCE, TokenIssuer


class Issuer(TokenIssuer):
    """Keys that are fetched without a socket, unless it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0
        self.is_away = False

    async def fetch(self) -> Mapping[str, Any]:
        self.fetched += 1
        if self.is_away:
            raise IssuerUnavailable("away in this test")
        return self.key_set()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def reader(issuer: Issuer, clock: ManualClock, **terms: Any) -> IssuerTokens:
    wanted = IssuerTerms(issuer=issuer.address, audience=AUDIENCE, **terms)
    return IssuerTokens(wanted, issuer.fetch, clock)


async def test_a_good_token_names_its_user_and_groups(issuer: Issuer, clock: ManualClock) -> None:
    tokens = reader(issuer, clock)
    assert await tokens.subject_of(issuer.token()) == Subject(
        "oidc:ann", ("oidc:finance", "system:authenticated")
    )
    assert await tokens.subject_of(issuer.token(groups=None, aud=[AUDIENCE, "x"])) == Subject(
        "oidc:ann", ("system:authenticated",)
    )
    assert await tokens.subject_of(issuer.token(groups="finance")) == Subject(
        "oidc:ann", ("oidc:finance", "system:authenticated")
    )
    issuer.add_key("rsa", kind="RS256")
    clock.advance(60)
    assert await tokens.subject_of(issuer.token("rsa")) is not None


NOW = time.time()
BAD: dict[str, Callable[[Issuer], str]] = {
    "no algorithm": lambda issuer: issuer.unsigned(),
    "no algorithm, written otherwise": lambda issuer: issuer.with_header(alg="nOnE", kid="first"),
    "a shared secret that everybody knows": lambda issuer: issuer.by_public_key(),
    "another audience": lambda issuer: issuer.token(aud="somebody-else"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "another issuer": lambda issuer: issuer.token(iss="https://other.example.com"),
    "an issuer that begins alike": lambda issuer: issuer.token(iss=issuer.address + "/x"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "expired": lambda issuer: issuer.token(exp=int(NOW) - 120),
    "no end": lambda issuer: issuer.token(exp=None),
    "not valid yet": lambda issuer: issuer.token(nbf=int(NOW) + 3600),
    "no user": lambda issuer: issuer.token(sub=None),
    "an empty user": lambda issuer: issuer.token(sub=""),
    "a user that is no text": lambda issuer: issuer.token(sub=["ann"]),
    "groups that are no list": lambda issuer: issuer.token(groups={"a": 1}),
    "too many groups": lambda issuer: issuer.token(groups=["x"] * 501),
    "no name of a key": lambda issuer: issuer.with_header(),
    "a key's name that is no text": lambda issuer: issuer.with_header(kid=7),
    "an unknown key": lambda issuer: issuer.token(header={"kid": "unknown"}),
    "a key of somebody else under a known name": lambda issuer: jwt.encode(
        issuer.claims(),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        algorithm="RS256",
        headers={"kid": "first"},
    ),
    "another signature": lambda issuer: issuer.token()[:-6] + "AAAAAA",
    "other claims": lambda issuer: _mixed(issuer),
    "not a token": lambda issuer: "garbage",
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "nothing": lambda issuer: "",
}


def _mixed(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    body = issuer.token(sub="bob").split(".")[1]
    return ".".join((head, body, signature))


@pytest.mark.parametrize("made", BAD.values(), ids=BAD)
async def test_a_bad_token_is_nobodys(
    issuer: Issuer, clock: ManualClock, made: Callable[[Issuer], str]
) -> None:
    assert await reader(issuer, clock).subject_of(made(issuer)) is None


async def test_a_name_of_kubernetes_is_refused(issuer: Issuer, clock: ManualClock) -> None:
    tokens = reader(issuer, clock, prefix="sys")
    assert await tokens.subject_of(issuer.token(sub="tem:admin")) is None
    assert await tokens.subject_of(issuer.token(groups=["tem:masters"])) is None
    assert await tokens.subject_of(issuer.token()) is not None
    usual = await reader(issuer, clock).subject_of(issuer.token(groups=["system:masters"]))
    assert usual is not None
    assert "system:masters" not in usual.groups


async def test_an_address_counts_only_when_it_was_verified(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = reader(issuer, clock, user_claim="email")
    email = "ann@example.com"
    for verified in (None, False, "true"):
        token = issuer.token(email=email, email_verified=verified)
        assert await tokens.subject_of(token) is None
    found = await tokens.subject_of(issuer.token(email=email, email_verified=True))
    assert found is not None
    assert found.user == f"oidc:{email}"


async def test_an_unknown_key_is_asked_for_once_and_not_again(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = reader(issuer, clock)
    assert await tokens.subject_of(issuer.token()) is not None
    assert issuer.fetched == 1
    clock.advance(60)
    for _ in range(50):
        assert await tokens.subject_of(issuer.token(header={"kid": "unknown"})) is None
    assert issuer.fetched == 2
    issuer.add_key("second")
    # A key that came with the last rotation is found within the pause.
    assert await tokens.subject_of(issuer.token("second")) is None
    clock.advance(31)
    assert await tokens.subject_of(issuer.token("second")) is not None
    assert issuer.fetched == 3


async def test_a_key_that_was_taken_back_counts_no_more(issuer: Issuer, clock: ManualClock) -> None:
    tokens = reader(issuer, clock)
    issuer.add_key("second")
    token = issuer.token()
    assert await tokens.subject_of(token) is not None
    del issuer.keys["first"]
    clock.advance(3601)
    assert await tokens.subject_of(token) is None


async def test_nobody_comes_in_while_no_key_is_known(issuer: Issuer, clock: ManualClock) -> None:
    issuer.is_away = True
    tokens = reader(issuer, clock)
    for _ in range(3):
        with pytest.raises(AccessUnavailable):
            await tokens.subject_of(issuer.token())
    assert issuer.fetched == 1
    issuer.is_away = False
    clock.advance(31)
    assert await tokens.subject_of(issuer.token()) is not None
    issuer.is_away = True
    clock.advance(7200)
    assert await tokens.subject_of(issuer.token()) is not None
    clock.advance(86_400)
    with pytest.raises(AccessUnavailable):
        await tokens.subject_of(issuer.token())


def test_keys_that_are_none_are_passed_over(issuer: Issuer) -> None:
    good = issuer.key_set()["keys"][0]
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"}
    broken = {**good, "x": "!", "kid": "broken"}
    for_secrecy = {**good, "use": "enc", "kid": "other"}
    listed = [secret, broken, for_secrecy, 7, {}, {**good, "kid": None}, good]
    assert list(issuer_tokens.keys_of({"keys": listed})) == ["first"]
    for document in ({}, {"keys": None}, {"keys": {}}):
        assert issuer_tokens.keys_of(document) == {}


@pytest.mark.parametrize(
    "terms",
    [
        {"algorithms": ("none",)},
        {"algorithms": ("HS256",)},
        {"algorithms": ()},
        {"prefix": ""},
        {"prefix": "system:"},
        {"audience": ""},
    ],
)
def test_terms_that_would_let_anybody_in_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"algorithms|prefix|audience"):
        IssuerTerms(**{"issuer": "https://issuer.example.com", "audience": "x", **terms})


class Asked:
    """A reader that knows everybody, and says who was asked."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name = name
        self._log = log

    async def subject_of(self, token: str) -> Subject | None:
        self._log.append(self._name)
        return None


async def test_each_token_is_shown_to_one_reader_only(issuer: Issuer) -> None:
    log: list[str] = []
    both = ByIssuer(issuer.address, Asked("issuer", log), Asked("cluster", log))
    for token in (issuer.token(), issuer.token(iss="https://cluster"), "garbage", ""):
        assert await both.subject_of(token) is None
    assert log == ["issuer", "cluster", "cluster", "cluster"]


# Mutants: with a check left out, one of the bad tokens above is somebody's.


async def somebodys(issuer: Issuer, clock: ManualClock) -> set[str]:
    found = set()
    for name, made in BAD.items():
        if await reader(issuer, clock).subject_of(made(issuer)) is not None:
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("option", "missed"),
    [
        ("verify_signature", "another signature"),
        ("verify_aud", "another audience"),
        ("verify_iss", "another issuer"),
        ("verify_exp", "expired"),
        ("verify_nbf", "not valid yet"),
    ],
)
async def test_a_missing_check_is_missed(
    issuer: Issuer,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    missed: str,
) -> None:
    decode = jwt.decode

    def without(token: str, key: Any = "", **arguments: Any) -> Any:
        options = {**arguments.pop("options", {}), option: False}
        return decode(token, key, options=options, **arguments)

    assert await somebodys(issuer, clock) == set()
    monkeypatch.setattr(jwt, "decode", without)
    assert missed in await somebodys(issuer, clock)
