"""Documents keep their promises: links lead somewhere, verbs exist, manifests are valid, every kind
has its page and every reason its runbook.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import yaml

from callplane.apis import kind_pages, parsing, registry
from callplane.apis.reasons import Reason
from callplane.deployment import alerts

Texts = Mapping[PurePosixPath, str]

LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
ANCHORED: Final = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)#([^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
VERB: Final = re.compile(r"(?:`|^)make ([a-z][a-z -]*)", re.MULTILINE)
TARGET: Final = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
MANIFEST: Final = re.compile(
    r"^```yaml\n(apiVersion: callplane\.dev/.*?)^```", re.MULTILINE | re.DOTALL
)
REASON: Final = re.compile(r"^\| `([A-Za-z]+)` \|", re.MULTILINE)
ROW: Final = re.compile(r"^\| `([A-Za-z]+)` \| *(.*?) *\| *(.*?) *\|$", re.MULTILINE)
ALERT: Final = re.compile(r"^### (Callplane\w+)\n+(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
RUNBOOKS: Final = PurePosixPath("docs/runbooks.md")
NOT_COVERED: Final = PurePosixPath("docs/not-covered.md")


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


def anchors(text: str) -> frozenset[str]:
    """What a page's headings are called in links: in lower case, hyphens for spaces, no marks."""
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(text)
    )


def dead_anchors(texts: Texts) -> list[str]:
    """Links into a page that has no such heading."""
    pages = documents(texts)
    known = {str(path): anchors(text) for path, text in pages.items()}
    return [
        f"{path}: {target}#{anchor}"
        for path, text in pages.items()
        for target, anchor in ANCHORED.findall(text)
        if anchor not in known.get(os.path.normpath(path.parent / target if target else path), ())
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


def kinds_without_a_page(texts: Texts) -> list[str]:
    """Kinds that have no page of their own, or one that the list of kinds does not lead to."""
    listed = texts.get(PurePosixPath("docs/kinds/README.md"), "")
    return [
        kind.name
        for kind in registry.KINDS
        if PurePosixPath(f"docs/kinds/{kind.singular}.md") not in texts
        or f"({kind.singular}.md)" not in listed
    ]


def kinds_the_readme_forgets(texts: Texts) -> list[str]:
    """Kinds that are not in the README's table of kinds."""
    readme = texts[PurePosixPath("README.md")]
    return [kind.name for kind in registry.KINDS if f"`{kind.name}`" not in readme]


def stale_pages(texts: Texts) -> list[str]:
    """Pages of kinds whose generated parts are not what models and samples say."""
    stale = []
    for kind in registry.KINDS:
        page = texts.get(PurePosixPath(f"docs/kinds/{kind.singular}.md"), "")
        sample = texts[PurePosixPath(f"manifests/samples/{kind.singular}.yaml")]
        try:
            is_fresh = kind_pages.filled(page, kind, sample=sample) == page
        except ValueError:
            is_fresh = False
        if not is_fresh:
            stale.append(f"docs/kinds/{kind.singular}.md: run `make gen`")
    return stale


def reasons_out_of_step(runbooks: str) -> list[str]:
    """Reasons that the runbooks lack, explain twice or invent."""
    explained = REASON.findall(runbooks)
    known = {reason.value for reason in Reason}
    return [
        *(f"{name} is explained nowhere" for name in sorted(known - set(explained))),
        *(f"{name} is no reason" for name in sorted(set(explained) - known)),
        *(f"{name} is explained twice" for name in sorted(known) if explained.count(name) > 1),
    ]


def told_twice(page: str) -> list[str]:
    """What a table says two things of: first cells that stand in it more than once."""
    cells = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    return sorted({cell for cell in cells if cells.count(cell) > 1})


def helpless(runbooks: str) -> list[str]:
    """Reasons and alerts whose entry does not say what to do."""
    return [
        *(name for name, meaning, todo in ROW.findall(runbooks) if not (meaning and todo)),
        *(name for name, text in ALERT.findall(runbooks) if len(text.split()) < 15),
    ]


def test_links_lead_somewhere(texts: Texts, root: Path) -> None:
    assert dead_links(texts, root) == []


def test_links_lead_to_headings(texts: Texts) -> None:
    assert dead_anchors(texts) == []


def test_verbs_exist(texts: Texts) -> None:
    known = TARGET.findall(texts[PurePosixPath("Makefile")])
    assert unknown_verbs(texts, known) == []


def test_manifests_are_valid(texts: Texts) -> None:
    assert any(MANIFEST.findall(text) for text in documents(texts).values())
    assert invalid_manifests(texts) == []


def test_every_kind_has_a_page(texts: Texts) -> None:
    assert kinds_without_a_page(texts) == []


def test_the_readme_names_every_kind(texts: Texts) -> None:
    assert kinds_the_readme_forgets(texts) == []


def test_pages_of_kinds_are_fresh(texts: Texts) -> None:
    assert stale_pages(texts) == []


def test_every_reason_has_a_runbook(texts: Texts) -> None:
    assert reasons_out_of_step(texts[RUNBOOKS]) == []


def test_every_runbook_says_what_to_do(texts: Texts) -> None:
    assert helpless(texts[RUNBOOKS]) == []
    assert len(ROW.findall(texts[RUNBOOKS])) == len(Reason)
    assert {name for name, _ in ALERT.findall(texts[RUNBOOKS])} == {
        alert.name for alert in alerts.ALERTS
    }


def test_what_is_not_covered_is_told_once(texts: Texts) -> None:
    assert told_twice(texts[NOT_COVERED]) == []


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


def test_a_kind_without_a_page_is_caught(texts: Texts) -> None:
    path = PurePosixPath("docs/kinds/teamsuser.md")
    without = {name: text for name, text in texts.items() if name != path}
    assert kinds_without_a_page(without) == ["TeamsUser"]


def test_a_readme_without_a_kind_is_caught(texts: Texts) -> None:
    readme = PurePosixPath("README.md")
    text = texts[readme].replace("`SipPhone`, `PbxTrunk`", "phones")
    assert kinds_the_readme_forgets({**texts, readme: text}) == ["SipPhone", "PbxTrunk"]


def test_a_stale_page_is_caught(texts: Texts) -> None:
    path = PurePosixPath("docs/kinds/teamsuser.md")
    changed = texts[path].replace("Stops all writes for this person.", "Stops most writes.")
    lost = texts[path].replace("<!-- end -->", "", 1)
    assert changed != texts[path]
    for text in (changed, lost):
        assert stale_pages({**texts, path: text}) == [f"{path}: run `make gen`"]


def test_a_reason_without_a_runbook_is_caught(texts: Texts) -> None:
    lost = texts[RUNBOOKS].replace("| `Foreign` |", "| `Alien` |")
    twice = texts[RUNBOOKS] + "| `Foreign` | again | nothing |\n"
    assert reasons_out_of_step(lost) == ["Foreign is explained nowhere", "Alien is no reason"]
    assert reasons_out_of_step(twice) == ["Foreign is explained twice"]


def test_a_runbook_that_says_nothing_is_caught() -> None:
    assert helpless("| `Foreign` | somebody has it |  |\n") == ["Foreign"]
    assert helpless("### CallplaneOddity\n\nSee above.\n\n## Next\n") == ["CallplaneOddity"]


def test_a_row_that_is_told_twice_is_caught() -> None:
    assert told_twice("| what | why |\n|---|---|\n| a | b |\n| c | d |\n| a | e |\n") == ["a"]


def test_a_link_to_no_heading_is_caught() -> None:
    text = "# Some `words`, here\n[a](#some-words-here) [b](#nowhere) [c](page.md#else)\n"
    assert dead_anchors(page(text)) == ["docs/page.md: #nowhere", "docs/page.md: page.md#else"]
