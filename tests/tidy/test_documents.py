"""Documents keep their promises: links lead somewhere, verbs exist, manifests are valid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import yaml

from callplane.apis import parsing

Texts = Mapping[PurePosixPath, str]

LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
VERB: Final = re.compile(r"(?:`|^)make ([a-z][a-z -]*)", re.MULTILINE)
TARGET: Final = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
MANIFEST: Final = re.compile(
    r"^```yaml\n(apiVersion: callplane\.dev/.*?)^```", re.MULTILINE | re.DOTALL
)


def documents(texts: Texts) -> Texts:
    """The Markdown pages among all texts."""
    return {path: text for path, text in texts.items() if path.suffix == ".md"}


def dead_links(texts: Texts, root: Path) -> list[str]:
    """Relative links that lead nowhere."""
    return [
        f"{path}: {target}"
        for path, text in documents(texts).items()
        for target in LINK.findall(text)
        if not (root / path.parent / target).exists()
    ]


def unknown_verbs(texts: Texts, known: Iterable[str]) -> list[str]:
    """`make` verbs in pages that the Makefile does not have."""
    known = frozenset(known)
    return [
        f"{path}: make {verb}"
        for path, text in documents(texts).items()
        for verbs in VERB.findall(text)
        for verb in verbs.split()
        if verb not in known
    ]


def invalid_manifests(texts: Texts) -> list[str]:
    """Whole manifests in pages that `callplane validate` would refuse."""
    return [
        f"{path}: {error}"
        for path, text in documents(texts).items()
        for block in MANIFEST.findall(text)
        for manifest in yaml.safe_load_all(block)
        for error in parsing.parse_strict(manifest).errors
    ]


def test_links_lead_somewhere(texts: Texts, root: Path) -> None:
    assert dead_links(texts, root) == []


def test_verbs_exist(texts: Texts) -> None:
    known = TARGET.findall(texts[PurePosixPath("Makefile")])
    assert unknown_verbs(texts, known) == []


def test_manifests_are_valid(texts: Texts) -> None:
    assert any(MANIFEST.findall(text) for text in documents(texts).values())
    assert invalid_manifests(texts) == []


def page(text: str) -> Texts:
    return {PurePosixPath("docs/page.md"): text}


def test_a_dead_link_is_caught(root: Path) -> None:
    text = "[here](nowhere.md) [there](https://callplane.example) [top](../README.md)"
    assert dead_links(page(text), root) == ["docs/page.md: nowhere.md"]


def test_an_unknown_verb_is_caught() -> None:
    assert len(unknown_verbs(page("Run `make check tests`."), ["check", "test"])) == 1


def test_an_invalid_manifest_is_caught() -> None:
    text = "```yaml\napiVersion: callplane.dev/v1alpha1\nkind: TeamsUser\nspec: {}\n```\n"
    assert invalid_manifests(page(text)) != []
