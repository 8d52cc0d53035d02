"""A renewed certificate is loaded by the SBC that runs: without it, Teams would send no calls to an
SBC whose pod outlives its first certificate.

Loaded once a renewal and never otherwise, since each time costs Kamailio a little shared memory
(kamailio#3717, #3823). Connections that are up go on with what they began with.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from callplane.callcontrol.kamailio_rpc import RpcError
from callplane.clock import Clock

#: Between two looks. What was seen changed is loaded at the next one: the key beside it is another
#: file, which comes a moment earlier or later.
LOOK_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


class Asked(Protocol):
    """Kamailio's socket, as far as it is needed here."""

    def ask(self, method: str, *parameters: Any) -> Any: ...


@dataclass
class CertificateFollower:
    """`certificate` is the public part, as a file that is replaced; `told` hears what is in use."""

    rpc: Asked
    certificate: Path
    clock: Clock
    look_seconds: float = LOOK_SECONDS
    told: Callable[[bytes], None] = lambda _: None
    _seen: str = ""
    _loaded: str = ""

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except (RpcError, OSError, LookupError, ValueError, TypeError) as error:
                # Tried again at the next look. CallplaneCertificateEnds says when nothing helps.
                log.warning("%s: not loaded: %s", self.certificate, error)
            await asyncio.sleep(self.look_seconds)

    def look(self) -> None:
        """Compare once, and load what has stayed since the last look. Raises RpcError, OSError."""
        content = self.certificate.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if not self._loaded and not self._is_newer_than_kamailio():
            self._loaded = found
        if found not in (self._loaded, "") and found == self._seen:
            self.rpc.ask("tls.reload")
            self._loaded = found
            log.info("%s was renewed and is loaded", self.certificate)
        self._seen = found
        # Not what lies there unloaded: calls are taken with the older one until then.
        if found == self._loaded:
            self.told(content)

    def _is_newer_than_kamailio(self) -> bool:
        """Was it renewed after Kamailio's start, before this process began to look?"""
        uptime_seconds = float(self.rpc.ask("core.uptime")["uptime"])
        return self.certificate.stat().st_mtime > self.clock.now().timestamp() - uptime_seconds
