"""The inventory of numbers: adding, activating, removing, validating and listing them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.webex import holdings, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.refusals import Refusal
from callplane.simulators.webex.rows import WRITABLE_PSTN_TYPES, LocationRow, NumberRow

_MOST_REMOVED = 5
_MOST_MOBILE = 20
_MOST_DEACTIVATED = 500
_NUMBER_TYPES = (None, "DID", "TOLLFREE", "MOBILE")


def add_numbers(call: Call) -> Response:
    """POST locations/{id}/numbers. Numbers that are there already are passed over."""
    organisation, at = call.organisation, call.organisation.now()
    call.allow(
        "phoneNumbers", "numberType", "numberUsageType", "state", "subscriptionId", "carrierId"
    )
    number_type = _one_of(call, "numberType", _NUMBER_TYPES)
    usage = _one_of(call, "numberUsageType", (None, "NONE", "SERVICE"))
    is_mobile = number_type == "MOBILE"
    state = _one_of(call, "state", (None, "ACTIVE", "INACTIVE")) or "ACTIVE"
    location = _writable(call, is_mobile=is_mobile)
    wanted = list(dict.fromkeys(_wanted(call)))
    if is_mobile and len(wanted) > _MOST_MOBILE:
        raise refusals.bad_request(f"At most {_MOST_MOBILE} mobile numbers can be added at once.")
    if bad := [each for each in wanted if holdings.E164.fullmatch(each) is None]:
        raise refusals.invalid_number(*bad)
    known = {each: organisation.numbers.get(each) for each in wanted}
    if taken := [n for n, row in known.items() if row and row.location_id != location.id]:
        raise refusals.unavailable(*taken)
    fresh = [number for number, row in known.items() if row is None]
    half = call.strike(Effect.HALF_DONE)
    for number in fresh[: len(fresh) // 2] if half is not None else fresh:
        row = NumberRow(
            number,
            location.id,
            state="INACTIVE" if is_mobile else state,
            is_toll_free=number_type == "TOLLFREE",
            is_mobile=is_mobile,
            is_service=usage == "SERVICE",
        )
        put(organisation, row, at=at, by=call.who)
    if half is not None:
        raise Refusal(half.status, (half.message,))
    return Response(201)


def manage_state(call: Call) -> Response:
    """PUT locations/{id}/numbers."""
    organisation, at = call.organisation, call.organisation.now()
    call.allow("phoneNumbers", "action")
    action = _one_of(call, "action", (None, "ACTIVATE", "DEACTIVATE")) or "ACTIVATE"
    location = _writable(call)
    rows = [_at(organisation, location, each) for each in _wanted(call)]
    rows = [row for row in rows if not row.is_mobile]
    if action == "DEACTIVATE":
        if len(rows) > _MOST_DEACTIVATED:
            raise refusals.bad_request(f"At most {_MOST_DEACTIVATED} numbers at once.")
        callbacks = callback_numbers(organisation)
        for row in rows:
            if row.owner is not None or row.number in callbacks:
                raise refusals.bad_request(f"Number in use cannot be deactivated : {row.number}")
    state = "ACTIVE" if action == "ACTIVATE" else "INACTIVE"
    for row in rows:
        put(organisation, replace(row, state=state), at=at, by=call.who)
    return Response(204)


def remove_numbers(call: Call) -> Response:
    """DELETE locations/{id}/numbers, with a body."""
    organisation, at = call.organisation, call.organisation.now()
    call.allow("phoneNumbers")
    location = _writable(call)
    wanted = _wanted(call)
    if len(wanted) > _MOST_REMOVED:
        raise refusals.bad_request(f"At most {_MOST_REMOVED} numbers can be removed at once.")
    rows = [_at(organisation, location, each) for each in wanted]
    for row in rows:
        if row.number == location.main_number:
            raise refusals.bad_request(f"The main number cannot be removed : {row.number}")
        if row.owner is not None and not organisation.settings.removes_assigned_numbers:
            raise refusals.bad_request(f"Number in use cannot be removed : {row.number}")
    half = call.strike(Effect.HALF_DONE)
    for row in rows[: len(rows) // 2] if half is not None else rows:
        remove(organisation, row, at=at, by=call.who)
    if half is not None:
        raise Refusal(half.status, (half.message,))
    return Response(204)


def validate_numbers(call: Call) -> Response:
    """POST actions/validateNumbers/invoke: errors come inside a 200."""
    organisation = call.organisation
    wanted = _wanted(call)
    seen: Counter[str] = Counter()
    results: list[dict[str, object]] = []
    for number in wanted:
        seen[number] += 1
        row = organisation.numbers.get(number)
        detail: list[str] = []
        if holdings.E164.fullmatch(number) is None:
            state, detail = "Invalid", [f"[Error 8362] DN is invalid : {number}"]
        elif seen[number] > 1:
            state, detail = "Duplicate In List", [f"[Error 8363] DN is listed twice : {number}"]
        elif row is not None and row.owner is not None:
            state, detail = "Unavailable", [f"[Error 8361] DN is unavailable : {number}"]
        elif row is not None:
            state, detail = "Duplicate", [f"[Error 8360] DN is there already : {number}"]
        else:
            state = "Available"
        result: dict[str, object] = {"number": number, "state": state, "tollFreeNumber": False}
        results.append({**result, "detail": detail} if detail else result)
    failed = any(result["state"] != "Available" for result in results)
    return json_response({"status": "ERRORS" if failed else "OK", "numbers": results})


def put(organisation: Organisation, row: NumberRow, *, at: float, by: str) -> None:
    """Add a number or change its state, and note it."""
    before = organisation.numbers.get(row.number)
    values = (before.state if before is not None else None, row.state)
    if values[0] != values[1]:
        organisation.changes.add(at, row.number, aspect="inventory", values=values, by=by)
    organisation.numbers.put(row.number, row, at)


def remove(organisation: Organisation, row: NumberRow, *, at: float, by: str) -> None:
    """Take a number out of the inventory, from its holder first, and note it."""
    holdings.detach(organisation, row.number, at=at, by=by)
    organisation.changes.add(at, row.number, aspect="inventory", values=(row.state, None), by=by)
    organisation.numbers.put(row.number, None, at)


def callback_numbers(organisation: Organisation) -> set[str]:
    """Numbers that an emergency call back may ring."""
    found: set[str] = set()
    for location in organisation.locations.rows():
        member = organisation.people.get(location.emergency.member_id or "")
        number = member.number if member is not None else location.main_number
        if number is not None:
            found.add(number)
    return found


def _writable(call: Call, *, is_mobile: bool = False) -> LocationRow:
    """The location of a call that writes numbers. Raises Refusal; or notes the damage done."""
    organisation = call.organisation
    row = organisation.locations.get(call.keys["location"])
    if row is None or not row.is_calling:
        raise refusals.not_found("Unable to find location.")
    if row.pstn_type is None:
        raise refusals.bad_request("The location has no PSTN connection.")
    if is_mobile or (row.pstn_type in WRITABLE_PSTN_TYPES and not row.is_externally_managed):
        return row
    if organisation.settings.refuses_managed_locations:
        raise refusals.managed_elsewhere(row.pstn_type)
    organisation.damage.append(f"{call.request.method} numbers of {row.name} by {call.who}")
    return row


def _at(organisation: Organisation, location: LocationRow, number: str) -> NumberRow:
    row = organisation.numbers.get(number)
    if row is None or row.location_id != location.id:
        raise refusals.unavailable(number)
    return row


def _wanted(call: Call) -> list[str]:
    wanted = call.texts("phoneNumbers")
    if not wanted:
        raise refusals.bad_request("phoneNumbers is required")
    return wanted


def _one_of(call: Call, name: str, known: tuple[str | None, ...]) -> str | None:
    value = call.text(name)
    if value not in known:
        raise refusals.bad_request(f"{name}: one of {[each for each in known if each]} is wanted")
    return value
