"""Where the sandbox keeps what it builds and what it runs: in a cache folder of the user.

Nothing is written into the checkout. Called by the other modules of this package.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

# Names a folder to use in place of the user's cache folder.
CACHE_VARIABLE = "CALLPLANE_CACHE"
# The checkout this code runs from; tools/ and crds/ are found there, never in an installed wheel.
CHECKOUT = Path(__file__).parents[3]
# The folder from which `callplane` is importable.
SOURCE_ROOT = Path(__file__).parents[2]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The project's cache folder; it may not exist yet."""
    if named := environment.get(CACHE_VARIABLE):
        return Path(named).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "callplane"
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).expanduser() / "callplane"


def sandboxes_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where each sandbox has a folder of its name."""
    return cache_folder(environment) / "sandboxes"


def tools_folder() -> Path | None:
    """The pinned Go modules; None outside a checkout."""
    folder = CHECKOUT / "tools"
    return folder if (folder / "kubernetes" / "go.mod").exists() else None


def example_tree() -> Path | None:
    """The example tree of tenants, in the checkout or as the wheel brought it; None without it."""
    installed = Path(sysconfig.get_path("data")) / "share" / "callplane" / "tenants"
    places = (CHECKOUT / "manifests" / "tenants", installed)
    return next((place for place in places if place.is_dir()), None)


def python_path(environment: Mapping[str, str] = os.environ) -> str:
    """PYTHONPATH for a child that runs our modules from another folder than this process.

    The package may be importable only because of where this process was started.
    """
    inherited = environment.get("PYTHONPATH", "").split(os.pathsep)
    entries = [str(SOURCE_ROOT), *(str(Path(entry).absolute()) for entry in inherited if entry)]
    return os.pathsep.join(dict.fromkeys(entries))
