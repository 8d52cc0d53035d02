"""Simwood numbers are searched, bought, listed by report, configured and released."""

from __future__ import annotations

import pytest

from callplane.simulators.simwood.inventory import SAMPLE_EMERGENCY_MINOR
from callplane.testing.carrier_desk import CarrierDesk

A = "930000"
FIRST = "442079460000"
OWNED = "441614960000"
NUMBERS = f"/numbers/{A}"
MARK = {"key": "cp-6f1c2a9b7d3e", "object": "team/number"}
CONFIG = {
    "routing": {"default": [[{"type": "sip", "endpoint": "%e164@sbc.example:5061"}]]},
    "options": {"enabled": True},
    "meta": MARK,
}
ADDRESS = {
    "name": "Example Ltd",
    "premises": "1",
    "thoroughfare": "Sample Street",
    "locality": "Leeds",
    "postcode": "LS11 5DF",
}


def numbers_of(answer: object) -> list[str]:
    assert isinstance(answer, list)
    return [row["number"] for row in answer]


async def test_a_search_gives_bare_rows_without_country_code(desk: CarrierDesk) -> None:
    answer = await desk.request("GET", f"{NUMBERS}/available/standard/10")
    row = answer.document[0]

    assert len(answer.document) == 10
    assert (row["country_code"], row["number"]) == ("44", "2079460000")
    assert row["recommended_gold_premium"] == "0.00"


@pytest.mark.parametrize(
    ("pattern", "found"), [("*0003", 1), ("20*", 10), ("4420*", 10), ("161*", 0)]
)
async def test_patterns_mean_the_same_with_and_without_country_code(
    desk: CarrierDesk, pattern: str, found: int
) -> None:
    answer = await desk.request("GET", f"{NUMBERS}/available/standard/100", pattern=pattern)
    assert len(answer.document) == found


async def test_gold_costs_more_and_only_three_counts_exist(desk: CarrierDesk) -> None:
    gold = await desk.request("GET", f"{NUMBERS}/available/gold/10")
    assert [row["wholesale_gold_premium"] for row in gold.document] == ["25.00", "25.00"]

    refused = await desk.request("GET", f"{NUMBERS}/available/all/5")
    assert refused.status == 400
    assert refused.document["success"] is False


async def test_a_number_is_bought_once_and_paid_once(desk: CarrierDesk) -> None:
    bought = await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")
    again = await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")

    assert (bought.status, again.status) == (200, 200)
    assert bought.document["data"]["number"] == FIRST
    assert f"+{FIRST}" in desk.owned
    assert desk.spent_minor == {"setup": 100, "month": 150}
    assert desk.account.balance_minor == 100_000 - 250


async def test_buying_twice_can_be_an_error_too(desk: CarrierDesk) -> None:
    desk.settings(rebuying_succeeds=False)
    answer = await desk.request("PUT", f"{NUMBERS}/allocated/{OWNED}")
    assert answer.document == {
        "success": False,
        "errors": [f"Number {OWNED} is already allocated"],
    }


@pytest.mark.parametrize("number", [f"+{FIRST}", "02079460000", "2079460000"])
async def test_a_number_has_one_form_in_a_path(desk: CarrierDesk, number: str) -> None:
    answer = await desk.request("PUT", f"{NUMBERS}/allocated/{number}")
    assert answer.status == 400
    assert desk.spent_minor == {}


async def test_a_number_sold_between_search_and_order_is_refused(desk: CarrierDesk) -> None:
    desk.portal.sell(f"+{FIRST}")
    second = "442079460001"
    desk.fault(effect="number-taken", kinds=["buyNumber"], subject=f"+{second}")

    for number in (FIRST, second):
        answer = await desk.request("PUT", f"{NUMBERS}/allocated/{number}")
        assert answer.document["errors"] == [f"Number {number} is not available"]
    assert desk.spent_minor == {}


async def test_an_empty_balance_and_a_full_account_refuse(desk: CarrierDesk) -> None:
    desk.portal.set_balance(249)
    poor = await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")
    desk.portal.set_balance(250)
    desk.account.number_limit = 2
    full = await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")
    desk.account.number_limit = 3
    good = await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")

    assert (poor.status, full.status, good.status) == (402, 400, 200)
    balance = await desk.request("GET", f"/accounts/{A}/prepay/balance")
    assert balance.document == [{"balance": "0.00", "currency": "GBP"}]


@pytest.mark.parametrize("effect", ["drop-after", "failed-after"])
async def test_a_lost_answer_leaves_the_number_bought(desk: CarrierDesk, effect: str) -> None:
    desk.fault(effect=effect, kinds=["buyNumber"], times=1)
    answer = await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")

    assert answer.status in (0, 503)
    assert f"+{FIRST}" in desk.owned
    assert desk.world.recorder.writes()[0].committed
    assert (await desk.request("GET", f"{NUMBERS}/allocated/{FIRST}")).status == 200


async def test_a_connection_lost_before_leaves_nothing(desk: CarrierDesk) -> None:
    desk.fault(effect="drop-before", kinds=["buyNumber"], times=1)
    assert (await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")).status == 0
    assert f"+{FIRST}" not in desk.owned
    assert not desk.world.recorder.writes()[0].committed


async def test_a_number_just_bought_may_be_unknown_for_a_while(desk: CarrierDesk) -> None:
    desk.settings(read_lag_seconds=5.0)
    desk.clock.advance(60.0)
    await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")

    assert (await desk.request("GET", f"{NUMBERS}/allocated/{FIRST}")).status == 404
    desk.clock.advance(5.0)
    assert (await desk.request("GET", f"{NUMBERS}/allocated/{FIRST}")).status == 200


async def test_a_month_costs_what_it_costs_until_release(desk: CarrierDesk) -> None:
    month = desk.world.settings.month_seconds
    await desk.request("PUT", f"{NUMBERS}/allocated/{FIRST}")
    desk.clock.advance(month)
    desk.world.advance()
    assert desk.spent_minor == {"setup": 100, "month": 4 * 150}

    released = await desk.request("DELETE", f"{NUMBERS}/allocated/{FIRST}")
    assert released.document == {"success": True, "data": None}
    desk.clock.advance(month)
    desk.world.advance()
    assert desk.spent_minor == {"setup": 100, "month": 6 * 150}
    assert (await desk.request("GET", f"{NUMBERS}/allocated/{FIRST}")).status == 404


async def test_a_released_number_rests_as_long_as_the_world_says(desk: CarrierDesk) -> None:
    desk.settings(numbers_rest_seconds=60.0)
    await desk.request("DELETE", f"{NUMBERS}/allocated/{OWNED}")
    path = f"{NUMBERS}/allocated/{OWNED}"
    assert (await desk.request("PUT", path)).status == 400
    desk.clock.advance(60.0)
    assert (await desk.request("PUT", path)).status == 200


async def test_taking_the_configuration_is_not_taking_the_number(desk: CarrierDesk) -> None:
    path = f"{NUMBERS}/allocated/{OWNED}"
    await desk.request("PUT", f"{path}/config", CONFIG)
    await desk.request("DELETE", f"{path}/config")
    assert f"+{OWNED}" in desk.owned
    await desk.request("DELETE", path)
    assert f"+{OWNED}" not in desk.owned


async def report(desk: CarrierDesk, extent: str = "all", **body: object) -> str:
    answer = await desk.request("POST", f"{NUMBERS}/allocated/{extent}", body)
    link: str = answer.document["link"]
    assert link == f"/v3/files/{A}/{answer.document['hash']}"
    return link.removeprefix("/v3")


async def test_a_report_is_made_fetched_once_and_gone(desk: CarrierDesk) -> None:
    desk.settings(report_seconds=3.0)
    link = await report(desk)
    assert await report(desk) == link
    assert (await desk.request("GET", link)).status == 204
    desk.clock.advance(3.0)

    assert numbers_of((await desk.request("GET", link)).document) == [OWNED, "441614960001"]
    assert (await desk.request("GET", link)).status == 404
    assert await report(desk) != link
    assert desk.world.recorder.writes() == []


async def test_a_report_expires_and_another_process_may_have_it(desk: CarrierDesk) -> None:
    link = await report(desk)
    assert (await desk.request("GET", f"/files/{A}")).document["data"] == [link[-32:]]
    desk.clock.advance(300.0)
    assert (await desk.request("GET", link)).status == 404

    link = await report(desk)
    assert desk.portal.collect_reports() == 1  # type: ignore[attr-defined]
    assert (await desk.request("GET", link)).status == 404


async def test_a_report_finds_a_mark_in_any_case(desk: CarrierDesk) -> None:
    await desk.request("PUT", f"{NUMBERS}/allocated/{OWNED}/config", CONFIG)
    link = await report(desk, key="CP-6F1C2A9B7D3E")
    assert numbers_of((await desk.request("GET", link)).document) == [OWNED]
    assert len((await desk.request("GET", await report(desk, "10"))).document) == 2


@pytest.mark.parametrize(
    ("effect", "numbers"),
    [
        ("listing-empty", []),
        ("listing-half", [OWNED]),
        ("listing-skip", ["441614960001"]),
        ("listing-repeat", [OWNED, "441614960001", "441614960001"]),
    ],
)
async def test_a_report_can_lie(desk: CarrierDesk, effect: str, numbers: list[str]) -> None:
    desk.fault(effect=effect, kinds=["fetchReport"])
    assert numbers_of((await desk.request("GET", await report(desk))).document) == numbers


async def test_a_run_of_numbers_comes_by_report(desk: CarrierDesk) -> None:
    path = f"{NUMBERS}/available/consecutive"
    answer = await desk.request("POST", f"{path}/10", {"pattern": "20*"})
    link = answer.document["link"].removeprefix("/v3")
    assert len((await desk.request("GET", link)).document) == 10
    assert (await desk.request("POST", f"{path}/15", {})).status == 400


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rooting": {}}, "Unknown section 'rooting' in configuration"),
        ({"routing": {"night": []}}, "Routing block 'night' does not match any rule"),
        ({"routing": {"default": {}}}, "Routing block 'default' must be an array"),
        ({"routing": {"default": [[{"type": "tin"}]]}}, "type must be one of sip, reg"),
        ({"rules": {"Night": []}}, "Rule name 'Night' is invalid"),
        ({"rules": {"night": {}}}, "Rule 'night' must be an array"),
        ({"options": {"acr": "yes"}}, "acr must be one of true, false"),
        ({"options": {"speed": 1}}, "Invalid parameter in settings: options"),
        ({"meta": {"key": "k" * 41}}, "key must be at most 40 characters"),
        ({"meta": {"text": "x" * 600}}, "meta must be at most 512 bytes"),
        (
            {"routing": {"default": [[{"type": "sip", "endpoint": "a", "zone": "lon"}]]}},
            "needs one endpoint without zone",
        ),
    ],
)
async def test_a_bad_configuration_leaves_the_old_one(
    desk: CarrierDesk, change: dict[str, object], text: str
) -> None:
    path = f"{NUMBERS}/allocated/{OWNED}/config"
    assert (await desk.request("PUT", path, CONFIG)).status == 200
    refused = await desk.request("PUT", path, {**CONFIG, **change})

    assert refused.status == 400
    assert text in refused.document["errors"][0]
    assert (await desk.request("GET", path)).document["data"] == CONFIG


async def test_an_edit_in_the_portal_forgets_the_mark(desk: CarrierDesk) -> None:
    path = f"{NUMBERS}/allocated/{OWNED}/config"
    await desk.request("PUT", path, CONFIG)
    desk.portal.edit_number(f"+{OWNED}", "elsewhere@pbx.example")  # type: ignore[attr-defined]
    assert "meta" not in (await desk.request("GET", path)).document["data"]
    assert desk.world.changes.changes[-1].by == "portal"


async def test_an_emergency_record_is_checked_and_paid_each_time(desk: CarrierDesk) -> None:
    path = f"{NUMBERS}/allocated/{OWNED}/999"
    assert (await desk.request("GET", path)).status == 404
    for change in ({"postcode": ""}, {"postcode": "LS115DF"}, {"street": "x"}, {"name": "n" * 51}):
        assert (await desk.request("PUT", path, {**ADDRESS, **change})).status == 400
    assert desk.spent_minor == {}
    for _ in range(2):
        assert (await desk.request("PUT", path, ADDRESS)).status == 200

    assert (await desk.request("GET", path)).document["data"] == ADDRESS
    assert desk.spent_minor == {"999": 2 * SAMPLE_EMERGENCY_MINOR}


async def test_a_number_is_put_on_a_trunk_that_exists(desk: CarrierDesk) -> None:
    path = f"{NUMBERS}/allocated/{OWNED}/trunk"
    assert (await desk.request("PUT", path, {"trunk": f"{A}-NONE"})).status == 400
    await desk.request("PUT", path, {"trunk": f"{A}-L001"})
    assert (await desk.request("GET", path)).document["data"] == {"trunk": f"{A}-L001"}
    await desk.request("DELETE", path)
    assert (await desk.request("GET", path)).document["data"] == {"trunk": None}


async def test_the_last_call_and_look_ups(desk: CarrierDesk) -> None:
    path = f"{NUMBERS}/allocated/{OWNED}/lastcall"
    assert (await desk.request("GET", path)).document["data"] is None
    desk.portal.record_call(f"+{OWNED}")  # type: ignore[attr-defined]
    assert (await desk.request("GET", path)).document["data"]["billsec"] == 30
    premium = await desk.request("GET", f"{NUMBERS}/validate/449098790123")
    assert premium.document["data"]["ofcom"]["valid_cli"] is False
    found = await desk.request("GET", f"{NUMBERS}/lookup/{OWNED}")
    assert found.document["formatted"] == OWNED
    ranges = await desk.request("GET", f"{NUMBERS}/ranges")
    assert [row["sabc"] for row in ranges.document["data"]] == ["20"]
