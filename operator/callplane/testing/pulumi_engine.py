"""The Pulumi engine: its command line, built from the pinned module in tools/pulumi.

Tests of the stacks run it through the Automation API, in an environment of their own that has no
package of ours; they are told the program's folder. It is built before they start:
`python -m callplane.testing.pulumi_engine`, which prints that folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from callplane.sandbox import binaries, building
from callplane.sandbox.building import Report, Tool, ToolModule

VERSION = "3.259.0"
# Without the stamp the engine calls itself nothing, and the Automation API refuses it.
_STAMP = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
# The Automation API looks for `bin/pulumi` below the folder it is told.
TOOL = Tool(
    "bin/pulumi",
    "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    ToolModule("pulumi", VERSION, linker_flags=_STAMP),
)


def root(report: Report = binaries.to_standard_error) -> Path:
    """The folder that holds `bin/pulumi`, built first where it is missing."""
    return building.build(TOOL, report=report).parents[1]


if __name__ == "__main__":
    sys.stdout.write(f"{root()}\n")
