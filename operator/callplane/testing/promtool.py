"""promtool, Prometheus' own checker of rules, as Debian 12 packages it.

`make promtool` calls this module. Where it cannot be had, one line says so and the tests of the
rules are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from callplane.sandbox import locations
from callplane.testing.debian_packages import NotAvailable, Packages


def _packages() -> Packages:
    return Packages(("prometheus",), locations.cache_folder() / "prometheus")


def find() -> Path | None:
    """An installed promtool, else an unpacked one, else None."""
    return _packages().find("promtool")


def missing() -> str:
    """Why rules cannot be tested here, or nothing when they can."""
    return "" if find() else "promtool is not installed: `make promtool`"


def main() -> int:
    """Provide promtool; 0 also where it cannot be had, for the tests say what is missing."""
    try:
        if missing():
            _packages().provide()
    except NotAvailable as error:
        sys.stderr.write(f"No tests of alerts on this machine: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
