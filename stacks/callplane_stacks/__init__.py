"""Pulumi stacks: SBC, database, operator, metrics and GitOps, on a cluster or on a cloud.

The stacks stand up what changes with versions; the operator owns what changes with customers; no
resource has two owners. Each target is a package with the same modules: its `configuration` is read
first and refuses everything at once, `target` is the facade that declares every component. Beside
them lies what the targets share.
"""
