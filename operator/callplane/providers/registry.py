"""Which provider is behind which name. Wiring makes one registry; the engine's connections use it.

A provider is known by the path of its factory and imported when the first connection of its kind is
made, because the vendors' libraries are large and most installations use one or two of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from callplane.apis.references import SecretKeyRef
from callplane.clock import Clock
from callplane.providers.carrier_protocol import CarrierProvider
from callplane.providers.protocol import Provider
from callplane.providers.transport import CallObserver, observe_nothing
from callplane.values import E164


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a provider is made of.

    `spec` is the spec of the connection; `secrets` the values of the Secrets that it names;
    `token_file` the operator's own federated token; `token_folders` where a spec may name another
    one. `assigned` are holders by number, as the register has them: where it is the only record.
    """

    spec: object
    clock: Clock
    secrets: Mapping[SecretKeyRef, bytes] = field(default_factory=dict, repr=False)
    observer: CallObserver = observe_nothing
    token_file: str | None = None
    token_folders: tuple[str, ...] = ()
    show_numbers: bool = False
    assigned: Mapping[E164, str] = field(default_factory=dict, repr=False)


Made = TypeVar("Made")
Factory = Callable[[Ingredients], Provider]
CarrierFactory = Callable[[Ingredients], CarrierProvider]

BUILT_IN: Mapping[str, str] = {
    "sip": "callplane.providers.sip.provider:create",
    "teams": "callplane.providers.teams.factory:create",
    "webex": "callplane.providers.webex.factory:create",
}
CARRIERS: Mapping[str, str] = {
    "bringyourown": "callplane.providers.bringyourown.provider:create",
    "didww": "callplane.providers.didww.factory:create",
    "simwood": "callplane.providers.simwood.factory:create",
    "telnyx": "callplane.providers.telnyx.factory:create",
    "twilio": "callplane.providers.twilio.factory:create",
}


class Factories(Generic[Made]):
    """Factories by name. A name is given once: two providers of one name are a programming
    error.
    """

    def __init__(self, factories: Mapping[str, str | Callable[[Ingredients], Made]]) -> None:
        self._factories: dict[str, str | Callable[[Ingredients], Made]] = {}
        for name, factory in factories.items():
            self.register(name, factory)

    def register(self, name: str, factory: str | Callable[[Ingredients], Made]) -> None:
        """`factory` is a callable or its path, `package.module:name`. Raises ValueError on a name
        that is taken.
        """
        if name in self._factories:
            raise ValueError(f"there is a provider {name!r} already")
        self._factories[name] = factory

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._factories))

    def create(self, name: str, ingredients: Ingredients) -> Made:
        """Raises LookupError for a name that nobody registered, else what the factory raises."""
        factory = self._factories.get(name)
        if factory is None:
            known = ", ".join(self.names)
            raise LookupError(f"there is no provider {name!r}; known are: {known}")
        if isinstance(factory, str):
            module, _, attribute = factory.partition(":")
            loaded: Any = getattr(importlib.import_module(module), attribute)
            factory = self._factories[name] = loaded
        made: Made = factory(ingredients)
        return made


class Registry(Factories[Provider]):
    """Providers of platforms."""

    def __init__(self, factories: Mapping[str, str | Factory] = BUILT_IN) -> None:
        super().__init__(factories)


class CarrierRegistry(Factories[CarrierProvider]):
    """Providers of carriers, by the type of their Carrier in lower case."""

    def __init__(self, factories: Mapping[str, str | CarrierFactory] = CARRIERS) -> None:
        super().__init__(factories)
