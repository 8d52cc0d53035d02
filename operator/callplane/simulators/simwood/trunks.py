"""Simwood's trunks: settings that apply even beside a bad one, lists, balances, bulk of numbers."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import decimal_text
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.simwood import configurations, refusals
from callplane.simulators.simwood.inventory import ok
from callplane.simulators.simwood.world import new_trunk, wire_number

_FLAGS = frozenset(
    {"enabled", "enable_in", "enabled_out", "emergency_enabled", "cli_force_default"}
)
_WHOLE = frozenset(
    {
        "limit_concurrent_out",
        "limit_concurrent_out_international",
        "limit_concurrent_out_international_hotspot",
        "limit_concurrent_out_per_number",
        "limit_concurrent_in",
        "max_dur",
    }
)
_MONEY = frozenset({"max_cpm", "max_cpc", "max_cost"})
_TEXTS = frozenset({"cli_default", "nni_default"})
_RATE = re.compile(r"\d+/(?:1s|10s|12h)")
_CLI_FORMATS = ("e164", "+164", "uk", "us")


def list_trunks(call: Call) -> Response:
    """GET trunks: a new one may be missing for a while."""
    now, lag = call.world.now(), call.world.settings.listing_lag_seconds
    shown = [
        shown_trunk(name, trunk)
        for name, trunk in call.account.shelf("trunks").items()
        if trunk.get("_since", float("-inf")) <= now - lag  # type: ignore[operator]
    ]
    return ok(shown)


def get_trunk(call: Call) -> Response:
    """GET trunks/{trunk}."""
    return ok(shown_trunk(call.names["trunk"], _trunk(call)))


def put_trunk(call: Call) -> Response:
    """PUT trunks/{trunk}: made when new; of the settings, the good ones apply."""
    name = call.names["trunk"]
    trunks = call.account.shelf("trunks")
    if not re.fullmatch(rf"{call.account.id}-[A-Z0-9]{{1,20}}", name):
        raise refusals.failed(f"Trunk name must begin with {call.account.id}-")
    settings = dict(call.body)
    kind = settings.pop("type", None)
    shown: dict[str, object] = {}
    if name not in trunks:
        if kind not in (None, "ip", "auth"):
            raise refusals.failed("type must be one of ip, auth")
        trunk = new_trunk(str(kind or "auth"), _password(call))
        trunk["_since"] = call.world.now()
        trunks[name] = trunk
        if trunk["type"] == "auth":
            shown["password"] = trunk["_password"]
    trunk = trunks[name]
    partly = call.strike(Effect.APPLIED_IN_PART)
    if partly is not None:
        for left_out in list(settings)[-partly.count :]:
            del settings[left_out]
    errors = []
    for setting, value in settings.items():
        if _is_good(setting, value):
            trunk[setting] = value
        else:
            errors.append(f"Invalid parameter {setting}")
    document: dict[str, object] = {
        "success": not errors,
        "data": {**shown_trunk(name, trunk), **shown},
    }
    return json_response(document | {"errors": errors} if errors else document)


def delete_trunk(call: Call) -> Response:
    """DELETE trunks/{trunk}: never the default one."""
    _trunk(call)
    if call.names["trunk"] == f"{call.account.id}-L001":
        raise refusals.failed("The default trunk cannot be deleted")
    del call.account.shelf("trunks")[call.names["trunk"]]
    return ok(None)


def reset_password(call: Call) -> Response:
    """POST trunks/{trunk}/password_reset: the old one dies at once."""
    trunk = _trunk(call)
    trunk["_password"] = _password(call)
    return ok({"password": trunk["_password"]})


def get_acl(call: Call) -> Response:
    """GET trunks/{trunk}/acl."""
    return ok(list(_trunk(call)["_acl"]))


def put_acl(call: Call) -> Response:
    """PUT trunks/{trunk}/acl/{address}."""
    trunk, address = _trunk(call), call.names["address"]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise refusals.failed(f"Invalid IP address {address}") from None
    if address not in trunk["_acl"]:
        trunk["_acl"].append(address)
    return ok(list(trunk["_acl"]))


def delete_acl(call: Call) -> Response:
    """DELETE trunks/{trunk}/acl/{address}."""
    trunk, address = _trunk(call), call.names["address"]
    if address not in trunk["_acl"]:
        raise refusals.unknown("IP address", address)
    trunk["_acl"].remove(address)
    return ok(None)


def get_destinations(call: Call) -> Response:
    """GET trunks/{trunk}/destinationacl."""
    return ok(_trunk(call)["_destinations"])


def put_destinations(call: Call) -> Response:
    """PUT trunks/{trunk}/destinationacl: `{allow, deny}` of prefixes."""
    trunk = _trunk(call)
    if not {"allow", "deny"}.issuperset(call.body) or not all(
        isinstance(prefixes, list) and all(str(prefix).isdigit() for prefix in prefixes)
        for prefixes in call.body.values()
    ):
        raise refusals.failed("allow and deny must be arrays of prefixes")
    trunk["_destinations"] = call.body
    return ok(call.body)


def delete_destinations(call: Call) -> Response:
    """DELETE trunks/{trunk}/destinationacl: opens all destinations."""
    _trunk(call)["_destinations"] = None
    return ok(None)


def get_balance(call: Call) -> Response:
    """GET trunks/{trunk}/balance."""
    return ok({"balance": _balance_text(_trunk(call))})


def put_balance(call: Call) -> Response:
    """PUT trunks/{trunk}/balance: `{balance}` or `{adjust}`, whole units here."""
    trunk = _trunk(call)
    if call.names["trunk"] == f"{call.account.id}-L001":
        raise refusals.failed("The default trunk has no balance")
    value = call.body.get("balance", call.body.get("adjust"))
    if len(call.body) != 1 or type(value) is not int:
        raise refusals.failed("Either balance or adjust is required")
    before = 0 if "balance" in call.body else trunk["_balance"] or 0
    trunk["_balance"] = before + value * 100
    return ok({"balance": _balance_text(trunk)})


def list_numbers(call: Call) -> Response:
    """GET trunks/{trunk}/numbers."""
    _trunk(call)
    return ok(_numbers(call))


def add_numbers(call: Call) -> Response:
    """PUT trunks/{trunk}/numbers: appended."""
    _trunk(call)
    _associate(call, _wanted(call))
    return ok(_numbers(call))


def replace_numbers(call: Call) -> Response:
    """POST trunks/{trunk}/numbers: the whole list is replaced, a trap on purpose."""
    _trunk(call)
    wanted = _wanted(call)
    for row in call.world.owned(call.account):
        if row.attributes.get("trunk") == call.names["trunk"] and row.e164 not in wanted:
            call.world.set_attributes(row, {"trunk": None}, by=call.who)
    _associate(call, wanted)
    return ok(_numbers(call))


def get_config(call: Call) -> Response:
    """GET trunks/{trunk}/config."""
    return ok(_trunk(call)["_config"])


def put_config(call: Call) -> Response:
    """PUT trunks/{trunk}/config."""
    trunk = _trunk(call)
    configurations.check(call.body)
    trunk["_config"] = call.body
    return ok(call.body)


def shown_trunk(name: str, trunk: dict[str, Any]) -> dict[str, object]:
    """A trunk without its password and its lists, which have paths of their own."""
    return {"name": name, **{n: v for n, v in trunk.items() if not n.startswith("_")}}


def _wanted(call: Call) -> list[str]:
    """Numbers of the body with plus; all must be the account's, or nothing is done."""
    data = call.body.get("data")
    if not isinstance(data, list) or not all(str(number).isdigit() for number in data):
        raise refusals.failed("data must be an array of numbers")
    wanted = [f"+{number}" for number in data]
    for e164 in wanted:
        row = call.world.stock.get(e164)
        if row is None or row.owner != call.account.id:
            raise refusals.no_number(wire_number(e164))
    return wanted


def _associate(call: Call, wanted: list[str]) -> None:
    """Put numbers on the trunk; with `force`, their configurations are gone for good."""
    partly = call.strike(Effect.APPLIED_IN_PART)
    if partly is not None:
        wanted = wanted[: -partly.count]
    for e164 in wanted:
        row = call.world.stock.get(e164)
        assert row is not None
        changes: dict[str, object] = {"trunk": call.names["trunk"]}
        if call.body.get("force") is True:
            changes["config"] = None
        call.world.set_attributes(row, changes, by=call.who)


def _numbers(call: Call) -> list[str]:
    return [
        wire_number(row.e164)
        for row in call.world.owned(call.account)
        if row.attributes.get("trunk") == call.names["trunk"]
    ]


def _trunk(call: Call) -> dict[str, Any]:
    trunk = call.account.shelf("trunks").get(call.names["trunk"])
    if trunk is None:
        raise refusals.unknown("Trunk", call.names["trunk"])
    return trunk


def _is_good(setting: str, value: object) -> bool:
    if setting in _FLAGS:
        return isinstance(value, bool)
    if setting in _WHOLE:
        return type(value) is int and value >= 0
    if setting in _MONEY:
        return isinstance(value, int | float | str) and not isinstance(value, bool)
    if setting.startswith("limit_rate_"):
        return isinstance(value, str) and _RATE.fullmatch(value) is not None
    if setting == "cli_format":
        return value in _CLI_FORMATS
    return setting in _TEXTS and isinstance(value, str)


def _balance_text(trunk: dict[str, Any]) -> str | None:
    return None if trunk["_balance"] is None else decimal_text(trunk["_balance"])


def _password(call: Call) -> str:
    return call.world.new_guid("password").replace("-", "")[:16]
