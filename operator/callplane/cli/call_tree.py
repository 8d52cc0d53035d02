"""Accounts, plans, cards and lines as files say, for the verbs about calls and money."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.calling_plans import CallingPlan
from callplane.apis.destination_sets import DestinationSet
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.rate_cards import RateCard
from callplane.apis.references import ObjectRef
from callplane.billing import reading, tariff
from callplane.billing.tariff import RateRow
from callplane.billing.terms import AccountTerms, Line, PlanTerms
from callplane.cli import manifests
from callplane.cli.manifests import Tree
from callplane.desired.account_months import AccountFacts, account_facts
from callplane.errors import CallplaneError

Found = TypeVar("Found", CallingAccount, CallingPlan, DestinationSet, RateCard)

#: Columns of a file of lines; the plan may be empty.
LINE_COLUMNS = ("caller", "ingress", "account", "plan")
#: May be missing: whether the customer pays the carrier of the line's number by himself.
BYOC_COLUMN = "byoc"
_YES_AND_NO = {"": False, "no": False, "false": False, "0": False}
_YES_AND_NO |= {"yes": True, "true": True, "1": True}


class CallTree:
    """What a tree of manifests says about calls. Raises CallplaneError for what is not in it.

    `deck` gives the prices of an imported deck by its digest, None for one that is not there.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        namespace: str = "default",
        deck: Callable[[str], list[RateRow] | None] = lambda digest: None,
    ) -> None:
        self._deck = deck
        self._cards: dict[tuple[str, str], tariff.RateCard] = {}
        self._tree: Tree = manifests.read(paths, namespace=namespace)
        errors = [*self._tree.broken, *manifests.locate_all(self._tree, self._schema())]
        if errors:
            raise CallplaneError("\n".join(str(each) for each in errors))

    def _schema(self) -> list[Any]:
        return list(manifests.of_schema(self._tree))

    def account(self, label: str) -> CallingAccount:
        return self._named(CallingAccount, label)

    def card(self, label: str) -> RateCard:
        return self._named(RateCard, label)

    def accounts_of(self, card: RateCard) -> list[str]:
        """The accounts that are charged by a card."""
        label = f"{card.namespace}/{card.name}"
        return [
            f"{each.namespace}/{each.name}"
            for each in self._tree.resources
            if isinstance(each, CallingAccount)
            and each.spec.rate_card_ref is not None
            and _label(each.spec.rate_card_ref, each) == label
        ]

    def prices(self, label: str) -> tariff.RateCard:
        """A card ready to price calls, its deck read where it names one."""
        return self._prices(self.card(label))

    def _prices(self, card: RateCard) -> tariff.RateCard:
        key = (card.namespace, card.name)
        if key not in self._cards:
            reference = card.spec.deck
            deck = None if reference is None else self._deck(reference.digest)
            self._cards[key] = reading.rate_card(card, deck)
        return self._cards[key]

    def account_terms(self, label: str) -> AccountTerms:
        resource = self.account(label)
        reference = resource.spec.rate_card_ref
        card = None if reference is None else self._named(RateCard, _label(reference, resource))
        try:
            prices = None if card is None else self._prices(card)
            return reading.account_terms(resource, prices)
        except ValueError as error:
            raise CallplaneError(f"CallingAccount {label}: {error}") from None

    def account_facts(self, label: str) -> AccountFacts:
        """What an account is billed for beside calls."""
        try:
            return account_facts(self.account(label), self._tree.resources)
        except ValueError as error:
            raise CallplaneError(str(error)) from None

    def declared_users(self, owner: str) -> int | None:
        """How many users a PBX declares, by its `kind/namespace/name`; None for any other object,
        and for one that is not among these manifests.
        """
        for resource in self._tree.resources:
            name = f"PbxTrunk/{resource.namespace}/{resource.name}"
            if isinstance(resource, PbxTrunk) and name == owner:
                return resource.spec.declared_users
        return None

    def plan_terms(self, label: str) -> PlanTerms:
        resource = self._named(CallingPlan, label)
        reference = _label(resource.spec.destination_set_ref, resource)
        covers = reading.destination_set(self._named(DestinationSet, reference))
        return reading.plan_terms(resource, covers)

    def lines(self, path: Path) -> dict[str, Line]:
        """Lines of a CSV file by their number: caller, ingress, account and plan, and byoc if
        wanted.

        All that is wrong with the file is said at once, by row.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, strict=True))
                heads = tuple(rows[0]) if rows else LINE_COLUMNS
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CallplaneError(f"{path}: {error}") from None
        named = sorted(map(str, heads))
        if named not in (sorted(LINE_COLUMNS), sorted((*LINE_COLUMNS, BYOC_COLUMN))):
            columns = ", ".join(LINE_COLUMNS)
            raise CallplaneError(f"{path}: the columns must be {columns}, and byoc if wanted")
        found: dict[str, Line] = {}
        errors = []
        for number, row in enumerate(rows, start=2):
            try:
                line = self._line(row)
            except CallplaneError as error:
                errors.append(f"{path}: row {number}: {error}")
                continue
            if line.name in found:
                errors.append(f"{path}: row {number}: a line is there twice")
            found[line.name] = line
        if errors:
            raise CallplaneError("\n".join(errors))
        return found

    def _line(self, row: dict[str, str]) -> Line:
        if any(row[name] is None for name in LINE_COLUMNS) or not row["caller"]:
            raise CallplaneError("a value is missing")
        byoc = _YES_AND_NO.get((row.get(BYOC_COLUMN) or "").strip().lower())
        if byoc is None:
            raise CallplaneError(f"{BYOC_COLUMN}: must be true or false")
        return Line(
            name=row["caller"],
            account=self.account_terms(row["account"]),
            ingress=row["ingress"],
            caller_ids=frozenset({row["caller"]}),
            plan=self.plan_terms(row["plan"]) if row["plan"] else None,
            byoc=byoc,
        )

    def _named(self, kind: type[Found], label: str) -> Found:
        namespace, _, name = label.rpartition("/")
        for resource in self._tree.resources:
            is_named = resource.name == name and namespace in ("", resource.namespace)
            if isinstance(resource, kind) and is_named:
                return resource
        raise CallplaneError(f"there is no {kind.__name__} {label} among these manifests")


def _label(reference: ObjectRef, resource: CallingAccount | CallingPlan) -> str:
    return f"{reference.namespace or resource.namespace}/{reference.name}"
