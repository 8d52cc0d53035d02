"""The admin API as a process, with the rights of its installation and no others, over a real API
server's tokens and roles and a real PostgreSQL: the wrong person gets nothing.
"""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from callplane.sandbox.kubectl import Kubectl
from callplane.testing import (
    admin_api_contract,
    admin_api_people,
    admin_api_process,
    admin_api_rows,
    polling,
)
from callplane.testing.admin_api_process import AdminApiProcess
from callplane.testing.admin_api_world import (
    OF_A,
    PEOPLE,
    SECRETS,
    TEAM_A,
    TEAM_B,
    Answered,
)
from callplane.testing.live_world import PLATFORM, LiveWorld
from callplane.testing.token_issuer import TokenIssuer

POD = {"pod_name": "api-of-test", "pod_uid": "uid-of-api", "namespace": PLATFORM.namespace}
PATIENT = {"failed_attempts": "1000000", "show_numbers": "true", **POD}
OWN_NUMBERS = f"/v1/namespaces/{TEAM_A}/numbers"


@dataclass(frozen=True, slots=True)
class RealApi:
    """`Api` over the process."""

    process: AdminApiProcess
    tokens: dict[str, str]

    async def get(self, path: str, who: str, *, method: str = "GET", **headers: str) -> Answered:
        token = self.token_of(who) or None
        answer = await asyncio.to_thread(
            lambda: self.process.get(path, token, method=method, **headers)
        )
        return Answered(answer.status, answer.headers, answer.body)

    def token_of(self, who: str) -> str:
        return self.tokens.get(who, "")

    async def trail(self) -> list[dict[str, Any]]:
        return trail(self.process)


def trail(process: AdminApiProcess) -> list[dict[str, Any]]:
    """Lines of the audit trail in the process's log, whose last one may be half written."""
    whole = (line for line in process.log().splitlines(keepends=True) if line.endswith("\n"))
    lines = [json.loads(line) for line in whole if line[:1] == "{"]
    return [line for line in lines if line["logger"] == "callplane.audit"]


@pytest.fixture(scope="module")
def tokens(live_world: LiveWorld) -> dict[str, str]:
    return admin_api_people.arrive(live_world.cluster)


@pytest.fixture(scope="module")
def database_url(live_world: LiveWorld) -> str:
    dsn = live_world.postgres.create_database()
    reader = admin_api_rows.as_reader(dsn)
    said = live_world.kubectl("get", "ns", "kube-system", "-o", "jsonpath={.metadata.uid}")
    admin_api_rows.fill(dsn, said.stdout)
    return reader


@pytest.fixture(scope="module")
def process(live_world: LiveWorld, database_url: str) -> Iterator[AdminApiProcess]:
    started = admin_api_process.start(
        live_world, "api-patient", database_url=database_url, **PATIENT
    )
    yield started
    started.stop()
    assert "Traceback" not in started.log()


def at_home(process: AdminApiProcess, token: str) -> None:
    """Wait until it knows which cluster this is, and that cluster which rights there are: before
    that, somebody who may come in is told to come again.
    """
    polling.until(
        lambda: process.get(OWN_NUMBERS, token).status == 200, "it knows which cluster this is"
    )


@pytest.fixture(scope="module")
def real(process: AdminApiProcess, tokens: dict[str, str]) -> RealApi:
    at_home(process, tokens["register-of-a"])
    return RealApi(process, tokens)


CHECKS = admin_api_contract.CHECKS


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_the_wrong_person_gets_nothing(
    real: RealApi, check: admin_api_contract.Check
) -> None:
    await check(real)


async def test_neither_log_nor_metrics_hold_a_token_or_a_number(real: RealApi) -> None:
    await real.get(f"{OWN_NUMBERS}/{OF_A[0]}", "no-rights")
    await real.get(f"{OWN_NUMBERS}/{OF_A[0]}?numbers=full", "everything")
    told = real.process.log() + real.process.metrics()
    for secret in (*SECRETS, *(real.token_of(who) for who in PEOPLE)):
        assert secret not in told


def test_refusals_are_events_of_the_pod(live_world: LiveWorld, real: RealApi) -> None:
    for _ in range(3):
        assert real.process.get("/v1/pools", real.tokens["no-rights"]).status == 403

    def told() -> list[dict[str, Any]]:
        return [
            event
            for event in live_world.items("events.events.k8s.io", namespace=PLATFORM.namespace)
            if event["reason"] == "AccessRefused"
            and "no-rights may not list callingaccounts/pools in all namespaces" in event["note"]
        ]

    polling.until(lambda: told() != [], "the refusal is an Event")
    (event,) = told()
    assert event["regarding"]["name"] == POD["pod_name"]
    assert event["type"] == "Warning"
    assert event["reportingController"] == "callplane.dev/api"


def test_a_token_whose_claims_were_changed_is_nobodys(real: RealApi) -> None:
    token = admin_api_people.tampered(
        real.tokens["no-rights"], sub=f"system:serviceaccount:{admin_api_people.PLACE}:everything"
    )
    assert real.process.get("/v1/numbers", token).status == 401


def test_a_token_for_the_api_server_itself_is_not_for_us(
    live_world: LiveWorld, real: RealApi
) -> None:
    said = live_world.kubectl("create", "token", "everything", "-n", admin_api_people.PLACE)
    assert real.process.get("/v1/numbers", said.stdout.strip()).status == 401


def test_headers_that_are_too_long_or_twice_there_are_refused(real: RealApi) -> None:
    token = real.tokens["register-of-a"]
    assert real.process.get(OWN_NUMBERS, "x" * 13_000).status == 401
    # Short enough to come in one piece, or the server stops reading before it knows what it was.
    with_more = real.process.get(OWN_NUMBERS, token, X_Much="y" * 20_000)
    assert with_more.status == 431
    assert real.process.get(OWN_NUMBERS + "?cursor=" + "z" * 5000, token).status == 400
    parts = urllib.parse.urlsplit(real.process.endpoint)
    for lines in (
        f"Authorization: Bearer {token}\r\nAuthorization: Bearer garbage\r\n",
        f"Authorization: Basic {token}\r\n",
        f"Authorization: Bearer {token} {token}\r\n",
        "Authorization:\r\n",
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as wire:
            head = f"GET {OWN_NUMBERS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            wire.sendall(f"{head}{lines}\r\n".encode())
            assert wire.makefile("rb").readline().split()[1] == b"401", lines


def test_a_right_that_is_taken_back_is_gone_with_the_next_request(
    live_world: LiveWorld, real: RealApi
) -> None:
    token, path = real.tokens["no-rights"], f"/v1/namespaces/{TEAM_B}/numbers"
    role = "callplane-register-reader"
    assert real.process.get(path, token).status == 403
    admin_api_people.bind(live_world.kubectl, "no-rights", role, TEAM_B)
    polling.until(lambda: real.process.get(path, token).status == 200, "the role counts")
    assert real.process.get(OWN_NUMBERS, token).status == 403
    live_world.kubectl("delete", "rolebinding", f"{role}-no-rights", "-n", TEAM_B)
    polling.until(lambda: real.process.get(path, token).status == 403, "the role is gone")


def test_guessing_is_slowed_down_and_stops_nobody_who_is_known(
    live_world: LiveWorld, database_url: str, tokens: dict[str, str]
) -> None:
    process = admin_api_process.start(
        *(live_world, "api-strict"),
        database_url=database_url,
        failed_attempts="3",
        failed_attempt_seconds="3600",
    )
    try:
        at_home(process, tokens["register-of-a"])
        seen = [process.get(OWN_NUMBERS, f"guess-{index}") for index in range(6)]
        assert [answer.status for answer in seen] == [401, 401, 401, 429, 429, 429]
        assert int(seen[-1].headers["retry-after"]) > 0
        assert process.get(OWN_NUMBERS, tokens["register-of-a"]).status == 200
        # Numbers stay masked whatever the right, because this process is not told to show them.
        full = process.get(f"{OWN_NUMBERS}?numbers=full", tokens["everything"])
        assert full.status == 429
        assert [line["reason"] for line in trail(process)].count("TooManyAttempts") == 4
    finally:
        process.stop()


def test_nobody_to_ask_means_nobody_comes_in(
    live_world: LiveWorld, database_url: str, tokens: dict[str, str]
) -> None:
    """The API server goes away, and with it every right; the database does, and no word is said."""
    with live_world.empty_cluster() as cluster:
        here = admin_api_people.arrive(cluster)
        process = admin_api_process.start(
            live_world, "api-lonely", cluster=cluster, database_url=database_url
        )
        try:
            polling.until(
                lambda: process.get("/v1/numbers", here["everything"]).status == 200,
                "it knows which cluster this is",
            )
            # Tokens of another cluster are nobody's, and its numbers are not ours.
            assert process.get("/v1/numbers", tokens["everything"]).status == 401
            listed = process.get("/v1/numbers", here["everything"])
            assert (listed.status, listed.document["items"]) == (200, [])
            cluster.state.stop()
            for token, status in ((here["everything"], 503), ("never-seen", 503), (None, 401)):
                answer = process.get("/v1/numbers", token)
                assert answer.status == status
                assert "retry-after" in answer.headers or status == 401
            assert "callplane_api_unreviewed_total 2.0" in process.metrics()
        finally:
            process.stop()


def test_a_database_that_is_away_is_said_and_nothing_else(
    live_world: LiveWorld, database_url: str, tokens: dict[str, str]
) -> None:
    away = database_url.rpartition("/")[0] + "/nobodys"
    process = admin_api_process.start(live_world, "api-empty", database_url=away)
    try:
        polling.until(
            lambda: (
                process.get(OWN_NUMBERS, tokens["register-of-a"]).document["code"]
                == "DatabaseUnavailable"
            ),
            "it knows which cluster this is",
        )
        answer = process.get(OWN_NUMBERS, tokens["register-of-a"])
        assert (answer.status, answer.document["code"]) == (503, "DatabaseUnavailable")
        assert "nobodys" not in answer.body.decode()
        assert process.get(OWN_NUMBERS, tokens["no-rights"]).status == 403
    finally:
        process.stop()


def test_people_of_an_issuer_come_in_by_their_groups(
    live_world: LiveWorld, database_url: str, tokens: dict[str, str]
) -> None:
    issuer = TokenIssuer()
    live_world.kubectl(
        *("create", "rolebinding", "finance", "-n", TEAM_B),
        *("--clusterrole=callplane-books-reader", "--group=oidc:finance"),
    )
    pools, numbers = (f"/v1/namespaces/{TEAM_B}/{each}" for each in ("pools", "numbers"))
    with issuer.listening() as address:
        process = admin_api_process.start(
            live_world, "api-oidc", database_url=database_url, oidc_issuer=address
        )
        try:
            # The new role counts, and the process knows which cluster this is.
            polling.until(lambda: process.get(pools, issuer.token()).status == 200, "she comes in")
            before = len(trail(process))
            assert process.get(numbers, issuer.token()).status == 403
            assert process.get(pools, issuer.token(groups=["guests"])).status == 403
            assert process.get(pools, issuer.token(groups=["system:masters"])).status == 403
            account = "system:serviceaccount:people-of-the-api:everything"
            assert process.get(pools, issuer.token(sub=account, groups=[])).status == 403
            bad = (
                *(issuer.unsigned(), issuer.by_public_key(), issuer.token(aud="another")),
                *(issuer.token(exp=1), issuer.token(header={"kid": "unknown"})),
            )
            assert [process.get(pools, token).status for token in bad] == [401] * len(bad)
            # Once for the first token, and once for the unknown key.
            assert issuer.asked.count("/keys") <= 2
            # The cluster's own are as good as before.
            assert process.get(pools, tokens["books-of-b"]).status == 200
            told = trail(process)[before:]
            users = [line["user"] for line in told if line["reason"] == "NotAllowed"]
            assert users == ["oidc:ann"] * 3 + [f"oidc:{account}"]
        finally:
            process.stop()


NOTHING_BEYOND = (
    ("list", "secrets"),
    ("get", "secrets"),
    ("get", "namespaces/default"),
    ("list", "namespaces"),
    ("list", "numbers.callplane.dev"),
    ("list", "changeplans.callplane.dev"),
    ("get", "teamsusers.callplane.dev"),
    ("patch", "teamsusers.callplane.dev"),
    ("create", "changeapprovals.callplane.dev"),
    ("create", "events.events.k8s.io", "-n", "default"),
    ("list", "events.events.k8s.io"),
    ("create", "pods"),
    ("impersonate", "users"),
)


@pytest.mark.parametrize("question", NOTHING_BEYOND, ids=" ".join)
def test_its_account_may_do_nothing_beyond(
    live_world: LiveWorld, question: tuple[str, ...]
) -> None:
    kubectl: Kubectl = live_world.cluster.kubectl_as(PLATFORM.api_account, PLATFORM.groups)
    where = () if "-n" in question else ("--all-namespaces",)
    answer = kubectl("auth", "can-i", *question, *where, check=False)
    assert answer.stdout.strip() == "no", answer.stderr


def test_it_stops_when_asked_and_ends_what_is_under_way(
    live_world: LiveWorld, database_url: str, tokens: dict[str, str]
) -> None:
    process = admin_api_process.start(live_world, "api-brief", database_url=database_url)
    assert process.readiness() == "ok"
    at_home(process, tokens["register-of-a"])
    process.stop()
    assert not process.alive
    assert "Traceback" not in process.log()
