"""The sixth carrier lives in the test tree; its two packages are found beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
