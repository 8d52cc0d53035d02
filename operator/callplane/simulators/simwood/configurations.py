"""What a number's configuration may say, and Simwood's sentences when it says something else.

All or nothing: a configuration with any mistake leaves the old one in place. The account's default
and a trunk's own take the same form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call
from callplane.simulators.exchange import Response
from callplane.simulators.simwood import refusals
from callplane.simulators.simwood.inventory import mine, ok

_SECTIONS = ("routing", "rules", "options", "meta")
_OPTIONS = ("enabled", "block_payphone", "acr", "trunk")
_BLOCKS: Mapping[str, frozenset[str]] = {
    "sip": frozenset({"endpoint", "sdes", "opus", "zone"}),
    "reg": frozenset({"user"}),
    "pstn": frozenset({"number", "maxcpm", "maxcpc", "cli", "trunk"}),
    "fax": frozenset({"email", "endpoint"}),
    "busy": frozenset(),
}
_TIMING = frozenset({"type", "delay", "timeout"})
_RULE_FIELDS = frozenset({"dow", "time", "day", "month"})
_RULE_NAME = re.compile(r"[a-z_]+")
_ZONES = ("slo", "lon", "ny", "sj")
_META_BYTES = 512
_KEY_CHARACTERS = 40


def get_config(call: Call) -> Response:
    """GET allocated/{number}/config."""
    config = mine(call).attributes.get("config")
    if config is None:
        raise refusals.unknown("Configuration for", call.names["number"])
    return ok(config)


def put_config(call: Call) -> Response:
    """PUT allocated/{number}/config."""
    row = mine(call)
    check(call.body)
    call.world.set_attributes(row, {"config": call.body}, by=call.who)
    return ok(call.body)


def delete_config(call: Call) -> Response:
    """DELETE allocated/{number}/config: the number stays."""
    call.world.set_attributes(mine(call), {"config": None}, by=call.who)
    return ok(None)


def get_default(call: Call) -> Response:
    """GET default/config."""
    return ok(call.account.shelf("default").get("config"))


def put_default(call: Call) -> Response:
    """PUT default/config."""
    check(call.body)
    call.account.shelf("default")["config"] = call.body
    return ok(call.body)


def delete_default(call: Call) -> Response:
    """DELETE default/config."""
    call.account.shelf("default").pop("config", None)
    return ok(None)


def check(config: Mapping[str, object]) -> None:
    """Hold a configuration against the rules. Raises Refusal with the first mistake."""
    for section in config:
        if section not in _SECTIONS:
            raise refusals.failed(f"Unknown section '{section}' in configuration")
    rules = _mapping(config.get("rules", {}), "rules")
    _check_rules(rules)
    if "routing" not in config:
        raise refusals.failed("Section 'routing' is required")
    for name, groups in _mapping(config["routing"], "routing").items():
        if name != "default" and name not in rules:
            raise refusals.failed(f"Routing block '{name}' does not match any rule")
        _check_groups(name, groups)
    _check_options(_mapping(config.get("options", {}), "options"))
    _check_meta(_mapping(config.get("meta", {}), "meta"))


def _check_rules(rules: Mapping[str, object]) -> None:
    for name, rule in rules.items():
        if not _RULE_NAME.fullmatch(name):
            raise refusals.failed(f"Rule name '{name}' is invalid")
        if not isinstance(rule, list):
            raise refusals.failed(f"Rule '{name}' must be an array")
        for part in rule:
            if not isinstance(part, Mapping) or not _RULE_FIELDS.issuperset(part):
                raise _bad_parameter(f"rule '{name}'")


def _check_groups(name: str, groups: object) -> None:
    if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
        raise refusals.failed(f"Routing block '{name}' must be an array")
    blocks = [block for group in groups for block in group]
    for block in blocks:
        if not isinstance(block, Mapping):
            raise refusals.failed(f"Routing block '{name}' must be an array")
        kind = block.get("type")
        if kind not in _BLOCKS:
            raise refusals.failed(f"type must be one of {', '.join(_BLOCKS)}")
        if not (_BLOCKS[str(kind)] | _TIMING).issuperset(block):
            raise _bad_parameter(f"routing block '{name}'")
        _one_of(block, "sdes", ("optional", "required", "none"))
        _one_of(block, "zone", _ZONES)
        if kind == "sip" and not isinstance(block.get("endpoint"), str):
            raise _bad_parameter(f"routing block '{name}'")
    sip = [block for block in blocks if block["type"] == "sip"]
    if sip and all("zone" in block for block in sip):
        raise refusals.failed(f"Routing block '{name}' needs one endpoint without zone")


def _check_options(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if name not in _OPTIONS:
            raise _bad_parameter("options")
        if name != "trunk" and not isinstance(value, bool):
            raise refusals.failed(f"{name} must be one of true, false")


def _check_meta(meta: Mapping[str, object]) -> None:
    if len(json.dumps(meta).encode("utf-8")) > _META_BYTES:
        raise refusals.failed(f"meta must be at most {_META_BYTES} bytes")
    key = meta.get("key")
    if key is not None and (not isinstance(key, str) or len(key) > _KEY_CHARACTERS):
        raise refusals.failed(f"key must be at most {_KEY_CHARACTERS} characters")


def _one_of(block: Mapping[str, object], name: str, known: tuple[str, ...]) -> None:
    if name in block and block[name] not in known:
        raise refusals.failed(f"{name} must be one of {', '.join(known)}")


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _bad_parameter(name)
    return value


def _bad_parameter(where: str) -> Refusal:
    return refusals.failed(f"Invalid parameter in settings: {where}")
