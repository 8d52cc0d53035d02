"""Simwood's requests about the account: balance, type, limits, tools, call records."""

from __future__ import annotations

from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import decimal_text
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.simwood import refusals
from callplane.simulators.simwood.inventory import ok

_CHANNELS_BY_BALANCE = ((10_000, 30), (5_000, 15))
_CHANNEL_FLOOR = 3


def tool_time(call: Call) -> Response:
    """GET tools/time, without credentials."""
    return ok({"timestamp": int(call.world.clock.now().timestamp()), "rfc": call.world.timestamp()})


def tool_my_ip(call: Call) -> Response:
    """GET tools/myip, without credentials."""
    return ok({"ip": "127.0.0.1"})


def balance(call: Call) -> Response:
    """GET prepay/balance: a bare array of strings."""
    account = call.account
    text = decimal_text(account.balance_minor)
    return json_response([{"balance": text, "currency": account.currency}])


def get_fence(call: Call) -> Response:
    """GET prepay/balance/locked and /alert."""
    fence = call.account.shelf("fences").get(call.names["fence"])
    if fence is None:
        raise refusals.unknown("Balance", call.names["fence"])
    return ok(fence)


def put_fence(call: Call) -> Response:
    """PUT prepay/balance/locked and /alert."""
    if call.names["fence"] not in ("locked", "alert"):
        raise refusals.unknown("Balance", call.names["fence"])
    if type(call.body.get("balance")) not in (int, str):
        raise refusals.failed("balance is required")
    call.account.shelf("fences")[call.names["fence"]] = dict(call.body)
    return ok(call.body)


def account_type(call: Call) -> Response:
    """GET accounts/{account}/type."""
    account = call.account
    return ok(
        {
            "account_type": account.kind,
            "number_limit": account.number_limit,
            "channel_limit": 30,
            "min_prepay": "0.00",
        }
    )


def limits(call: Call) -> Response:
    """GET voice/{account}/limits: the dynamic block shrinks with a low balance."""
    minor = call.account.balance_minor
    channels = next((n for least, n in _CHANNELS_BY_BALANCE if minor >= least), _CHANNEL_FLOOR)
    return ok(
        {
            "limit_concurrent_out": "30",
            "limit_rate_out": "10/1s",
            "dynamic": {"limit_concurrent_out": str(channels), "limit_rate_out": "10/1s"},
        }
    )


def call_records(call: Call) -> Response:
    """GET voice/{account}/cdr: no calls cross this world, so there are none."""
    return ok([])


def in_progress(call: Call) -> Response:
    """GET voice/{account}/inprogress/current."""
    return ok({"value": "0.00", "approx_seconds_remaining": None})
