"""From the objects that people write to the values that decisions and prices are made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from callplane.apis import call_privileges, calling_accounts, calling_plans, fields
from callplane.apis import destination_sets as sets
from callplane.apis import rate_cards as cards
from callplane.apis.call_terms import BillingIncrement, Hours, Weekday
from callplane.billing.active_users import SeatPlatform
from callplane.billing.deck_reading import DeckTerms
from callplane.billing.fees import HostingStarts, Package
from callplane.billing.increments import Increment
from callplane.billing.prefix_arrays import SHORT_CODE
from callplane.billing.prices import LineKind, PricePart
from callplane.billing.tariff import (
    AccessCharge,
    CardError,
    DestinationSet,
    RateCard,
    RateRow,
    TimeBand,
    Treatment,
)
from callplane.billing.taxes import TaxRate
from callplane.billing.terms import (
    AccountTerms,
    CapScope,
    Enforcement,
    Grace,
    OnExhaustion,
    OnNet,
    PlanTerms,
    Privilege,
    Slices,
    WhenPoolEmpty,
)
from callplane.numbering.destinations import DestinationClass
from callplane.values.money import parse_micros

_DAYS = tuple(Weekday)


def rate_card(resource: cards.RateCard, deck: Iterable[RateRow] | None = None) -> RateCard:
    """`deck` are prices that stand for the card's own, as a card that names a deck needs them.

    Raises CardError for rows that collide and for a deck that is not there, ValueError for a zone
    that is none.
    """
    spec = resource.spec
    if spec.deck is not None and deck is None:
        raise CardError(f"the deck {spec.deck.digest} is not in the database: import it")
    return RateCard(
        name=_label(resource),
        currency=spec.currency,
        zone=spec.time_zone,
        rows=map(_row, spec.rows or ()) if deck is None else deck,
        bands=tuple(_band(band.name, band) for band in spec.bands),
        access_charges=[
            AccessCharge(parse_micros(charge.per_minute), charge.effective_from)
            for charge in spec.access_charges
        ],
        version=card_version(resource),
        sample=spec.sample,
    )


def rows_of(resource: cards.RateCard) -> list[RateRow]:
    """The prices that a card holds itself, by prefix and date."""
    rows = map(_row, resource.spec.rows or ())
    return sorted(rows, key=lambda row: (row.prefix, row.effective_from))


def deck_terms(
    resource: cards.RateCard, *, effective_from: datetime | None, rows_max: int
) -> DeckTerms:
    """What a deck must agree with to be one of this card."""
    spec = resource.spec
    return DeckTerms(
        currency=spec.currency,
        zone=spec.time_zone,
        bands=frozenset(band.name for band in spec.bands),
        access_from=min((each.effective_from for each in spec.access_charges), default=None),
        effective_from=effective_from,
        rows_max=rows_max,
    )


def card_version(resource: cards.RateCard) -> str:
    """SHA-256 of the prices: what charges name, whatever the object is called."""
    content = resource.spec.to_manifest()
    for name in ("description", "allowedNamespaces"):
        content.pop(name, None)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def destination_set(resource: sets.DestinationSet) -> DestinationSet:
    spec = resource.spec
    prefixes = {_prefix(row): Treatment(row.treatment.value) for row in spec.rows}
    return DestinationSet(_label(resource), prefixes, spec.sample)


def plan_terms(resource: calling_plans.CallingPlan, covers: DestinationSet) -> PlanTerms:
    spec = resource.spec
    return PlanTerms(
        name=_label(resource),
        seconds=spec.minutes * 60,
        destinations=covers,
        increment=_increment(spec.increment),
        price_micros=parse_micros(spec.price),
    )


def privilege(resource: call_privileges.CallPrivilege) -> Privilege:
    spec = resource.spec
    limit = spec.max_price_per_minute
    return Privilege(
        classes=frozenset(DestinationClass(one.value) for one in spec.allowed_classes),
        max_per_minute_micros=None if limit is None else parse_micros(limit),
        concurrent_calls=spec.concurrent_calls,
        windows=tuple(_band("", hours) for hours in spec.hours),
        zone=spec.time_zone,
    )


def account_terms(resource: calling_accounts.CallingAccount, card: RateCard | None) -> AccountTerms:
    """Raises ValueError for a card of another currency."""
    spec = resource.spec
    if card is not None and card.currency != spec.currency:
        raise ValueError(
            f"the rate card {card.name} is in {card.currency}, the account in {spec.currency}"
        )
    limits = spec.limits
    return AccountTerms(
        name=_label(resource),
        currency=spec.currency,
        zone=spec.time_zone,
        enforcement=Enforcement(spec.enforcement.value),
        suspended=spec.suspend,
        overspend=spec.overspend is calling_accounts.Overspend.ALLOW,
        rate_card_billing=spec.rate_card_billing,
        pay_as_you_go=spec.pay_as_you_go,
        card=card,
        ceiling_micros=None if spec.ceiling is None else parse_micros(spec.ceiling),
        day_cap_micros=parse_micros(limits.daily_cap),
        day_cap_scope=CapScope(limits.daily_cap_scope.value),
        concurrent_calls=limits.concurrent_calls,
        line_calls=limits.concurrent_calls_per_user,
        line_calls_per_minute=limits.calls_per_minute_per_user,
        max_per_minute_micros=parse_micros(limits.max_price_per_minute),
        when_pool_empty=WhenPoolEmpty(spec.when_pool_empty.value),
        on_exhaustion=OnExhaustion(spec.on_exhaustion.value),
        grace=Grace(_seconds(spec.grace.per_call), spec.grace.per_period_percent),
        on_net=OnNet(spec.on_net.value),
        bundled_on_outage=spec.on_outage is calling_accounts.OnOutage.ALLOW,
        slices=Slices(call_seconds=_seconds(limits.max_call)),
    )


def tax_rates(resource: calling_accounts.CallingAccount) -> tuple[TaxRate, ...]:
    """The rates of an account that bears tax; none for one that does not."""
    if resource.spec.tax.treatment is not calling_accounts.TaxTreatment.STANDARD:
        return ()
    return tuple(
        # A percentage has two digits behind its point, as an amount has six.
        TaxRate(rate.name, parse_micros(rate.percent) // 10_000, rate.effective_from)
        for rate in resource.spec.tax.rates
    )


def packages(resource: calling_accounts.CallingAccount) -> tuple[Package, ...]:
    found = []
    for package in resource.spec.packages:
        seats = package.seat_fees or calling_accounts.SeatFees()
        found.append(
            Package(
                effective_from=package.effective_from,
                platform_micros=parse_micros(package.platform_fee),
                hosting_micros=parse_micros(package.hosting_fee),
                bolt_on_micros=parse_micros(package.bolt_on_fee),
                seat_micros={
                    SeatPlatform.TEAMS: parse_micros(seats.teams),
                    SeatPlatform.WEBEX: parse_micros(seats.webex),
                    SeatPlatform.SIP: parse_micros(seats.sip),
                    SeatPlatform.PBX: parse_micros(seats.pbx),
                },
                hosting_starts=HostingStarts(package.hosting_starts.value),
            )
        )
    return tuple(found)


def _row(row: cards.RateRow) -> RateRow:
    service = None
    if row.service is not None:
        minute, call = parse_micros(row.service.per_minute), parse_micros(row.service.per_call)
        service = PricePart(LineKind.SERVICE_CHARGE, minute, call)
    bands = {price.band: parse_micros(price.per_minute) for price in row.bands}
    return RateRow(
        prefix=_prefix(row),
        name=row.name,
        per_minute_micros=parse_micros(row.per_minute),
        effective_from=row.effective_from,
        increment=_increment(row.increment),
        connection_micros=parse_micros(row.connection_fee),
        band_micros=bands or None,
        service=service,
    )


def _prefix(row: cards.RateRow | sets.DestinationRow) -> str:
    return SHORT_CODE + row.prefix if row.short_code else row.prefix


def _increment(spec: BillingIncrement) -> Increment:
    return Increment(spec.first, spec.next)


def _band(name: str, hours: Hours) -> TimeBand:
    days = frozenset(_DAYS.index(day) for day in hours.days)
    return TimeBand(name, days, _minute(hours.begins), _minute(hours.ends))


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def _seconds(text: str) -> int:
    return int(fields.duration_seconds(text))


def _label(
    resource: cards.RateCard
    | sets.DestinationSet
    | calling_plans.CallingPlan
    | calling_accounts.CallingAccount,
) -> str:
    return f"{resource.namespace}/{resource.name}"
