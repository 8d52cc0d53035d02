"""A platform that speaks SIP over TLS, as Microsoft Teams does: it serves, and it dials the SBC."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any, Self

from callplane.testing.sip_certificates import SipCertificates
from callplane.testing.sip_endpoint import Address, Endpoint, Message


@dataclass
class TlsEndpoint(Endpoint):
    """Listens at its address, and dials from it. Answers go back over the connection that asked."""

    certificates: SipCertificates | None = None
    sbc_name: str = ""
    _server: Any = None
    _writers: dict[Address, asyncio.StreamWriter] = field(default_factory=dict)
    _readers: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> Self:
        assert self.certificates is not None
        self.transport = "TLS"
        host, port = self.address
        self._server = await asyncio.start_server(
            self._read, host, port, ssl=self.certificates.serving()
        )
        return self

    async def dial(self, target: Address) -> None:
        """Open a connection to an SBC; what is sent to that address then uses it."""
        assert self.certificates is not None
        reader, writer = await asyncio.open_connection(
            *target,
            ssl=self.certificates.dialling(),
            server_hostname=self.sbc_name,
            local_addr=(self.address[0], 0),
        )
        self._writers[target] = writer
        task = asyncio.create_task(self._read(reader, writer))
        self._readers.add(task)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer: Address = writer.get_extra_info("peername")
        self._writers[peer] = writer
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.decode("utf-8", "replace").split("\r\n"):
                    if line.lower().startswith(("content-length:", "l:")):
                        length = int(line.partition(":")[2])
                body = await reader.readexactly(length)
                self.datagram_received(head.lstrip() + body, peer)
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()

    def send(self, message: Message, target: Address) -> None:
        writer = self._writers[target]
        if not writer.is_closing():
            writer.write(message.encode())

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for writer in self._writers.values():
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
