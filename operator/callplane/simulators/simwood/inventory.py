"""Simwood's requests about numbers: search, buy, release, list, emergency record, trunk."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.carriers.world import NotEnoughMoney, NotForSale, TooManyNumbers
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.simwood import refusals
from callplane.simulators.simwood.world import SimwoodWorld, search_row, wire_number

EMERGENCY_FIELDS: Mapping[str, int] = {
    "title": 20,
    "forename": 20,
    "name": 50,
    "bussuffix": 50,
    "premises": 60,
    "thoroughfare": 55,
    "locality": 30,
    "postcode": 12,
}
"""Fields of a 999 record with their longest values."""
EMERGENCY_MANDATORY = ("premises", "thoroughfare", "locality", "postcode")
SAMPLE_EMERGENCY_MINOR = 50
"""What a 999 submission costs here: a sample."""

_COUNTS = ("1", "10", "100")
_TIERS = ("all", "gold", "standard")


def ok(data: object) -> Response:
    """The ordinary success."""
    return json_response({"success": True, "data": data})


def ranges(call: Call) -> Response:
    """GET ranges: the blocks that have numbers."""
    blocks = {wire_number(row.e164)[2:-4]: row for row in call.world.on_sale(call.account)}
    return ok(
        [
            {
                "id": index,
                "prefix": prefix,
                "sabc": prefix[:2] if prefix.startswith("20") else prefix[:4],
                "description": f"Geographic - {row.place}",
                "chargeband": "geo",
            }
            for index, (prefix, row) in enumerate(sorted(blocks.items()), start=1)
        ]
    )


def search(call: Call) -> Response:
    """GET available/{tier}/{count}: a bare array."""
    tier, count = call.names["tier"], call.names["count"]
    if tier not in _TIERS or count not in _COUNTS:
        raise refusals.failed("Invalid request: type is all, gold or standard, count 1, 10 or 100")
    country = call.request.query.get("country_code", "")
    pattern = call.request.query.get("pattern", "*")
    if country and not country.isdigit():
        raise refusals.failed("Invalid country_code")
    rows = [
        row
        for row in call.world.on_sale(call.account)
        if (tier == "all" or row.is_gold == (tier == "gold"))
        and wire_number(row.e164).startswith(country or "44")
        and _fits(row, pattern, is_british=not country or country == "44")
    ]
    if call.strike(Effect.LISTING_EMPTY):
        rows = []
    return json_response([search_row(row) for row in rows[: int(count)]])


def search_consecutive(call: Call) -> Response:
    """POST available/consecutive/{count}: a report with a run of numbers, British only."""
    count = call.names["count"]
    if not count.isdigit() or int(count) not in range(10, 101, 10):
        raise refusals.failed("Invalid block size")
    pattern = call.body.get("pattern", "*")
    return _report(call, {"report": "consecutive", "count": int(count), "pattern": pattern})


def buy(call: Call) -> Response:
    """PUT allocated/{number}."""
    e164 = _e164(call)
    row = call.world.stock.get(e164)
    if row is not None and row.owner == call.account.id:
        if not call.world.settings.rebuying_succeeds:
            raise refusals.failed(f"Number {call.names['number']} is already allocated")
        return ok(owned_row(row))
    try:
        bought = call.world.acquire(e164, call.account, by=call.who)
    except NotForSale:
        raise refusals.failed(f"Number {call.names['number']} is not available") from None
    except NotEnoughMoney:
        raise refusals.failed("Insufficient balance", status=402) from None
    except TooManyNumbers:
        raise refusals.failed("Number limit reached for this account") from None
    return ok(owned_row(bought))


def get_number(call: Call) -> Response:
    """GET allocated/{number}."""
    row = call.world.seen(_e164(call))
    if row is None or row.owner != call.account.id:
        raise refusals.no_number(call.names["number"])
    return ok(owned_row(row))


def release(call: Call) -> Response:
    """DELETE allocated/{number}: irrevocably, whatever is set on it."""
    row = mine(call)
    call.world.release(row.e164, by=call.who)
    return ok(None)


def get_trunk(call: Call) -> Response:
    """GET allocated/{number}/trunk."""
    return ok({"trunk": mine(call).attributes.get("trunk")})


def put_trunk(call: Call) -> Response:
    """PUT allocated/{number}/trunk."""
    row, trunk = mine(call), call.body.get("trunk")
    if trunk not in call.account.shelf("trunks"):
        raise refusals.failed(f"Trunk {trunk} not found")
    call.world.set_attributes(row, {"trunk": trunk}, by=call.who)
    return ok({"trunk": trunk})


def delete_trunk(call: Call) -> Response:
    """DELETE allocated/{number}/trunk."""
    call.world.set_attributes(mine(call), {"trunk": None}, by=call.who)
    return ok(None)


def get_emergency(call: Call) -> Response:
    """GET allocated/{number}/999."""
    record = mine(call).attributes.get("999")
    if record is None:
        raise refusals.unknown("999 record for", call.names["number"])
    return ok(record)


def put_emergency(call: Call) -> Response:
    """PUT allocated/{number}/999: charged each time, changed or not."""
    row = mine(call)
    for name, value in call.body.items():
        if name not in EMERGENCY_FIELDS:
            raise refusals.failed(f"Invalid parameter {name}")
        if not isinstance(value, str) or len(value) > EMERGENCY_FIELDS[name]:
            raise refusals.failed(f"{name} must be at most {EMERGENCY_FIELDS[name]} characters")
    missing = [name for name in EMERGENCY_MANDATORY if not call.body.get(name)]
    if missing:
        raise refusals.failed(f"{missing[0]} is required")
    if " " not in call.body["postcode"]:
        raise refusals.failed("postcode must be formatted as LS11 5DF")
    call.world.charge(call.account, "999", row.e164, SAMPLE_EMERGENCY_MINOR)
    call.world.set_attributes(row, {"999": dict(call.body)}, by=call.who)
    return ok(dict(call.body))


def last_call(call: Call) -> Response:
    """GET allocated/{number}/lastcall."""
    return ok(mine(call).attributes.get("lastcall"))


def validate(call: Call) -> Response:
    """GET validate/{number}: from the numbering plan, not a live look-up."""
    number = call.names["number"]
    row = call.world.stock.get(f"+{number}")
    return ok(
        {
            "format": "E164" if number.isdigit() else "unknown",
            "type": row.kind if row is not None else "unknown",
            "formatted": number,
            "ofcom": {"status": "Allocated", "rh": "Simwood", "valid_cli": number[2:3] != "9"},
        }
    )


def look_up(call: Call) -> Response:
    """GET lookup/{number}: the holder of the range, wrong after a port; under its own key."""
    number = call.names["number"]
    return json_response(
        {"success": True, "formatted": number, "code": "S", "prefix": number[:7], "rh": "Simwood"}
    )


# Reports.


def request_report(call: Call) -> Response:
    """POST allocated/{all|10|100|1000|10000}: a listing of what is owned, fetched later."""
    extent = call.names["extent"]
    if extent not in ("all", "10", "100", "1000", "10000"):
        raise refusals.failed("Invalid report size")
    question: dict[str, object] = {
        name: call.body[name] for name in ("pattern", "key") if name in call.body
    }
    return _report(call, {"report": "allocated", "extent": extent, **question})


def list_files(call: Call) -> Response:
    """GET files: reports nobody has fetched yet."""
    now = call.world.now()
    reports = call.account.shelf("reports")
    return ok([name for name, report in reports.items() if now < _when(report["expires"])])


def fetch_file(call: Call) -> Response:
    """GET files/{hash}: 204 until ready, then the file once, 404 from then on."""
    now = call.world.now()
    reports = call.account.shelf("reports")
    report = reports.get(call.names["hash"])
    if report is None or now >= _when(report["expires"]) or report["is_lost"]:
        reports.pop(call.names["hash"], None)
        raise refusals.unknown("File", call.names["hash"])
    if now < _when(report["ready"]):
        return Response(204)
    del reports[call.names["hash"]]
    question = json.loads(str(report["question"]))
    if question["report"] == "consecutive":
        return json_response(_consecutive(call, question))
    return json_response([owned_row(row) for row in _listed(call, question)])


def _report(call: Call, question: dict[str, object]) -> Response:
    world, account = call.world, call.account
    assert isinstance(world, SimwoodWorld)
    slow = call.strike(Effect.ORDER_SLOW)
    seconds = slow.seconds if slow is not None else world.settings.report_seconds
    digest = world.report(account, question, seconds)
    if call.strike(Effect.ORDER_LOST):
        account.shelf("reports")[digest]["is_lost"] = True
    return json_response(
        {
            "mode": "allocated" if question["report"] == "allocated" else "available",
            "type": str(question.get("extent", question["report"])),
            "account": account.id,
            "format": "json",
            "hash": digest,
            "link": f"/v3/files/{account.id}/{digest}",
        }
    )


def _listed(call: Call, question: Mapping[str, object]) -> Sequence[NumberRow]:
    rows = call.world.owned(call.account, call.world.listing_cutoff())
    pattern, key = question.get("pattern"), question.get("key")
    if isinstance(pattern, str):
        rows = [row for row in rows if _fits(row, pattern, is_british=True)]
    if isinstance(key, str):
        rows = [row for row in rows if meta_key(row).lower() == key.lower()]
    if question["extent"] != "all":
        rows = rows[: int(str(question["extent"]))]
    return listings.page(rows, call.strikes, offset=0, size=len(rows)).rows


def _consecutive(call: Call, question: Mapping[str, object]) -> list[dict[str, object]]:
    """The first run of free numbers that is long enough and begins at a round number."""
    count = int(str(question["count"]))
    rows = [
        row
        for row in call.world.on_sale(call.account)
        if _fits(row, str(question["pattern"]), is_british=True)
    ]
    for start in range(len(rows) - count + 1):
        first, last = int(rows[start].e164), int(rows[start + count - 1].e164)
        if first % 10 == 0 and last - first == count - 1:
            return [search_row(row) for row in rows[start : start + count]]
    return []


# Words.


def owned_row(row: NumberRow) -> dict[str, object]:
    """An owned number. Reports use the same fields."""
    return {
        "country_code": wire_number(row.e164)[:2],
        "number": wire_number(row.e164),
        "allocated": row.since,
        "trunk": row.attributes.get("trunk"),
        "key": meta_key(row) or None,
        "config": row.attributes.get("config"),
        "bill_class": "DDI" if row.kind == "local" else row.kind.upper(),
    }


def meta_key(row: NumberRow) -> str:
    """The searchable key in a number's configuration, empty when there is none."""
    config = row.attributes.get("config")
    meta = config.get("meta") if isinstance(config, Mapping) else None
    key = meta.get("key") if isinstance(meta, Mapping) else None
    return key if isinstance(key, str) else ""


def mine(call: Call) -> NumberRow:
    """The number in the path, owned by the account as it is now. Raises Refusal."""
    row = call.world.stock.get(_e164(call))
    if row is None or row.owner != call.account.id:
        raise refusals.no_number(call.names["number"])
    return row


def _e164(call: Call) -> str:
    number = call.names["number"]
    if not number.isdigit() or number.startswith("0"):
        raise refusals.failed(f"Invalid number {number}: digits with country code, no plus")
    return f"+{number}"


def _fits(row: NumberRow, pattern: str, *, is_british: bool) -> bool:
    """British patterns mean the same with and without country code."""
    digits = wire_number(row.e164)
    if fnmatch.fnmatchcase(digits, pattern):
        return True
    return is_british and fnmatch.fnmatchcase(digits.removeprefix("44"), pattern)


def _when(value: object) -> float:
    assert isinstance(value, float)
    return value
