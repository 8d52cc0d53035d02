"""Choices of a cluster: what cannot be is refused with all its reasons."""

from __future__ import annotations

import pytest

from callplane.deployment.options import Options


def test_the_defaults_can_be() -> None:
    options = Options()
    assert options.account == "system:serviceaccount:callplane-system:callplane-operator"
    assert options.groups[1] == "system:serviceaccounts:callplane-system"


def test_all_reasons_are_given_at_once() -> None:
    with pytest.raises(ValueError, match="latest") as refused:
        Options(image="callplane:latest", replicas=0, gitops_accounts=("maria",))
    reasons = str(refused.value)
    assert [name for name in ("image", "replicas", "gitops account") if name in reasons] == [
        "image",
        "replicas",
        "gitops account",
    ]


@pytest.mark.parametrize(
    ("image", "is_fine"),
    [
        ("callplane:0.1.0", True),
        ("registry.example.com:5000/calls/callplane:0.1.0", True),
        (f"registry.example.com/callplane@sha256:{'0' * 64}", True),
        ("callplane", False),
        ("registry.example.com:5000/callplane", False),
        ("callplane:latest", False),
        ("callplane@sha256:12", False),
    ],
)
def test_an_image_is_pinned(image: str, is_fine: bool) -> None:
    if is_fine:
        assert Options(image=image).image == image
    else:
        with pytest.raises(ValueError, match="needs a tag"):
            Options(image=image)
