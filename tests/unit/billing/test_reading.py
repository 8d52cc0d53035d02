"""The samples that people start from, as the values that decisions and prices are made of."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis import parsing
from callplane.billing import reading
from callplane.billing.tariff import Treatment
from callplane.billing.terms import CapScope
from callplane.numbering.destinations import DestinationClass
from callplane.testing.billing_builders import SETUP
from callplane.testing.object_patches import merge_patched

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"


def sample(name: str, **spec: Any) -> Any:
    manifest = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    found = parsing.parse_strict(merge_patched(manifest, {"spec": spec}))
    assert found.resource is not None, found.errors
    return found.resource


def test_a_card() -> None:
    card = reading.rate_card(sample("ratecard"))
    assert (card.name, card.currency, card.sample, len(card)) == ("/standard", "GBP", True, 5)
    usa = card.price_at("+12125550123", SETUP)
    assert usa is not None
    assert (usa.per_minute_micros, usa.per_call_micros) == (20_000, 10_000)
    assert str(usa.increment) == "30/6"
    late = card.price_at("+442079460123", SETUP.replace(hour=20))
    assert late is not None
    assert (late.band, late.per_minute_micros) == ("evening", 8_000)
    service = card.price_at("+448700000000", SETUP)
    assert service is not None
    assert [part.per_minute_micros for part in service.parts] == [50_000, 100_000]


def test_rows_of_short_codes() -> None:
    row = {
        "prefix": "118",
        "shortCode": True,
        "name": "Directory enquiries",
        "perMinute": "0",
        "service": {"perMinute": "3", "perCall": "2"},
        "effectiveFrom": "2026-01-01T00:00:00Z",
    }
    card = reading.rate_card(sample("ratecard", rows=[row]))
    assert card.price_at("118500", SETUP) is not None
    assert card.price_at("+11850055501", SETUP) is None
    free = {"prefix": "118", "shortCode": True, "treatment": "Free"}
    covers = reading.destination_set(sample("destinationset", rows=[free]))
    assert covers.treatment("118500") is Treatment.FREE


def test_the_version_of_a_card_is_its_content() -> None:
    version = reading.card_version(sample("ratecard"))
    assert version == reading.card_version(sample("ratecard", description="a note"))
    assert version != reading.card_version(sample("ratecard", sample=False))


def test_a_set_and_a_plan() -> None:
    covers = reading.destination_set(sample("destinationset"))
    assert covers.sample
    assert covers.treatment("+441534000000") is Treatment.OUTSIDE
    assert covers.treatment("+442079460123") is Treatment.BUNDLED
    plan = reading.plan_terms(sample("callingplan"), covers)
    assert (plan.seconds, plan.price_micros, str(plan.increment)) == (18_000, 3_000_000, "1/1")


def test_a_privilege() -> None:
    found = reading.privilege(sample("callprivilege"))
    assert found.classes == {
        DestinationClass.GEOGRAPHIC,
        DestinationClass.UK_WIDE,
        DestinationClass.MOBILE,
        DestinationClass.FREEPHONE,
        DestinationClass.INTERNATIONAL,
    }
    assert (found.max_per_minute_micros, found.concurrent_calls) == (500_000, 2)
    assert found.allows(DestinationClass.GEOGRAPHIC, SETUP)
    assert not found.allows(DestinationClass.GEOGRAPHIC, SETUP.replace(hour=21))
    assert reading.privilege(sample("callprivilege", allowedClasses=None)).classes == frozenset()


def test_an_account_and_its_defaults() -> None:
    card = reading.rate_card(sample("ratecard"))
    found = reading.account_terms(sample("callingaccount"), card)
    assert (found.overspend, found.rate_card_billing, found.pay_as_you_go) == (True, True, False)
    assert (found.ceiling_micros, found.day_cap_micros) == (250_000_000, 50_000_000)
    assert found.day_cap_scope is CapScope.NEW
    assert (found.line_calls, found.line_calls_per_minute) == (2, 10)
    assert found.max_per_minute_micros == 200_000
    assert (found.grace.per_call_seconds, found.grace.per_period_percent) == (3_600, 5)
    assert found.slices.call_seconds == 14_400


def test_an_account_and_its_card_have_one_currency() -> None:
    euros = reading.rate_card(sample("ratecard", currency="EUR"))
    with pytest.raises(ValueError, match="is in EUR, the account in GBP"):
        reading.account_terms(sample("callingaccount"), euros)


def test_taxes_and_packages() -> None:
    resource = sample("callingaccount")
    (rate,) = reading.tax_rates(resource)
    assert (rate.basis_points, rate.effective_from) == (2_000, date(2026, 1, 1))
    exempt = sample("callingaccount", tax={"treatment": "Exempt"})
    assert reading.tax_rates(exempt) == ()
    half = sample(
        "callingaccount",
        tax={"rates": [{"name": "x", "percent": "17.5", "effectiveFrom": "2026-01-01"}]},
    )
    assert reading.tax_rates(half)[0].basis_points == 1_750
    (package,) = reading.packages(resource)
    assert (package.platform_micros, package.hosting_micros) == (100_000_000, 500_000)
