"""What happens at the company, drawn from the seed: ordinary days, bad days, and how they mend.

Each happening is a function of the world that does one thing and says in a sentence what it did.
`HAPPENINGS` gives each its weight; who draws them is `fortnight`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph import misfortunes
from callplane.testing.simulation.company import (
    LEEDS,
    LONDON,
    MANCHESTER,
    POLICIES,
    TEAMS,
    TENANT,
    Company,
    Employee,
    number_after,
)
from callplane.testing.simulation.estate import PLATFORM, Estate

PATIENCE_SECONDS = 900.0


@dataclass(slots=True)
class Days:
    """What the happenings share."""

    estate: Estate
    company: Company
    chance: random.Random

    def somebody(self) -> Employee | None:
        people = self.company.declared()
        return self.chance.choice(people) if people else None

    def settled(self) -> list[Employee]:
        """Declared people who have a number in Teams."""
        return [p for p in self.company.declared() if self.company.number_of(p) is not None]


Happening = Callable[[Days], Awaitable[str]]


# People.


async def joiner(days: Days) -> str:
    company = days.company
    person = company.hire(licensed=days.chance.random() < 0.9)
    company.declare(person, days.chance.choice(TEAMS), from_range(days))
    await company.sync()
    return f"{person.name} joins"


async def joiner_before_account(days: Days) -> str:
    """The commit is there before the account is."""
    company = days.company
    name = company.spare[0]
    person = Employee(name, f"{name}@company.example")
    company.declare(person, days.chance.choice(TEAMS), from_range(days))
    entry = person.entry
    await company.sync()
    await asyncio.sleep(days.chance.uniform(60, 1200))
    person = company.hire()
    person.entry = entry if entry in company.git else None
    return f"{person.name} joins, the commit first"


async def leaver(days: Days) -> str:
    person = days.somebody()
    if person is None:
        return "nobody is left to leave"
    days.company.forget(person)
    person.has_left = True
    await days.company.sync()
    if days.chance.random() < 0.4 and person.user_id:
        await asyncio.sleep(days.chance.uniform(0, 600))
        days.estate.portal.delete_user(person.user_id)
        days.estate.journal.note("directory", name=person.upn, id=person.user_id, event="removed")
    return f"{person.name} leaves"


async def comes_back(days: Days) -> str:
    """Somebody who left and whose account is still there."""
    tenant = days.estate.graph.tenant()
    gone = [
        p
        for p in days.company.employees
        if p.entry is None and p.has_left and tenant.user_id(p.upn) == p.user_id
    ]
    if not gone:
        return "nobody comes back"
    person = days.chance.choice(gone)
    person.has_left = False
    days.company.declare(person, days.chance.choice(TEAMS), from_range(days))
    await days.company.sync()
    return f"{person.name} comes back"


async def mover(days: Days) -> str:
    person = days.somebody()
    if person is None or person.entry is None:
        return "nobody moves"
    team = days.chance.choice(TEAMS)
    name = f"{person.name}-{days.chance.randrange(10**6)}"
    days.company.move(person, team, name)
    await days.company.sync()
    return f"{person.name} moves to {team}/{name}"


async def upn_changes(days: Days) -> str:
    """Somebody marries: the account is renamed, then the declaration."""
    people = [p for p in days.company.declared() if p.user_id and _account(days, p)]
    if not people:
        return "nobody marries"
    person = days.chance.choice(people)
    before, person.upn = person.upn, f"{person.name}.{days.chance.randrange(10**6)}@company.example"
    days.estate.portal.change_user(person.user_id, user_principal_name=person.upn)
    note = days.estate.journal.note
    note("directory", name=before, id=person.user_id, event="removed")
    note("directory", name=person.upn, id=person.user_id, event="added")
    await asyncio.sleep(days.chance.choice((0.0, 20.0, 400.0)))
    if person.entry is not None:
        days.company.edit(person, userPrincipalName=person.upn)
        await days.company.sync()
    return f"{before} is called {person.upn} now"


async def name_reused(days: Days) -> str:
    """A leaver's user name is given to a new person."""
    people = [p for p in days.company.declared() if p.user_id and _account(days, p)]
    if not people:
        return "no name is reused"
    old = days.chance.choice(people)
    team = old.entry[1] if old.entry is not None else TEAMS[0]
    days.company.forget(old)
    old.has_left = True
    await days.company.sync()
    await asyncio.sleep(days.chance.choice((1.0, 300.0)))
    new_id = days.estate.portal.reuse_name(old.user_id)
    note = days.estate.journal.note
    note("directory", name=old.upn, id=old.user_id, event="removed")
    note("directory", name=old.upn, id=new_id, event="added")
    new = Employee(f"{old.name}-two", old.upn, new_id)
    days.company.employees.append(new)
    days.company.declare(new, team, from_range(days))
    await days.company.sync()
    return f"{old.upn} is somebody else now"


async def licence(days: Days) -> str:
    people = [p for p in days.company.declared() if p.user_id and _account(days, p)]
    if not people:
        return "no licence changes"
    person = days.chance.choice(people)
    teams = days.estate.graph.tenant().teams.get(person.user_id)
    if teams is not None and teams.feature_types:
        days.estate.portal.unlicense_user(person.user_id)
        return f"{person.name} loses the licence"
    days.estate.portal.license_user(person.user_id)
    return f"{person.name} gets a licence"


# Numbers and policies.


async def number_edit(days: Days) -> str:
    person = days.somebody()
    if person is None:
        return "no number is edited"
    number: Any = days.chance.choice(
        (
            from_range(days),
            from_range(days),
            {"e164": _any_number(days)},
            {"e164": _any_number(days)},
            {"none": {}},
            None,
        )
    )
    days.company.edit(person, phoneNumber=number)
    await days.company.sync()
    return f"{person.name} is to have {number}"


async def swap(days: Days) -> str:
    """Two people exchange their numbers in one commit."""
    people = days.settled()
    if len(people) < 2:
        return "nobody swaps"
    a, b = days.chance.sample(people, 2)
    numbers = (days.company.number_of(a), days.company.number_of(b))
    days.company.edit(a, phoneNumber={"e164": numbers[1]})
    days.company.edit(b, phoneNumber={"e164": numbers[0]})
    await days.company.sync()
    return f"{a.name} and {b.name} swap numbers"


async def handed_over(days: Days) -> str:
    """One gives a number up, another gets it, in one commit."""
    people = days.settled()
    if len(people) < 2:
        return "nothing is handed over"
    a, b = days.chance.sample(people, 2)
    number = days.company.number_of(a)
    days.company.edit(a, phoneNumber=days.chance.choice(({"none": {}}, from_range(days))))
    days.company.edit(b, phoneNumber={"e164": number})
    await days.company.sync()
    return f"{a.name} hands the number over to {b.name}"


async def policy_edit(days: Days) -> str:
    person = days.somebody()
    if person is None:
        return "no policy is edited"
    kinds = days.chance.sample(sorted(POLICIES), days.chance.randint(0, 3))
    policies = [{"type": kind, "name": days.chance.choice((*POLICIES[kind], ""))} for kind in kinds]
    days.company.edit(person, policies=policies or None)
    await days.company.sync()
    return f"{person.name} is to have the policies {policies}"


async def policy_campaign(days: Days) -> str:
    """Everybody of a team gets another policy, or the tenant another default."""
    kind = days.chance.choice(("TeamsEmergencyCallingPolicy", "OnlineVoiceRoutingPolicy"))
    wanted = {"type": kind, "name": days.chance.choice(POLICIES[kind])}
    if days.chance.random() < 0.4:
        key = ("TeamsTenant", PLATFORM, TENANT)
        days.company.git[key] = {**days.company.git[key], "defaultPolicies": [wanted]}
        await days.company.sync()
        return f"the tenant's default is {wanted}"
    team = days.chance.choice(TEAMS)
    for person in days.company.declared(team=team):
        kept = [p for p in days.company.spec_of(person).get("policies", ()) if p["type"] != kind]
        days.company.edit(person, policies=[*kept, wanted])
    await days.company.sync()
    return f"everybody in {team} gets {wanted}"


async def range_grows(days: Days) -> str:
    name = days.chance.choice(("london", "manchester"))
    days.company.grow(name, days.chance.randint(1, 3))
    await days.company.sync()
    return f"range {name} grows"


async def control(days: Days) -> str:
    """Somebody is observed only, suspended, or managed again; sometimes the whole tenant is."""
    if days.chance.random() < 0.15:
        key = ("TeamsTenant", PLATFORM, TENANT)
        days.company.git[key] = {**days.company.git[key], "suspend": True}
        await days.company.sync()
        await asyncio.sleep(days.chance.uniform(60, 1800))
        days.company.git[key] = {**days.company.git[key], "suspend": False}
        await days.company.sync()
        return "the tenant was suspended for a while"
    person = days.somebody()
    if person is None:
        return "nobody is observed"
    fields = days.chance.choice(
        (
            {"suspend": True},
            {"suspend": None, "managementPolicy": None},
            {"suspend": None, "managementPolicy": None},
            {"managementPolicy": "Observe"},
            {"onDelete": "Detach"},
        )
    )
    days.company.edit(person, **fields)
    await days.company.sync()
    return f"{person.name}: {fields}"


# Many at once, and the answer to it.


async def many_leave(days: Days) -> str:
    team = days.chance.choice(TEAMS)
    people = days.company.declared(team=team)
    leaving = days.chance.sample(people, min(len(people), days.chance.randint(6, 14)))
    for person in leaving:
        days.company.forget(person)
        person.has_left = True
    await days.company.sync()
    return f"{len(leaving)} people of {team} leave"


async def namespace_emptied(days: Days) -> str:
    """Somebody deletes the objects of a team by mistake; git still has them."""
    team = days.chance.choice(TEAMS)
    people = days.company.declared(team=team)
    for person in people:
        if person.entry is not None:
            await days.company.delete(person.entry)
    await asyncio.sleep(days.chance.uniform(60, 600))
    plans = days.company.held_plans()
    if plans and days.chance.random() < 0.7:
        await days.company.answer(days.chance.choice(plans), "Detach")
        await asyncio.sleep(60)
    await days.company.sync()
    return f"the {len(people)} objects of {team} were deleted by mistake"


async def somebody_answers(days: Days) -> str:
    plans = days.company.held_plans()
    if not plans:
        return "nothing waits for an answer"
    plan = days.chance.choice(plans)
    how = days.chance.random()
    if how < 0.5:
        await days.company.answer(plan, "Approve")
        return "a batch is approved"
    if how < 0.65:
        await days.company.answer(plan, "Approve", by_ids=True, days=days.chance.choice((0.1, 6)))
        return "a batch is approved by change ids"
    if how < 0.8:
        await days.company.answer(plan, "Detach")
        return "a batch is answered Detach"
    if how < 0.9:
        await days.company.answer(plan, "Approve", namespace=days.chance.choice(TEAMS))
        return "a batch is approved in the wrong namespace"
    await days.company.answer(plan, "Approve", days=days.chance.choice((-1.0, 9.0)))
    return "a batch is approved with an impossible expiry"


# Behind our back.


async def portal_change(days: Days) -> str:
    portal, chance = days.estate.portal, days.chance
    person = chance.choice([p for p in days.company.employees if p.user_id])
    number = _any_number(days)
    deed = chance.random()
    try:
        if deed < 0.3:
            portal.unassign(number)
            return f"an administrator frees {number}"
        if deed < 0.5 and days.company.number_of(person) is None:
            portal.assign(number, person.user_id)
            return f"an administrator gives {number} to {person.name}"
        if deed < 0.6:
            portal.unassign(number)
            portal.assign(number, f"stranger{chance.randint(1, 4)}@company.example")
            return f"an administrator gives {number} to a stranger"
        kind = chance.choice(sorted(POLICIES))
        portal.set_policy(person.user_id, kind, chance.choice((*POLICIES[kind], None)))
        return f"an administrator changes {kind} of {person.name}"
    except ValueError as error:
        return f"an administrator fails: {error}"


# Bad days of Graph, the register, the API server and the operator.


async def graph_is_unwell(days: Days) -> str:
    """Everything that Graph is known to do wrong, for some minutes."""
    rules = misfortunes.bad_days(days.chance.uniform(1.0, 6.0))
    return await _for_a_while(days, rules, "Graph is unwell")


async def graph_loses_answers(days: Days) -> str:
    rules = (
        FaultRule(Effect.DROP_AFTER, kinds=("writes",), probability=0.5),
        FaultRule(Effect.DROP_BEFORE, kinds=("writes",), probability=0.2),
    )
    return await _for_a_while(days, rules, "Graph loses answers")


async def graph_orders_fail(days: Days) -> str:
    orders = ("assignNumber", "unassignNumber")
    rules = (
        FaultRule(Effect.ORDER_FAILS, kinds=orders, probability=0.3),
        FaultRule(Effect.ORDER_LOST, kinds=orders, probability=0.2),
        FaultRule(Effect.ORDER_SLOW, kinds=orders, probability=0.3, seconds=240.0),
        FaultRule(Effect.LATE_COMMIT, kinds=orders, probability=0.1, seconds=12.0),
    )
    return await _for_a_while(days, rules, "orders of Graph go wrong")


async def listings_lie(days: Days) -> str:
    effect = days.chance.choice(
        (Effect.LISTING_EMPTY, Effect.LISTING_HALF, Effect.LISTING_REPEAT, Effect.LISTING_SKIP)
    )
    kinds = ("listNumberAssignments", "listUserConfigurations", "listUsers")
    rules = (FaultRule(effect, kinds=kinds, probability=days.chance.choice((0.3, 1.0)), count=5),)
    return await _for_a_while(days, rules, f"listings: {effect.value}", longest_seconds=5400)


async def graph_throttles(days: Days) -> str:
    days.estate.graph.change_settings({"writes_per_second": 0.2, "reads_per_second": 3.0})
    await asyncio.sleep(days.chance.uniform(60, 1800))
    days.estate.graph.change_settings({"writes_per_second": None, "reads_per_second": None})
    return "Graph throttled for a while"


async def secret_changes(days: Days) -> str:
    """A new secret: in time, too late, or mistyped at first."""
    company, chance = days.company, days.chance
    company.secret = f"secret-{chance.randrange(10**9)}"
    if chance.random() < 0.5:
        await company.estate.put_secret("mistyped")
        await asyncio.sleep(chance.uniform(10, 1200))
    days.estate.set_accepted_secret(company.secret)
    if chance.random() < 0.5:
        days.estate.graph.tokens.revoke_all()
    await asyncio.sleep(chance.choice((0.0, 5.0, 900.0)))
    await company.estate.put_secret(company.secret)
    return "the client secret was changed"


async def register_is_down(days: Days) -> str:
    days.estate.memory.available = False
    await asyncio.sleep(days.chance.uniform(5, 1500))
    days.estate.memory.available = True
    return "the register was down for a while"


async def register_loses_answers(days: Days) -> str:
    how_many = days.chance.randint(1, 4)
    days.estate.lost_commits += days.chance.choices(("before", "after"), k=how_many)
    return "the register loses answers"


async def operator_dies(days: Days) -> str:
    """At some call or other, in the middle of work."""
    leader = days.estate.leader
    if leader is None:
        return "there is no operator to kill"
    leader.life.dies_in = days.chance.randint(1, 300)
    waited = 0.0
    while not leader.life.is_dead and waited < PATIENCE_SECONDS:
        await asyncio.sleep(1.0)
        waited += 1.0
    await days.estate.end(leader, "dies")
    await days.estate.wait_for_lease()
    await days.estate.start()
    return "the operator was killed"


async def operator_is_updated(days: Days) -> str:
    leader = days.estate.leader
    if leader is None:
        return "there is no operator to update"
    await days.estate.end(leader, "stops")
    await asyncio.sleep(days.chance.uniform(1, 60))
    await days.estate.start()
    return "the operator was stopped and started"


async def leader_stands_still(days: Days) -> str:
    """SIGSTOP in the middle of work: a standby takes over, then the old leader goes on."""
    old = days.estate.leader
    if old is None:
        return "there is no leader to stop"
    old.life.pauses_in = days.chance.randint(1, 8)
    await days.chance.choice((joiner, policy_edit, number_edit, handed_over))(days)
    waited = 0.0
    while not old.life.stands_still and waited < PATIENCE_SECONDS / 10:
        await asyncio.sleep(1.0)
        waited += 1.0
    days.estate.journal.note("processes", process=old.life.name, event="stands still")
    old.life.pause()
    await days.estate.wait_for_lease()
    await days.estate.start()
    await asyncio.sleep(days.chance.uniform(1, 240))
    days.estate.journal.note("processes", process=old.life.name, event="goes on")
    old.go_on()
    # Until it learns that the Lease is somebody else's.
    await asyncio.sleep(days.chance.uniform(1, 5))
    await days.estate.end(old, "dies")
    return "the leader stood still, and another took over"


async def api_server_is_away(days: Days) -> str:
    leader = days.estate.leader
    if leader is None:
        return "there is no operator that could miss the API server"
    days.estate.lose_api_server()
    await asyncio.sleep(days.estate.settings.renew_deadline_seconds)
    await days.estate.end(leader, "dies")
    await asyncio.sleep(days.chance.uniform(15, 900))
    await days.estate.start()
    return "the API server was away"


async def incident(days: Days) -> str:
    """The platform team declares somebody else's outage, or ends it."""
    company, chance = days.company, days.chance
    open_ones = [
        key
        for key, spec in company.git.items()
        if key[0] == "ProviderIncident" and "resolvedAt" not in spec
    ]
    now = days.estate.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    if open_ones:
        key = chance.choice(sorted(open_ones))
        company.git[key] = {**company.git[key], "resolvedAt": now}
        await company.sync()
        return f"incident {key[2]} is over"
    key = ("ProviderIncident", PLATFORM, f"incident-{chance.randrange(10**6)}")
    company.git[key] = {
        "connectionRef": {"kind": "TeamsTenant", "name": TENANT},
        "scope": "Numbers",
        "text": "The provider has trouble.",
        "since": now,
        "freeze": chance.choice(("Destructive", "All", "All", "None")),
    }
    await company.sync()
    return f"incident {key[2]} is declared: {company.git[key]['freeze']}"


HAPPENINGS: tuple[tuple[Happening, float], ...] = (
    (joiner, 8),
    (joiner_before_account, 2),
    (leaver, 6),
    (comes_back, 3),
    (mover, 6),
    (upn_changes, 3),
    (name_reused, 2),
    (licence, 4),
    (number_edit, 8),
    (swap, 5),
    (handed_over, 4),
    (policy_edit, 6),
    (policy_campaign, 1.5),
    (range_grows, 1),
    (control, 4),
    (many_leave, 1),
    (namespace_emptied, 1),
    (somebody_answers, 8),
    (portal_change, 8),
    (graph_is_unwell, 4),
    (graph_loses_answers, 3),
    (graph_orders_fail, 4),
    (listings_lie, 3),
    (graph_throttles, 2),
    (secret_changes, 2),
    (register_is_down, 2),
    (register_loses_answers, 3),
    (operator_dies, 5),
    (operator_is_updated, 2),
    (leader_stands_still, 4),
    (api_server_is_away, 1.5),
    (incident, 3),
)
"""What may happen, and how often beside the rest."""

# What changes the processes themselves: two of these at one time would be about one process.
UPON_PROCESSES = frozenset(
    {operator_dies, operator_is_updated, leader_stands_still, api_server_is_away}
)


async def _for_a_while(
    days: Days, rules: tuple[FaultRule, ...], what: str, *, longest_seconds: float = 1800
) -> str:
    faults = days.estate.graph.faults
    ids = [faults.add(rule) for rule in rules]
    await asyncio.sleep(days.chance.uniform(30, longest_seconds))
    for rule_id in ids:
        faults.remove(rule_id)
    return what


def from_range(days: Days) -> dict[str, object]:
    name = days.chance.choice(("london", "london", "manchester"))
    return {"rangeRef": {"name": name, "namespace": PLATFORM}}


def _any_number(days: Days) -> str:
    block, size = days.chance.choice(((LONDON, 48), (LONDON, 48), (MANCHESTER, 27), (LEEDS, 45)))
    return number_after(block, days.chance.randrange(size))


def _account(days: Days, person: Employee) -> bool:
    return days.estate.graph.tenant().user_id(person.upn) == person.user_id
