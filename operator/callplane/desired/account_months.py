"""What an account is billed for in a month beside calls, as manifests and objects say.

A number is hosted where its own object, or else its range, names the account and a carrier that we
pay for our customer. Assigned, spare and resting numbers are hosted alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.calling_plans import CallingPlan
from callplane.apis.carriers import Carrier, Commercial
from callplane.apis.model import Resource
from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.references import ObjectRef
from callplane.billing.fees import HostedNumber, HostingStarts
from callplane.values.money import parse_micros


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account and what is declared for it. `plan_prices` are micro-units by plan label."""

    account: CallingAccount
    numbers: tuple[HostedNumber, ...]
    is_hosted: bool
    has_bolt_on: bool
    plan_prices: Mapping[str, int]

    @property
    def label(self) -> str:
        return f"{self.account.namespace}/{self.account.name}"


@dataclass(frozen=True, slots=True)
class NumbersOnTheirWay:
    """Numbers that are ordered, or are accepted and not switched over yet."""

    ordering: Collection[str] = ()
    porting_in: Collection[str] = ()

    def begun(self, number: str, starts: HostingStarts) -> bool:
        """Does a number bear its fee by now?"""
        if number in self.ordering:
            return starts is HostingStarts.ORDER
        if number in self.porting_in:
            return starts is not HostingStarts.ACTIVATION
        return True


def account_facts(account: CallingAccount, resources: Iterable[Resource]) -> AccountFacts:
    """What these objects say about one account. Raises ValueError where a carrier's hosting fee is
    in another currency than the account.
    """
    listed = list(resources)
    carriers = {_label(one): one for one in listed if isinstance(one, Carrier)}
    numbers: dict[str, HostedNumber] = {}
    has_bolt_on = is_hosted = False
    own = [one for one in listed if isinstance(one, (PhoneNumber, NumberRange))]
    # What a number says of itself counts more than what its range says.
    named = {one.spec.e164 for one in own if isinstance(one, PhoneNumber)}
    for one in own:
        reference = one.spec.account_ref
        if reference is None or _target(reference, one) != _label(account):
            continue
        has_bolt_on |= one.spec.route in FOREIGN_ROUTES
        carrier = None
        if one.spec.carrier_ref is not None:
            carrier = carriers.get(_target(one.spec.carrier_ref, one))
        if carrier is None:
            continue
        byoc = carrier.spec.who_pays is Commercial.BRING_YOUR_OWN
        is_hosted |= not byoc
        each = _hosting_fee(carrier, account)
        if isinstance(one, PhoneNumber):
            numbers[one.spec.e164] = HostedNumber(one.spec.e164, byoc, each)
            continue
        for span in one.spec.spans:
            for number in span:
                if number.text not in named:
                    numbers[number.text] = HostedNumber(number.text, byoc, each)
    prices = {
        _label(one): parse_micros(one.spec.price) for one in listed if isinstance(one, CallingPlan)
    }
    found = tuple(numbers[key] for key in sorted(numbers))
    return AccountFacts(account, found, is_hosted, has_bolt_on, prices)


def _hosting_fee(carrier: Carrier, account: CallingAccount) -> int | None:
    """What the carrier's numbers cost to keep, where it says so: micro-units of the account's
    currency. Raises ValueError for another currency.
    """
    fee = carrier.spec.hosting_fee
    if fee is None:
        return None
    if fee.currency != account.spec.currency:
        raise ValueError(
            f"Carrier {_label(carrier)} has a hosting fee in {fee.currency}, and CallingAccount "
            f"{_label(account)} is in {account.spec.currency}"
        )
    return parse_micros(fee.amount)


def _label(resource: Resource) -> str:
    return f"{resource.namespace}/{resource.name}"


def _target(reference: ObjectRef, resource: Resource) -> str:
    return f"{reference.namespace or resource.namespace}/{reference.name}"
