"""CallingAccount, CallingPlan, RateCard and DestinationSet: what calls are decided by.

They write nothing to any provider and have no finalizer: a pass says whether the object can be
used as it is, and whether what it names is there. Who relies on one that went away keeps what was
applied.
"""

from __future__ import annotations

from typing import Any

from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.calling_plans import CallingPlan
from callplane.apis.rate_cards import RateCard
from callplane.apis.reasons import Reason
from callplane.apis.references import ObjectRef
from callplane.billing import reading, tariff
from callplane.engine.call_lines import owner_of
from callplane.engine.gathering import DEPENDENCY_LOOK_SECONDS, consenting
from callplane.engine.scope import Gone, Scope
from callplane.errors import Stalled, Waiting
from callplane.rules import validation
from callplane.status.conditions import Succeeded
from callplane.store.call_tables import Entry


async def run_account(scope: Scope) -> Succeeded:
    """An account is fine when its card is there and in its currency."""
    account: Any = valid(scope)
    assert isinstance(account, CallingAccount)
    reference = account.spec.rate_card_ref
    card = None if reference is None else await _named(scope, "RateCard", reference)
    try:
        # Its currency is what matters here; the prices of a deck are not needed for it.
        reading.account_terms(account, None if card is None else _without_deck(card))
    except ValueError as error:
        raise Stalled(Reason.INVALID_SPEC, f"spec.rateCardRef: {error}") from None
    project(scope, account, card=reference)
    return Succeeded("can be charged" if card is not None else "has no rate card: bundles only")


async def run_plan(scope: Scope) -> Succeeded:
    """A plan is fine when what it covers is there."""
    plan: Any = valid(scope)
    assert isinstance(plan, CallingPlan)
    await _named(scope, "DestinationSet", plan.spec.destination_set_ref)
    project(scope, plan, set=plan.spec.destination_set_ref)
    return Succeeded(f"brings {plan.spec.minutes} minutes a month")


async def run_card(scope: Scope) -> Succeeded:
    """A card is fine when its rows do not contradict one another."""
    card: Any = valid(scope)
    assert isinstance(card, RateCard)
    rows = len(card.spec.rows or ()) if card.spec.deck is None else await _deck_rows(scope, card)
    found = _without_deck(card)
    project(scope, card)
    scope.status["rows"] = rows
    scope.status["version"] = found.version
    return Succeeded("sample prices" if found.sample else f"{rows} prices")


def _without_deck(card: RateCard) -> tariff.RateCard:
    return reading.rate_card(card, None if card.spec.deck is None else ())


async def _deck_rows(scope: Scope, card: RateCard) -> int:
    """How many prices the card's deck has. Waits for one that was not imported yet."""
    assert card.spec.deck is not None
    digest = card.spec.deck.digest
    header = await scope.engine.deck(digest)
    if header is None:
        raise Waiting(
            Reason.DEPENDENCY_NOT_READY,
            f"the deck {digest} is not in the database: `callplane rate import`",
            after_seconds=DEPENDENCY_LOOK_SECONDS,
        )
    if header.currency != card.spec.currency:
        raise Stalled(Reason.INVALID_SPEC, f"spec.deck: its prices are in {header.currency}")
    return header.rows


async def run_alone(scope: Scope) -> Succeeded:
    """What names nothing is fine when it is valid."""
    project(scope, valid(scope))
    return Succeeded("as declared")


def valid(scope: Scope) -> Any:
    """The object, unless it is going or breaks a rule: then Stalled with every reason."""
    if scope.cached.is_deleting:
        raise Gone
    found = scope.resource
    errors = [finding for finding in validation.validate_one(found) if finding.is_error]
    if errors:
        reasons = [f"{one.field_path}: {one.message}" for one in errors]
        raise Stalled(Reason.INVALID_SPEC, "; ".join(reasons))
    return found


def project(scope: Scope, resource: Any, **names: ObjectRef | None) -> None:
    """Let call control decide by the object as it is now. `names` are the objects it needs."""
    key = scope.key
    content: dict[str, Any] = {
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": resource.spec.to_manifest(),
    }
    for field, reference in names.items():
        if reference is not None:
            content[field] = f"{reference.namespace or key.namespace}/{reference.name}"
    owner = owner_of(key)
    entry = Entry(key.kind, f"{key.namespace}/{key.name}", owner, content)
    scope.engine.calls.put(owner, [entry])


async def _named(scope: Scope, kind: str, reference: ObjectRef) -> Any:
    return await consenting(scope, kind, reference, namespace=scope.key.namespace)
