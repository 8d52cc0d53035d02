"""Callplane: phone numbers and calling as code, reconciled by a Kubernetes operator.

The package holds every process of the project (operator, sandbox, simulators, command line). What
may import what is fixed by the layer contracts in ``pyproject.toml`` and explained in
``ARCHITECTURE.md``.
"""

from __future__ import annotations

__version__ = "0.1.0"
