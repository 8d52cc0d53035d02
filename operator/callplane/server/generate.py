"""Writes `schemas/admin-api/openapi.json`: `python -m callplane.server.generate`.

`make gen` runs it; `make check` runs it with `--check`, which writes nothing and fails when the
committed document is not the one that the API serves.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from callplane.server.application import document

FILE = Path("schemas/admin-api/openapi.json")


def rendered() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the file. Exit codes: 0 fresh or written, 1 stale."""
    parser = argparse.ArgumentParser(
        prog="python -m callplane.server.generate", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when stale")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the project's root folder")
    options = parser.parse_args(arguments)
    target, text = options.root / FILE, rendered()
    fresh = target.is_file() and target.read_text(encoding="utf-8") == text
    if options.check:
        if not fresh:
            sys.stderr.write(f"{FILE} is stale; run `make gen`\n")
        return 0 if fresh else 1
    if not fresh:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{FILE} is fresh\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
