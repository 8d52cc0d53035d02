"""The generator of manifests: writes what is described, names what is stale, removes the rest."""

from __future__ import annotations

from pathlib import Path

import yaml

from callplane.deployment import generate, platform_objects
from callplane.deployment.options import Options

PERMISSIONS = generate.BASE / "permissions.yaml"


def test_it_writes_what_is_missing_and_removes_what_nobody_describes(tmp_path: Path) -> None:
    leftover = tmp_path / generate.GITOPS / "leftover.yaml"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("kind: Dinosaur\n")
    assert generate.main(["--check", f"--root={tmp_path}"]) == 1
    assert generate.main([f"--root={tmp_path}"]) == 0
    assert not leftover.exists()
    assert generate.main(["--check", f"--root={tmp_path}"]) == 0


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    generate.main([f"--root={tmp_path}"])
    path = tmp_path / PERMISSIONS
    path.write_text(path.read_text().replace("- patch", "- '*'"))
    assert generate.stale_files(tmp_path) == [PERMISSIONS]


def test_files_say_the_same_as_the_description() -> None:
    files = generate.rendered_files()
    read = [
        body
        for path, text in files.items()
        if path.parent == generate.BASE and path.name != "kustomization.yaml"
        for body in yaml.safe_load_all(text)
    ]
    described = platform_objects.objects(Options())
    assert sorted(read, key=str) == sorted(described, key=str)
