"""What Telnyx has on sale, and holding it for half an hour."""

from __future__ import annotations

from callplane.simulators.carriers import ordering
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow, decimal_text
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.telnyx import refusals
from callplane.simulators.telnyx.wire import data, paged, wanted, whole

FEATURES = ("voice", "emergency", "hd_voice", "fax")


def search(call: Call) -> Response:
    """GET available_phone_numbers."""
    rows = [row for row in call.world.on_sale(call.account) if _fits(call, row)]
    if wanted(call, "exclude_held_numbers") == "true":
        held = {str(each["e164"]) for each in call.account.shelf("reservations").values()}
        rows = [row for row in rows if row.e164 not in held]
    if call.strike(Effect.LISTING_EMPTY):
        rows = []
    limit = whole(call, "filter[limit]", 100, largest=10_000)
    counts = {"total_results": len(rows), "best_effort_results": 0}
    shown = [_available(row, call.account.currency) for row in rows[:limit]]
    return json_response({"data": shown, "meta": counts, "metadata": counts})


def reserve(call: Call) -> Response:
    """POST number_reservations: all or nothing."""
    numbers = call.body.get("phone_numbers")
    if not isinstance(numbers, list) or not numbers:
        raise refusals.unprocessable("phone_numbers is required", "/phone_numbers")
    e164s = [str(number.get("phone_number")) for number in numbers if isinstance(number, dict)]
    on_sale = {row.e164 for row in call.world.on_sale(call.account)}
    for e164 in e164s:
        if e164 not in on_sale:
            raise refusals.unprocessable(f"{e164}: {ordering.TAKEN}", "/phone_numbers")
    world = call.world
    group = world.new_guid("reservation")
    for e164 in e164s:
        call.account.shelf("reservations")[world.new_guid("reserved")] = {
            "group": group,
            "e164": e164,
            "expires": world.now() + world.settings.reservation_seconds,
            "created_at": world.timestamp(),
            "reference": str(call.body.get("customer_reference", "")),
        }
    return data(_reservation(call, group))


def get_reservation(call: Call) -> Response:
    """GET number_reservations/{id}."""
    return data(_reservation(call, call.names["id"]))


def list_reservations(call: Call) -> Response:
    """GET number_reservations."""
    groups = {str(each["group"]) for each in call.account.shelf("reservations").values()}
    return paged(call, sorted(groups), lambda group: _reservation(call, group))


def extend_reservation(call: Call) -> Response:
    """POST number_reservations/{id}/actions/extend."""
    world = call.world
    document = _reservation(call, call.names["id"])
    if document["status"] == "failure":
        raise refusals.unprocessable("The reservation has expired.")
    for each in call.account.shelf("reservations").values():
        if each["group"] == call.names["id"]:
            each["expires"] = world.now() + world.settings.reservation_seconds
    return data(_reservation(call, call.names["id"]))


def _reservation(call: Call, group: str) -> dict[str, object]:
    world = call.world
    now = world.now()
    numbers: list[dict[str, object]] = []
    reference = created_at = ""
    for key, each in call.account.shelf("reservations").items():
        if each["group"] != group:
            continue
        expires = each["expires"]
        assert isinstance(expires, float)
        reference, created_at = str(each["reference"]), str(each["created_at"])
        numbers.append(
            {
                "id": key,
                "record_type": "reserved_phone_number",
                "phone_number": each["e164"],
                "status": "success" if expires > now else "failure",
                "created_at": created_at,
                "updated_at": created_at,
                "expired_at": world.timestamp(expires - now),
            }
        )
    if not numbers:
        raise refusals.not_found(group)
    return {
        "id": group,
        "record_type": "number_reservation",
        "phone_numbers": numbers,
        "status": "success" if numbers[0]["status"] == "success" else "failure",
        "customer_reference": reference,
        "created_at": created_at,
        "updated_at": created_at,
    }


def _fits(call: Call, row: NumberRow) -> bool:
    national = row.e164.removeprefix("+44")
    code = wanted(call, "national_destination_code")
    contains = wanted(call, "phone_number", "contains")
    starts = wanted(call, "phone_number", "starts_with")
    ends = wanted(call, "phone_number", "ends_with")
    return (
        (wanted(call, "country_code") or row.country) == row.country
        and (wanted(call, "phone_number_type") or row.kind) == row.kind
        and (wanted(call, "locality") or row.place).lower() == row.place.lower()
        and (code is None or national.startswith(code.lstrip("0")))
        and (contains is None or contains.lstrip("+") in row.e164)
        and (starts is None or national.startswith(starts) or row.e164[1:].startswith(starts))
        and (ends is None or row.e164.endswith(ends))
        and (wanted(call, "features") or "voice") in FEATURES
    )


def _available(row: NumberRow, currency: str) -> dict[str, object]:
    return {
        "record_type": "available_phone_number",
        "phone_number": row.e164,
        "vanity_format": "",
        "best_effort": False,
        "quickship": False,
        "reservable": True,
        "features": [{"name": name} for name in FEATURES],
        "region_information": [
            {"region_type": "country_code", "region_name": row.country},
            {"region_type": "location", "region_name": row.place},
        ],
        "cost_information": {
            "upfront_cost": decimal_text(row.setup_minor, 5),
            "monthly_cost": decimal_text(row.monthly_minor, 5),
            "currency": currency,
        },
    }
