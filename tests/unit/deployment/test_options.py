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


@pytest.mark.parametrize(
    ("endpoint", "is_fine"),
    [
        ("", True),
        ("http://otel-collector.observability.svc:4318", True),
        ("https://collector.example.com/otlp", True),
        ("otel-collector:4318", False),
        ("grpc://collector.example.com:4317", False),
        ("https://anna:hunter2@collector.example.com", False),
        ("https://collector.example.com?key=hunter2", False),
    ],
)
def test_a_collector_is_an_address_without_credentials(endpoint: str, is_fine: bool) -> None:
    if is_fine:
        assert Options(traces_endpoint=endpoint).traces_endpoint == endpoint
        return
    with pytest.raises(ValueError, match="traces_endpoint") as refused:
        Options(traces_endpoint=endpoint)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("ratio", "is_fine"),
    [
        ("0", True),
        ("0.05", True),
        ("1.000000", True),
        ("1.5", False),
        ("-1", False),
        ("all", False),
        ("", False),
    ],
)
def test_a_ratio_is_between_nothing_and_everything(ratio: str, is_fine: bool) -> None:
    if is_fine:
        assert Options(traces_ratio=ratio).traces_ratio == ratio
    else:
        with pytest.raises(ValueError, match="traces_ratio"):
            Options(traces_ratio=ratio)
