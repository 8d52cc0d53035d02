"""What carriers' factories share: a missing secret is a plain reason, and never shown."""

from __future__ import annotations

import subprocess
import sys

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers import carrier_access
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import CARRIERS, CarrierRegistry, Ingredients
from callplane.testing.manual_clock import ManualClock

REF = SecretKeyRef(name="carrier", key="key")
CLOCK = ManualClock()


def ingredients(secret: bytes | None = b"k3y", url: str | None = None) -> Ingredients:
    spec = CarrierSpec(
        type=CarrierType.TELNYX,
        account="example",
        credentials=CarrierCredentials(secret_ref=REF),
        endpoint=CarrierEndpoint(url=url) if url else None,
    )
    return Ingredients(spec, CLOCK, {REF: secret} if secret is not None else {})


def test_a_line_feed_of_an_editor_is_no_part_of_a_secret() -> None:
    assert carrier_access.secret_text(ingredients(b" k3y\n"), what="key") == "k3y"


@pytest.mark.parametrize(
    "secret", [b"", b"\n", b"two\nlines", b"\x00\xff", "schl\u00fcssel".encode()]
)
def test_what_cannot_be_a_secret_is_said_so_and_not_shown(secret: bytes) -> None:
    """A line feed inside it would be another header."""
    with pytest.raises(AuthenticationFailed, match="holds no key of somebody") as caught:
        carrier_access.secret_text(ingredients(secret), what="key of somebody")
    assert "lines" not in str(caught.value)


def test_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(AuthenticationFailed, match="Secret carrier with key key was not found"):
        carrier_access.secret_text(ingredients(None), what="key")


def test_the_public_address_gives_way_to_another() -> None:
    public = "https://api.example.com/v1"
    assert carrier_access.address_of(ingredients(), public) == public
    other = ingredients(url="https://other.example.com/v1/")
    assert carrier_access.address_of(other, public) == "https://other.example.com/v1"


@pytest.mark.parametrize("name", sorted(CARRIERS))
def test_every_built_in_factory_exists(name: str) -> None:
    with pytest.raises(TypeError, match="CarrierSpec"):
        CarrierRegistry().create(name, Ingredients(None, CLOCK))


def test_every_type_of_carrier_has_a_factory() -> None:
    assert {each.value.lower() for each in CarrierType} == set(CARRIERS)


def test_no_vendors_library_is_imported_before_it_is_wanted() -> None:
    code = (
        "import sys, callplane.providers.registry; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} "
        "& {'telnyx', 'httpx', 'twilio', 'didww'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "[]"
