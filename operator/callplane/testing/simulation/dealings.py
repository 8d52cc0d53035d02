"""What happens between the company, Webex and its carriers: moves, orders, ports, releases, and
what goes wrong with them.

Each happening does one thing and says in a sentence what it did, as those of `happenings` do.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from callplane.simulators.carriers import misfortunes as carrier_misfortunes
from callplane.simulators.faults import Effect, FaultRule, FaultScript
from callplane.simulators.webex import misfortunes as webex_misfortunes
from callplane.testing.simulation import vendors
from callplane.testing.simulation.company import Employee, GitKey
from callplane.testing.simulation.happenings import Days, Happening, from_range
from callplane.testing.simulation.vendors import (
    BALANCE_MINOR,
    OWNED_FROM,
    PORTABLE_FROM,
    AtCarrier,
)

PURCHASES = ("buyNumber", "createOrder")


# Between platforms.


async def goes_to_webex(days: Days) -> str:
    """Somebody changes platforms and keeps the number, in one commit."""
    people = [p for p in days.settled() if p.webex_entry is None]
    if not people:
        return "nobody goes to Webex"
    person = days.chance.choice(people)
    if not person.webex_email:
        days.company.open_webex_account(person)
        await asyncio.sleep(days.chance.uniform(60, 600))
    number = days.company.number_of(person)
    if person.entry not in days.company.git or number is None:
        return f"{person.name} does not go to Webex after all"
    days.company.edit(person, phoneNumber={"none": {}})
    days.company.declare_in_webex(person, {"e164": number})
    await days.company.sync()
    return f"{person.name} goes to Webex with {number}"


async def comes_from_webex(days: Days) -> str:
    """And back, or to somebody else in Teams."""
    people = [p for p in _in_webex(days) if days.company.webex_number_of(p) is not None]
    if not people:
        return "nobody comes from Webex"
    person = days.chance.choice(people)
    number = days.company.webex_number_of(person)
    receiver = person if days.chance.random() < 0.7 else days.somebody()
    if receiver is None or receiver.entry is None:
        return "nobody is there to get the number"
    _edit_webex(days, person, {"none": {}})
    days.company.edit(receiver, phoneNumber={"e164": number})
    await days.company.sync()
    return f"{person.name} gives {number} back to {receiver.name} in Teams"


async def joins_in_webex(days: Days) -> str:
    """Somebody new who works in Webex only."""
    person = days.company.hire()
    days.company.declare_in_webex(person, from_range(days))
    await days.company.sync()
    return f"{person.name} joins in Webex"


async def leaves_webex(days: Days) -> str:
    people = _in_webex(days)
    if not people:
        return "nobody leaves Webex"
    person = days.chance.choice(people)
    assert person.webex_entry is not None
    del days.company.git[person.webex_entry]
    person.webex_entry = None
    await days.company.sync()
    return f"{person.name} leaves Webex"


async def webex_number_edit(days: Days) -> str:
    people = _in_webex(days)
    if not people:
        return "no number is edited in Webex"
    person = days.chance.choice(people)
    wanted: Any = days.chance.choice((from_range(days), {"none": {}}))
    _edit_webex(days, person, wanted)
    await days.company.sync()
    return f"{person.name} is to have {wanted} in Webex"


def _in_webex(days: Days) -> list[Employee]:
    return [
        p
        for p in days.company.employees
        if p.webex_entry is not None and p.webex_entry in days.company.git
    ]


def _edit_webex(days: Days, person: Employee, number: Any) -> None:
    assert person.webex_entry is not None
    spec = days.company.git[person.webex_entry]
    days.company.git[person.webex_entry] = {**spec, "phoneNumber": number}


# Numbers at carriers.


async def number_ordered(days: Days) -> str:
    """A number is bought; now and then somebody else buys it a moment before."""
    name, carrier = _carrier(days)
    number = carrier.number(days.chance.randrange(OWNED_FROM))
    if _known(days, number):
        return f"{number} is declared already"
    row = carrier.world.stock.get(number)
    if days.chance.random() < 0.15 and row is not None and row.owner is None:
        carrier.portal.sell(number)
    location = {"emergencyLocationRef": {"name": "office-1"}} if days.chance.random() < 0.5 else {}
    days.company.declare_number(number, name, acquisition="Order", **location)
    await days.company.sync()
    return f"{number} is ordered from {name}"


async def numbers_ordered_badly(days: Days) -> str:
    """Orders while the carrier loses answers, and says 500 after it has taken them."""
    name, carrier = _carrier(days)
    rules = (
        FaultRule(Effect.DROP_AFTER, PURCHASES, probability=0.5),
        FaultRule(Effect.FAILED_AFTER, PURCHASES, probability=0.5, status=500),
        FaultRule(Effect.NUMBER_TAKEN, PURCHASES, probability=0.1),
    )
    ids = [carrier.world.faults.add(rule) for rule in rules]
    ordered = []
    for _ in range(days.chance.randint(1, 3)):
        number = carrier.number(days.chance.randrange(OWNED_FROM))
        if not _known(days, number):
            days.company.declare_number(number, name, acquisition="Order")
            ordered.append(number)
    await days.company.sync()
    await asyncio.sleep(days.chance.uniform(30, 900))
    _calm(carrier.world.faults, ids)
    return f"{ordered} are ordered from {name}, which loses answers"


async def number_adopted(days: Days) -> str:
    """A number that the account has had all along, or that cannot be asked for at all."""
    if days.chance.random() < 0.3:
        number = vendors.own_number(days.chance.randrange(40))
        name = vendors.BRING_YOUR_OWN
    else:
        name, carrier = _carrier(days)
        number = carrier.number(days.chance.randrange(OWNED_FROM, PORTABLE_FROM))
    if _known(days, number):
        return f"{number} is declared already"
    location = {"emergencyLocationRef": {"name": "office-2"}} if days.chance.random() < 0.5 else {}
    days.company.declare_number(number, name, **location)
    await days.company.sync()
    return f"{number} of {name} is adopted"


async def number_ported(days: Days) -> str:
    """A number comes from another carrier, sometimes not before tomorrow."""
    able = [n for n, facts in vendors.CARRIERS.items() if facts.port_done]
    name = days.chance.choice(able)
    carrier = days.estate.vendors.carriers[name]
    number = carrier.number(days.chance.randrange(PORTABLE_FROM, vendors.NUMBERS_EACH))
    if _known(days, number):
        return f"{number} is declared already"
    now = days.estate.clock.now()
    terms = {
        "losingCarrier": "001",
        "losingCarrierName": "Another carrier",
        "account": "A1",
        "postcode": "SW1A 1AA",
        "contactEmail": "porting@company.example",
        "wantedOn": (now + timedelta(days=3)).strftime("%Y-%m-%d"),
    }
    if days.chance.random() < 0.5:
        terms["notBefore"] = (now + timedelta(days=1)).strftime("%Y-%m-%d")
    days.company.declare_number(number, name, acquisition="PortIn", portIn=terms)
    await days.company.sync()
    return f"{number} is ported to {name}"


async def number_used(days: Days) -> str:
    """Somebody gets a number of a carrier."""
    keys, person = days.company.numbers_declared(), days.somebody()
    if not keys or person is None:
        return "no number of a carrier is used"
    number = days.company.git[days.chance.choice(keys)]["e164"]
    days.company.edit(person, phoneNumber={"e164": number})
    await days.company.sync()
    return f"{person.name} is to have {number}"


async def number_given_back(days: Days) -> str:
    """Both keys, one key only, or none but the wish."""
    keys = days.company.numbers_declared()
    if not keys:
        return "no number is to be given back"
    key = days.chance.choice(keys)
    spec = days.company.git[key]
    today = days.estate.clock.now().strftime("%Y-%m-%d")
    fields: dict[str, Any] = {"releasePolicy": "Release"}
    if days.chance.random() < 0.7:
        fields["releaseAcknowledgement"] = {"number": spec["e164"], "date": today}
    days.company.git[key] = {**spec, **fields}
    await days.company.sync()
    return f"{spec['e164']} is to be given back: {sorted(fields)}"


async def release_called_off(days: Days) -> str:
    """It is wanted after all; who has it in use gets its emergency address back."""
    keys = [
        key
        for key in days.company.numbers_declared()
        if days.company.git[key].get("releasePolicy") == "Release"
    ]
    if not keys:
        return "no release is called off"
    key = days.chance.choice(keys)
    kept = {"releasePolicy", "releaseAcknowledgement"}
    spec = {name: value for name, value in days.company.git[key].items() if name not in kept}
    days.company.git[key] = spec
    await days.company.sync()
    return f"{spec['e164']} is kept after all"


async def number_forgotten(days: Days) -> str:
    """The object of a number goes from git; the number stays where it is."""
    keys = days.company.numbers_declared()
    if not keys:
        return "no number is forgotten"
    key = days.chance.choice(keys)
    number = days.company.git.pop(key)["e164"]
    await days.company.sync()
    return f"{number} is declared no more"


def _carrier(days: Days) -> tuple[str, AtCarrier]:
    name = days.chance.choice(sorted(vendors.CARRIERS))
    return name, days.estate.vendors.carriers[name]


def _known(days: Days, number: str) -> GitKey | None:
    found = [k for k in days.company.numbers_declared() if days.company.git[k]["e164"] == number]
    return found[0] if found else None


# Bad days of Webex and of carriers.


async def carrier_is_unwell(days: Days) -> str:
    name, carrier = _carrier(days)
    rules = carrier_misfortunes.bad_days(days.chance.uniform(1.0, 6.0))
    ids = [carrier.world.faults.add(rule) for rule in rules]
    await asyncio.sleep(days.chance.uniform(60, 3600))
    _calm(carrier.world.faults, ids)
    return f"{name} is unwell"


async def balance_runs_out(days: Days) -> str:
    name, carrier = _carrier(days)
    carrier.portal.set_balance(0)
    await number_ordered(days)
    await asyncio.sleep(days.chance.uniform(60, 3600))
    carrier.portal.set_balance(BALANCE_MINOR)
    return f"the account with {name} was empty for a while"


async def keys_are_refused(days: Days) -> str:
    name, carrier = _carrier(days)
    keys = [key.name for key in carrier.account.keys]
    for key in keys:
        carrier.portal.revoke_key(key)
    await asyncio.sleep(days.chance.uniform(60, 3600))
    for key in keys:
        carrier.portal.restore_key(key)
    return f"{name} refused our credentials for a while"


async def webex_is_unwell(days: Days) -> str:
    faults = days.estate.vendors.webex.faults
    rules = webex_misfortunes.bad_days(days.chance.uniform(1.0, 6.0))
    ids = [faults.add(rule) for rule in rules]
    await days.chance.choice((goes_to_webex, comes_from_webex, joins_in_webex))(days)
    await asyncio.sleep(days.chance.uniform(60, 3600))
    _calm(faults, ids)
    return "Webex is unwell"


async def webex_loses_answers(days: Days) -> str:
    """With licences passed over, and a wait that is a date."""
    faults = days.estate.vendors.webex.faults
    rules = (
        FaultRule(Effect.DROP_AFTER, ("writes",), probability=0.4),
        FaultRule(Effect.LICENCE_SKIPPED, ("assignLicences", "updatePerson"), probability=0.3),
        FaultRule(
            Effect.STATUS,
            ("writes",),
            probability=0.3,
            status=429,
            retry_after_seconds=20.0,
            retry_after_is_date=True,
        ),
    )
    ids = [faults.add(rule) for rule in rules]
    await days.chance.choice((goes_to_webex, comes_from_webex, joins_in_webex))(days)
    await asyncio.sleep(days.chance.uniform(60, 1800))
    _calm(faults, ids)
    return "Webex loses answers"


async def webex_lists_nothing(days: Days) -> str:
    """Its lists of numbers are empty now and then, while a number is to leave it."""
    faults = days.estate.vendors.webex.faults
    ids = [faults.add(FaultRule(Effect.LISTING_EMPTY, ("listNumbers",), probability=0.8))]
    said = await comes_from_webex(days)
    await asyncio.sleep(days.chance.uniform(60, 900))
    _calm(faults, ids)
    return f"Webex lists no numbers; {said}"


def _calm(faults: FaultScript, ids: list[int]) -> None:
    for rule_id in ids:
        faults.remove(rule_id)


def mend(days: Days) -> None:
    """What was broken in the day is repaired; documents that wait are looked at."""
    days.estate.vendors.webex.faults.clear()
    for carrier in days.estate.vendors.carriers.values():
        carrier.world.faults.clear()
        carrier.portal.set_balance(BALANCE_MINOR)
        for key in carrier.account.keys:
            carrier.portal.restore_key(key.name)


DEALINGS: tuple[tuple[Happening, float], ...] = (
    (goes_to_webex, 6),
    (comes_from_webex, 5),
    (joins_in_webex, 3),
    (leaves_webex, 2),
    (webex_number_edit, 2),
    (number_ordered, 6),
    (numbers_ordered_badly, 4),
    (number_adopted, 4),
    (number_ported, 3),
    (number_used, 4),
    (number_given_back, 4),
    (release_called_off, 1.5),
    (number_forgotten, 1),
    (carrier_is_unwell, 3),
    (balance_runs_out, 1.5),
    (keys_are_refused, 1.5),
    (webex_is_unwell, 3),
    (webex_loses_answers, 3),
    (webex_lists_nothing, 2),
)
"""What may happen, and how often beside the rest."""
