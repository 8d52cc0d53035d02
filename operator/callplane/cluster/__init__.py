"""The Kubernetes API for the operator and the command line.

`client` speaks HTTP; everything else here is written against the small protocols of `ports`, so
that the same code runs against a real API server and against `callplane.testing.fake_cluster`.
"""

from __future__ import annotations
