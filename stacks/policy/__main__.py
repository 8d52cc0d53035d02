"""The policy pack that the engine starts; the policies themselves are in the package."""

from __future__ import annotations

import sys
from pathlib import Path

# The package is no distribution: it is run from its checkout, beside the operator's description.
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stacks"), str(ROOT / "operator")]

from callplane_stacks import policy_pack  # noqa: E402

policy_pack.serve()
