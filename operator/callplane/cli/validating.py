"""All that is wrong with a tree of manifests, with file and line: what `validate` prints, and what
`plan` and `apply` refuse to work on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from callplane.apis.model import Resource
from callplane.cli import manifests
from callplane.cli.manifests import Located, Tree
from callplane.rules import validation

Labels = Mapping[str, Mapping[str, str]]


def findings(
    tree: Tree,
    *,
    now: datetime,
    namespace_labels: Labels | None = None,
    context: Sequence[Resource] = (),
) -> list[Located]:
    """Every finding, sorted by place; it never stops at the first.

    `namespace_labels` are labels known from a cluster; those written in the tree go before them.
    `context` are objects of the cluster that the tree may refer to; nothing is found about them.
    """
    labels = {**(namespace_labels or {}), **tree.namespace_labels}
    found = list(manifests.of_schema(tree))
    everything = [*tree.resources, *context]
    elsewhere = {(each.kind, each.namespace, each.name) for each in context}
    found.extend(
        finding
        for finding in validation.validate_all(everything, namespace_labels=labels, now=now)
        if (finding.kind, finding.namespace, finding.name) not in elsewhere
    )
    located = [*tree.broken, *manifests.locate_all(tree, found)]
    return sorted(located, key=lambda each: each.sort_key)


def errors(located: list[Located]) -> list[Located]:
    return [each for each in located if each.finding.is_error]
