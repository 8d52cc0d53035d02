"""Call control beside an SBC: what it needs besides its container, which the SBC's pod has."""

from __future__ import annotations

import pulumi

from callplane.deployment.options import CALLS_URI_KEY
from callplane.deployment.sbc_pod import DATABASE_SECRET
from callplane_stacks.kubernetes.configuration import Configuration
from callplane_stacks.objects import Body, labelled


def secret(configuration: Configuration, component: str, uri: pulumi.Input[str]) -> Body:
    """Where the database is, as call control's role; nothing else of it is known here."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": labelled(DATABASE_SECRET, component, configuration.sbc.namespace),
        "stringData": {CALLS_URI_KEY: uri},
    }
