"""Fake worlds for development, demo, tests and benchmarks: vendors' services with state, behaviour
and scripted faults.

Each world is written from its vendor's published documents, never from our providers, and the two
never import one another: a fake that shares a mapping with the code it tests cannot find a mistake
in that mapping. What every world needs (serving, recording, faults, throttling, time) lies in this
folder; each vendor has a folder of its own.
"""

from __future__ import annotations
