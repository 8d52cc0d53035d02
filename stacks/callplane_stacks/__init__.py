"""Pulumi stacks: SBC, database, operator, metrics and GitOps, on a cluster of one's own.

The stacks stand up what changes with versions; the operator owns what changes with customers; no
resource has two owners. `configuration` is read first and refuses everything at once; each
component's module says as plain objects what it makes, and `kubernetes` creates them.
"""
