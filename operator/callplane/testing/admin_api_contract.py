"""The wrong person gets nothing: what holds for the admin API, over whatever stands behind it.

The same checks run over fakes in memory and over the real process with a real API server and a real
PostgreSQL; mutants without one guard fail the check that is named for it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Final

from callplane.testing.admin_api_world import (
    ACCOUNT_A,
    ACCOUNT_B,
    ACCOUNT_B2,
    DIGEST,
    FOREIGN,
    MONTH,
    NUMBERS,
    OF_A,
    OF_B,
    PEOPLE,
    SECRETS,
    STRANGERS,
    TEAM_A,
    TEAM_B,
    Answered,
    Api,
    Check,
)

#: Every route, with parameters for which there is something in team A or B.
ROUTES_OF_A: Final = (
    "/numbers",
    f"/numbers/{OF_A[0]}",
    f"/numbers/{OF_A[0]}/history",
    "/changeplans",
    f"/changeplans/{DIGEST}",
    f"/changeplans/{DIGEST}/changes",
)
ROUTES_OF_B: Final = (
    "/pools",
    "/statements",
    "/statements/2",
    f"/postings?account={ACCOUNT_B}&month={MONTH}",
)


def everywhere() -> Iterator[str]:
    for route in (*ROUTES_OF_A, *ROUTES_OF_B):
        yield f"/v1{route}"


def within() -> Iterator[str]:
    for route in ROUTES_OF_A:
        yield f"/v1/namespaces/{TEAM_A}{route}"
    for route in ROUTES_OF_B:
        yield f"/v1/namespaces/{TEAM_B}{route}"


def all_paths() -> tuple[str, ...]:
    return (*everywhere(), *within())


def document(answer: Answered) -> Any:
    return json.loads(answer.body)


def assert_nothing(answer: Answered, *statuses: int) -> None:
    """A refusal: one of these statuses, a problem, and not a word of what there is."""
    assert answer.status in statuses, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    said = document(answer)
    assert said.keys() <= {"type", "title", "status", "code", "detail", "requestId", "errors"}
    assert said["status"] == answer.status
    told = answer.text + json.dumps(dict(answer.headers))
    for secret in SECRETS:
        assert secret not in told, (secret, told)


async def strangers_get_nothing(api: Api) -> None:
    for path, who in itertools.product(all_paths(), STRANGERS):
        answer = await api.get(path, who)
        # Whoever fails too often has to wait.
        assert_nothing(answer, 401, 429)
        if answer.status == 401:
            assert answer.headers["www-authenticate"].startswith('Bearer realm="callplane"')
        token = api.token_of(who)
        assert not token or token not in answer.text


async def whoever_has_no_right_gets_nothing(api: Api) -> None:
    for path in all_paths():
        assert_nothing(await api.get(path, "no-rights"), 403)


async def there_and_not_there_look_alike(api: Api) -> None:
    there = await api.get(f"/v1/namespaces/{TEAM_B}/numbers/{OF_B[0]}", "no-rights")
    not_there = await api.get(f"/v1/namespaces/{TEAM_B}/numbers/+442079460999", "no-rights")
    nowhere = await api.get("/v1/namespaces/no-such-team/numbers", "no-rights")
    said = [document(answer) for answer in (there, not_there, nowhere)]
    for each in said:
        each.pop("requestId")
    assert said[0] == said[1] == said[2]


async def a_right_in_one_namespace_is_none_in_another(api: Api) -> None:
    for route in ROUTES_OF_A:
        answer = await api.get(f"/v1/namespaces/{TEAM_A}{route}", "register-of-a")
        assert answer.status == 200, (route, answer.text)
        for prefix in (f"/v1/namespaces/{TEAM_B}", "/v1"):
            assert_nothing(await api.get(prefix + route, "register-of-a"), 403)
    for route in ROUTES_OF_B:
        answer = await api.get(f"/v1/namespaces/{TEAM_B}{route}", "books-of-b")
        assert answer.status == 200, (route, answer.text)
        assert_nothing(await api.get(f"/v1{route}", "books-of-b"), 403)
    assert_nothing(await api.get(f"/v1/namespaces/{TEAM_A}/pools", "books-of-b"), 403)


async def a_namespace_shows_its_own_alone(api: Api) -> None:
    listed = document(await api.get(f"/v1/namespaces/{TEAM_A}/numbers", "register-of-a"))
    assert {item["namespace"] for item in listed["items"]} == {TEAM_A}
    assert len(listed["items"]) == len(OF_A)
    for number in (*OF_B, FOREIGN):
        path = f"/v1/namespaces/{TEAM_A}/numbers/{number}"
        assert_nothing(await api.get(path, "register-of-a"), 404)
        history = document(await api.get(f"{path}/history", "register-of-a"))
        assert history["items"] == []
    pools = document(await api.get(f"/v1/namespaces/{TEAM_B}/pools", "books-of-b"))
    assert [item["account"] for item in pools["items"]] == [ACCOUNT_B, ACCOUNT_B2]
    statements = document(await api.get(f"/v1/namespaces/{TEAM_B}/statements", "books-of-b"))
    assert [item["number"] for item in statements["items"]] == [2, 3]
    assert_nothing(await api.get(f"/v1/namespaces/{TEAM_B}/statements/1", "books-of-b"), 404)
    path = f"/v1/namespaces/{TEAM_B}/postings?account={ACCOUNT_A}&month={MONTH}"
    assert_nothing(await api.get(path, "books-of-b"), 400)
    plans = document(await api.get(f"/v1/namespaces/{TEAM_B}/changeplans", "everything"))
    assert plans["items"] == []


async def another_cluster_is_not_seen(api: Api) -> None:
    listed = document(await api.get("/v1/numbers?limit=500", "register-everywhere"))
    assert len(listed["items"]) == len(OF_A) + len(OF_B)
    assert_nothing(await api.get(f"/v1/numbers/{FOREIGN}", "register-everywhere"), 404)
    history = document(await api.get(f"/v1/numbers/{FOREIGN}/history", "register-everywhere"))
    assert history["items"] == []


async def a_right_to_one_kind_is_none_to_another(api: Api) -> None:
    for route in ROUTES_OF_B:
        assert_nothing(await api.get(f"/v1/namespaces/{TEAM_A}{route}", "register-of-a"), 403, 400)
        assert_nothing(await api.get(f"/v1{route}", "register-everywhere"), 403)
    for route in ROUTES_OF_A:
        assert_nothing(await api.get(f"/v1/namespaces/{TEAM_B}{route}", "books-of-b"), 403)


async def a_right_to_one_account_is_none_to_the_rest(api: Api) -> None:
    who, prefix = "one-account-of-b", f"/v1/namespaces/{TEAM_B}"
    for route in (
        f"/pools?account={ACCOUNT_B}",
        f"/statements?account={ACCOUNT_B}",
        f"/statements/2?account={ACCOUNT_B}",
        f"/postings?account={ACCOUNT_B}&month={MONTH}",
    ):
        answer = await api.get(prefix + route, who)
        assert answer.status == 200, (route, answer.text)
        assert_nothing(await api.get(prefix + route.replace("sales", "support"), who), 403)
        assert_nothing(await api.get(f"/v1{route}", who), 403)
    for route in ("/pools", "/statements", "/statements/2"):
        assert_nothing(await api.get(prefix + route, who), 403)
    path = f"{prefix}/statements/3?account={ACCOUNT_B}"
    assert_nothing(await api.get(path, who), 404)


async def numbers_are_masked_until_asked_for_with_a_right(api: Api) -> None:
    for path in all_paths():
        answer = await api.get(path, "everything")
        assert answer.status == 200, (path, answer.text)
        for number in NUMBERS:
            assert number.removeprefix("+") not in answer.text, path
        full = path + ("&" if "?" in path else "?") + "numbers=full"
        assert (await api.get(full, "everything")).status == 200
        assert_nothing(await api.get(full, "register-everywhere"), 403)
    path = f"/v1/namespaces/{TEAM_B}/numbers?numbers=full"
    shown = document(await api.get(path, "digits-of-b"))
    assert [item["number"] for item in shown["items"]] == list(OF_B)
    assert shown["masked"] is False
    assert_nothing(await api.get("/v1/numbers?numbers=full", "digits-of-b"), 403)
    path = f"/v1/namespaces/{TEAM_A}/changeplans/{DIGEST}/changes"
    assert OF_A[0] in (await api.get(f"{path}?numbers=full", "everything")).text
    assert "+44…" in (await api.get(path, "everything")).text


async def it_is_read_only(api: Api) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW"):
        for who in ("everything", "no-token"):
            answer = await api.get("/v1/numbers", who, method=method)
            assert answer.status == 405, method
            assert answer.headers["allow"] == "GET"


TRICKS: Final = (
    f"/v1/namespaces/{TEAM_A}/../{TEAM_B}/numbers",
    f"/v1/namespaces/{TEAM_A}/%2e%2e/{TEAM_B}/numbers",
    f"/v1/namespaces/{TEAM_A}%2f..%2f{TEAM_B}/numbers",
    f"/v1/namespaces/{TEAM_A}/numbers/../../{TEAM_B}/numbers",
    f"/v1/namespaces/{TEAM_A}/./numbers",
    f"/v1//namespaces/{TEAM_A}/numbers",
    f"/v1/namespaces//{TEAM_A}/numbers",
    f"//v1/namespaces/{TEAM_A}/numbers",
    f"/v1/namespaces/{TEAM_A}/numbers/",
    f"/v1/namespaces/{TEAM_A}%2fnumbers",
    f"/v1/namespaces%2F{TEAM_A}/numbers",
    f"/v1/n%61mespaces/{TEAM_A}/numbers",
    "/v1/namespaces//numbers",
    "/v1/namespaces/%20/numbers",
    "/v1/namespaces/*/numbers",
    "/v1/namespaces/%2A/numbers",
    f"/v1/namespaces/{TEAM_B}%00/numbers",
    f"/v1/namespaces/{TEAM_A};{TEAM_B}/numbers",
    f"/v1/namespaces/{TEAM_B.upper()}/numbers",
    f"/v1/namespaces/{TEAM_A}/numbers?namespace={TEAM_B}",
    f"/v1/namespaces/{TEAM_A}/numbers?range={TEAM_B}/main&namespace=",
    f"/v1/namespaces/{TEAM_A}/numbers/%2B44207946010*",
    f"/v1/namespaces/{TEAM_A}/numbers/'%20or%201=1--",
    f"/v1/namespaces/{TEAM_A}/numbers?state=Assigned'%20or%201=1--",
    f"/v1/namespaces/{TEAM_A}/numbers?cursor=AAAA",
    f"/v1/namespaces/{TEAM_A}/numbers?limit=100000",
    f"/v1/namespaces/{TEAM_A}/numbers?limit=-1",
    "/v1/../metrics",
    "/metrics",
    "/healthz",
    "/docs",
    "/",
)


async def no_path_leads_elsewhere(api: Api) -> None:
    for path in TRICKS:
        assert_nothing(await api.get(path, "register-of-a"), 400, 403, 404)
        assert_nothing(await api.get(path, "garbage"), 401, 429)
    # A filter finds nothing that lies outside.
    path = f"/v1/namespaces/{TEAM_A}/numbers?range={TEAM_B}/main"
    assert document(await api.get(path, "register-of-a"))["items"] == []


async def pages_follow_one_another_and_no_other_list(api: Api) -> None:
    path = f"/v1/namespaces/{TEAM_A}/numbers"
    seen, cursor, pages = [], "", 0
    while True:
        asked = f"{path}?limit=2&numbers=full" + (f"&cursor={cursor}" if cursor else "")
        page = document(await api.get(asked, "everything"))
        seen += [item["number"] for item in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        cursor = page["next"]
        assert not any(number.removeprefix("+") in cursor for number in NUMBERS)
    assert (seen, pages) == (list(OF_A), 2)
    for other in (
        f"/v1/namespaces/{TEAM_B}/numbers",
        f"/v1/namespaces/{TEAM_A}/changeplans",
        f"/v1/namespaces/{TEAM_A}/numbers?state=Quarantined",
        "/v1/numbers",
    ):
        asked = other + ("&" if "?" in other else "?") + f"cursor={cursor}"
        assert_nothing(await api.get(asked, "everything"), 400)
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "Q")
    assert_nothing(await api.get(f"{path}?cursor={changed}", "everything"), 400)


async def every_refusal_is_in_the_trail(api: Api) -> None:
    before = len(await api.trail())
    refused = [
        await api.get(f"/v1/namespaces/{TEAM_B}/numbers/{OF_B[0]}", "register-of-a"),
        await api.get("/v1/pools", "no-rights"),
        await api.get(f"/v1/numbers/{OF_B[0]}", "no-token"),
        await api.get("/v1/numbers?numbers=full", "register-everywhere"),
    ]
    lines = (await api.trail())[before:]
    ids = [document(answer)["requestId"] for answer in refused]
    assert [line["requestId"] for line in lines] == ids
    assert [line["event"] for line in lines] == ["AccessRefused"] * len(ids)
    asked = [(line["reason"], line["verb"], line["resource"], line["namespace"]) for line in lines]
    assert asked == [
        ("NotAllowed", "get", "numbers", TEAM_B),
        ("NotAllowed", "list", "callingaccounts/pools", ""),
        ("NoToken", None, None, None),
        ("NotAllowed", "get", "numbers/digits", ""),
    ]
    assert [bool(line["user"]) for line in lines] == [True, True, False, True]
    told = json.dumps(lines)
    for secret in (*SECRETS, *(api.token_of(who) for who in PEOPLE)):
        assert secret not in told


async def every_answer_says_how_it_may_be_kept(api: Api) -> None:
    seen = set()
    path = f"/v1/namespaces/{TEAM_A}/numbers"
    for who in ("register-of-a", "no-rights", "no-token"):
        answer = await api.get(path, who)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        seen.add(answer.headers["x-request-id"])
    assert len(seen) == 3
    first = await api.get(path, "register-of-a")
    again = await api.get(path, "register-of-a", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    # A tag that is known is no right.
    refused = await api.get(path, "no-rights", If_None_Match=first.headers["etag"])
    assert_nothing(refused, 403)


CHECKS: Final[dict[str, Check]] = {
    check.__name__: check
    for check in (
        whoever_has_no_right_gets_nothing,
        there_and_not_there_look_alike,
        a_right_in_one_namespace_is_none_in_another,
        a_namespace_shows_its_own_alone,
        another_cluster_is_not_seen,
        a_right_to_one_kind_is_none_to_another,
        a_right_to_one_account_is_none_to_the_rest,
        numbers_are_masked_until_asked_for_with_a_right,
        it_is_read_only,
        pages_follow_one_another_and_no_other_list,
        every_refusal_is_in_the_trail,
        every_answer_says_how_it_may_be_kept,
        # These end with attempts that have to wait, so they come last.
        no_path_leads_elsewhere,
        strangers_get_nothing,
    )
}
