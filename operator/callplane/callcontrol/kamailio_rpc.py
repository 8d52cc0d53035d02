"""Asks a running Kamailio over its local socket: JSON-RPC in datagrams, on this machine only."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from callplane.errors import CallplaneError, scrub

ANSWER_SECONDS: Final = 3.0
_ANSWER_LIMIT_BYTES: Final = 1 << 20


class RpcError(CallplaneError):
    """Nobody answered, or the answer was no."""


class NobodyThere(RpcError):
    """No Kamailio has the socket open: it has not started, or it has left."""


class Refused(RpcError):
    """Kamailio's answer was no. `code` is like HTTP's."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class KamailioRpc:
    """The socket is `rpc.sock` in the run folder of the SBC's values. An answer has to fit into one
    datagram, which a list of 200 calls does not (measured): ask for parts.
    """

    path: Path
    answer_seconds: float = ANSWER_SECONDS

    def ask(self, method: str, *parameters: Any) -> Any:
        """The result of one call. Raises RpcError."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        try:
            answer = json.loads(self._exchange(json.dumps(request).encode()))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NobodyThere(f"{self.path}: {method} got no answer: {error}") from None
        except (OSError, ValueError) as error:
            raise RpcError(f"{self.path}: {method} got no answer: {error}") from None
        if "error" in answer:
            problem = answer["error"]
            code = problem.get("code", 0) if isinstance(problem, dict) else 0
            raise Refused(f"{self.path}: {method}: {scrub(str(problem))}", code)
        return answer["result"]

    def _exchange(self, request: bytes) -> bytes:
        # An answer needs an address of ours to come back to.
        with (
            tempfile.TemporaryDirectory() as folder,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
        ):
            ours = os.path.join(folder, "ask")
            client.bind(ours)
            # Kamailio may run as another user, which has to be able to write to it.
            Path(folder).chmod(0o711)
            Path(ours).chmod(0o622)
            client.settimeout(self.answer_seconds)
            client.sendto(request, str(self.path))
            return client.recv(_ANSWER_LIMIT_BYTES)
