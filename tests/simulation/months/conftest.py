"""The auditor of months is a program of its own: it is run on journals and never imported. What
runs it is shared by the tests of this folder, which is no package, so it has to be found.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

collect_ignore = ["auditor", "quarters.py"]
