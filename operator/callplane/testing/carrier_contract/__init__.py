"""What every carrier provider promises, as tests: the definition of `providers.carrier_protocol`.

A test module states the capabilities of its provider and provides the fixture `stage`:

    class TestSimwood(CarrierContract, capabilities=CAPABILITIES):
        \"\"\"Every promise that applies.\"\"\"

A case that needs what the carrier cannot do is left out when the class is made, and
`left_out_lines` says which and why; the capabilities themselves are checked against the provider,
and each has its reason and its manual step. Nothing else is ever left out.
"""

from __future__ import annotations

from callplane.providers.carrier_protocol import CarrierCapabilities
from callplane.testing.carrier_contract.accounts import CarrierConnectionContract
from callplane.testing.carrier_contract.asking import Needs, left_out_lines, note_left_out
from callplane.testing.carrier_contract.buying import CarrierOrderContract
from callplane.testing.carrier_contract.coming_and_leaving import CarrierLeavingContract
from callplane.testing.carrier_contract.numbers_set_up import CarrierSettingContract
from callplane.testing.carrier_contract.reading import CarrierReadingContract

__all__ = ["CarrierContract", "left_out_lines"]


class CarrierContract(
    CarrierReadingContract,
    CarrierOrderContract,
    CarrierSettingContract,
    CarrierLeavingContract,
    CarrierConnectionContract,
):
    """All promises."""

    def __init_subclass__(cls, *, capabilities: CarrierCapabilities) -> None:
        super().__init_subclass__()
        cls.capabilities = capabilities
        for name in dir(cls):
            needed: Needs = getattr(getattr(cls, name), "needs", Needs())
            missing = needed.missing(capabilities)
            if missing:
                # Not a test any more: pytest collects only what can be called.
                setattr(cls, name, None)
                note_left_out(cls.__name__, name, missing)
