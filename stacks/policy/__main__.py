"""The policy pack that the engine starts; the policies themselves are in the package."""

from __future__ import annotations

import sys
from pathlib import Path

# The package is no distribution: it is run from its checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from callplane_stacks import policy_pack

policy_pack.serve()
