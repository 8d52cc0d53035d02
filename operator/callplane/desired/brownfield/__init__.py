"""The manifests that say what systems already have, so that taking it over changes nothing.

`callplane import` calls `draft` with what was observed and what is declared already. `values` says
what goes in and out, `ranges` makes ranges with their owners, `holders` people and services.
Numbers are stated one by one and never drawn from a range: an import must not depend on which
number a range would give next. What cannot be stated is named with its reason, and nothing is left
out in silence.
"""

from __future__ import annotations

from callplane.desired.brownfield.drafting import draft
from callplane.desired.brownfield.ranges import DeclaredNumbers
from callplane.desired.brownfield.values import (
    Document,
    Draft,
    Estate,
    LeftOut,
    ObservedCarrier,
    ObservedPlatform,
    Place,
)

__all__ = [
    "DeclaredNumbers",
    "Document",
    "Draft",
    "Estate",
    "LeftOut",
    "ObservedCarrier",
    "ObservedPlatform",
    "Place",
    "draft",
]
