"""`callplane validate`: everything that is wrong, each with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from callplane.cli import app

QUOTES = "must be text; in YAML, put it in quotes"
RANGE = """\
apiVersion: callplane.dev/v1alpha1
kind: NumberRange
metadata:
  name: {name}
  namespace: platform
spec:
  first: "{first}"
  last: "{last}"
  route: DirectRouting
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def validate(
    capsys: pytest.CaptureFixture[str], *paths: Path | str, code: int = 1
) -> tuple[list[str], str]:
    """Findings and the summary of a run that ends with `code`."""
    assert app.run(["validate", *map(str, paths)]) == code
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err.strip()


def test_a_clean_tree_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        "a.yaml",
        RANGE.format(name="london", first="+442079460000", last="+442079460009"),
    )
    found, summary = validate(capsys, tmp_path, code=0)
    assert found == []
    assert summary == "1 object in 1 file: no errors, 0 warnings"


def test_every_wrong_field_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        "users.yaml",
        """\
# A comment that moves the lines.
apiVersion: callplane.dev/v1alpha1
kind: TeamsUser
metadata: {name: anna, namespace: sales}
spec:
  tenantRef: {name: main}
  userPrincipalName: anna@example.com
  phoneNumber:
    e164: +442079460012
  policies:
    - type: TeamsCallingPolicy
      nam: Calls
""",
    )
    found, summary = validate(capsys, path)
    user = "TeamsUser sales/anna"
    assert found == [
        f"{path}:9: {user}: spec.phoneNumber.e164: {QUOTES} [schema]",
        f"{path}:11: {user}: spec.policies[0].name: is required [schema]",
        f"{path}:12: {user}: spec.policies[0].nam: unknown field [schema]",
    ]
    assert summary == "1 object in 1 file: 3 errors, 0 warnings"


def test_ranges_that_overlap_are_found_across_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a.yaml", RANGE.format(name="one", first="+442079460000", last="+442079460009"))
    path = write(
        tmp_path, "b.yaml", RANGE.format(name="two", first="+442079460005", last="+442079460019")
    )
    found, _ = validate(capsys, tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"{path}:")
    assert "NumberRange platform/one" in found[0]
    assert found[0].endswith("[numbers-overlap]")


def test_an_unknown_country_is_found_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = RANGE.format(name="one", first="+442079460000", last="+442079460009")
    path = write(tmp_path, "a.yaml", text + "  country: XX\n")
    found, _ = validate(capsys, tmp_path)
    assert [line.split(": ")[0] for line in found] == [f"{path}:10"]


def test_broken_yaml_is_a_finding_and_stops_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write(tmp_path, "a.yaml", "kind: [1\nmetadata: 2\n")
    tabs = write(tmp_path, "b.yaml", "a:\n\t- b\n")
    binary = write(tmp_path, "c.yaml", "")
    binary.write_bytes(b"a: \xff\xfe\x00\n")
    wrong = write(tmp_path, "d.yaml", "apiVersion: callplane.dev/v1alpha1\nkind: TeamsUsr\n")
    found, _ = validate(capsys, tmp_path)
    assert [line.split(": ")[0] for line in found] == [
        f"{broken}:2",
        f"{tabs}:2",
        f"{binary}:1",
        f"{wrong}:2",
    ]
    assert "unknown kind 'TeamsUsr'" in found[3]


def test_a_key_written_twice_is_found_but_not_where_merging_means_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = RANGE.format(name="one", first="+442079460000", last="+442079460009")
    path = write(tmp_path, "a.yaml", text + "  route: Sip\n")
    write(
        tmp_path,
        "b.yaml",
        "base: &base {route: Sip, use: User}\nspec: {<<: *base, route: DirectRouting}\n",
    )
    found, _ = validate(capsys, tmp_path)
    assert found == [f"{path}:10: YAML: route is written twice in one mapping [yaml]"]


def test_an_object_declared_twice_names_both_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = RANGE.format(name="one", first="+442079460000", last="+442079460009")
    first, second = write(tmp_path, "a.yaml", text), write(tmp_path, "b.yaml", text)
    found, _ = validate(capsys, tmp_path)
    message = f"metadata.name: is declared at {first}:4 too [declared-twice]"
    assert found == [f"{second}:4: NumberRange platform/one: {message}"]


def test_lists_and_several_documents_are_read_and_other_kinds_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        "all.yaml",
        """\
apiVersion: v1
kind: Secret
metadata: {name: graph, namespace: platform}
stringData: {secret: very-secret}
---
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: c}
  - apiVersion: callplane.dev/v1alpha1
    kind: NumberRange
    metadata: {name: london}
    spec: {first: "+442079460009", last: "+442079460000", route: DirectRouting}
""",
    )
    write(tmp_path, "kustomization.yaml", "resources: [all.yaml\n")
    write(tmp_path, ".hidden/x.yaml", "resources: [all.yaml\n")
    write(tmp_path, "README.md", "resources: [all.yaml\n")
    found, summary = validate(capsys, tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"{path}:16: NumberRange default/london: spec.first:")
    assert summary == "1 object in 1 file, 2 of other kinds passed over: 1 error, 0 warnings"
    assert "very-secret" not in "".join(found) + summary


def test_warnings_alone_are_no_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        "a.yaml",
        """\
apiVersion: callplane.dev/v1alpha1
kind: TeamsUser
metadata: {name: anna}
spec:
  tenantRef: {name: elsewhere}
  userPrincipalName: anna@example.com
""",
    )
    found, summary = validate(capsys, tmp_path, code=0)
    assert [line.rsplit(" ", 2)[-2:] for line in found] == [["[reference-unresolved,", "warning]"]]
    assert summary == "1 object in 1 file: no errors, 1 warning"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (None, "", "no YAML files here"),
        ("a.yaml", "", "no objects of callplane.dev in 1 files"),
        ("a.yaml", "a: 1\n---\napiVersion: v1\nkind: Pod\n", "only 1 Pod, 1 no object"),
    ],
)
def test_a_folder_with_nothing_of_ours_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str | None, text: str, reason: str
) -> None:
    if name is not None:
        write(tmp_path, name, text)
    found, said = validate(capsys, tmp_path)
    assert found == []
    assert said.startswith("Error: ")
    assert reason in said


def test_a_path_that_does_not_exist_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = validate(capsys, tmp_path / "nowhere")
    assert said == f"Error: {tmp_path}/nowhere: no such file or directory"


def test_a_file_named_twice_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path, "a.yaml", RANGE.format(name="one", first="+442079460000", last="+442079460009")
    )
    _, summary = validate(capsys, tmp_path, path, code=0)
    assert summary.startswith("1 object in 1 file:")
