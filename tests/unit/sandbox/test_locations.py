"""Where things lie."""

from __future__ import annotations

import os
from pathlib import Path

from callplane.sandbox import locations


def test_a_named_cache_folder_comes_first_then_the_systems_variable() -> None:
    both = {"CALLPLANE_CACHE": "/named", "XDG_CACHE_HOME": "/system"}
    assert locations.cache_folder(both) == Path("/named")
    assert locations.sandboxes_folder(both) == Path("/named/sandboxes")


def test_the_cache_never_lies_in_the_checkout() -> None:
    assert not locations.cache_folder({}).is_relative_to(locations.CHECKOUT)


def test_children_find_the_package_and_what_was_found_before() -> None:
    path = locations.python_path({"PYTHONPATH": f"some/place{os.pathsep}"}).split(os.pathsep)
    assert path == [str(locations.SOURCE_ROOT), str(Path("some/place").absolute())]
    assert locations.python_path({}) == str(locations.SOURCE_ROOT)
