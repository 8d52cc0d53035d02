"""What keeping a number costs each month: the carrier's fee before the package's."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from callplane.apis import parsing
from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.model import Resource
from callplane.billing import fees
from callplane.billing.fees import Month, Package
from callplane.desired.account_months import account_facts

PACKAGE = Package(date(2026, 1, 1), hosting_micros=500_000)


def made(kind: str, name: str, **spec: Any) -> Resource:
    parsed = parsing.parse_strict(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "platform"},
            "spec": spec,
        }
    )
    assert parsed.resource is not None, parsed.errors
    return parsed.resource


def account(currency: str = "GBP") -> CallingAccount:
    found = made("CallingAccount", "acme", currency=currency)
    assert isinstance(found, CallingAccount)
    return found


def carrier(**spec: Any) -> Resource:
    secret = {"secretRef": {"name": "alpha", "key": "credentials"}}
    return made("Carrier", "alpha", type="Simwood", account="1", credentials=secret, **spec)


def numbers() -> Resource:
    return made(
        "NumberRange",
        "london",
        first="+442079460000",
        last="+442079460001",
        route="DirectRouting",
        carrierRef={"name": "alpha"},
        accountRef={"name": "acme"},
    )


def hosting(*resources: Resource, currency: str = "GBP") -> list[int]:
    facts = account_facts(account(currency), resources)
    month = Month(numbers=facts.numbers, is_hosted=True)
    return [line.amount_micros for line in fees.fees(PACKAGE, month)]


def test_the_package_says_what_a_number_costs() -> None:
    assert hosting(carrier(), numbers()) == [500_000, 500_000]


def test_a_carrier_with_a_fee_of_its_own_goes_before() -> None:
    fee = {"amount": "0.75", "currency": "GBP"}
    assert hosting(carrier(hostingFee=fee), numbers()) == [750_000, 750_000]
    free = {"amount": "0", "currency": "GBP"}
    assert hosting(carrier(hostingFee=free), numbers()) == [0, 0]


def test_a_fee_in_another_currency_is_refused() -> None:
    fee = {"amount": "0.75", "currency": "EUR"}
    with pytest.raises(ValueError, match="hosting fee in EUR"):
        hosting(carrier(hostingFee=fee), numbers())
