"""Locks: Azure deletes whatever no lock holds, whoever asks."""

from __future__ import annotations

import pulumi
import pulumi_azure_native.authorization as authorization


def locked(
    name: str, scope: pulumi.Input[str], options: pulumi.ResourceOptions
) -> authorization.ManagementLockByScope:
    """A lock on a resource, called after it, so that a policy sees what has none."""
    return authorization.ManagementLockByScope(
        f"keep-{name}",
        lock_name=f"keep-{name}",
        level="CanNotDelete",
        scope=scope,
        notes="Calls or their books depend on it.",
        opts=options,
    )
