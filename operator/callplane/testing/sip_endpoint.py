"""A SIP endpoint for tests: enough of RFC 3261 over UDP to place calls, to take them and to look at
every header on the way. It resends nothing: on loopback a packet that is missing is a finding.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from callplane.testing import polling

Address = tuple[str, int]
#: Bounds on hanging, and no statements: on loopback all of this takes milliseconds.
SECONDS = 8.0
ARRIVE_SECONDS = 10.0

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8\r\n"
)


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. Header names keep their case and are found without regard to it."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        split = (line.partition(":")[::2] for line in lines)
        headers = ((name.strip(), value.strip()) for name, value in split)
        # Written anew by `encode`.
        kept = tuple(pair for pair in headers if pair[0].lower() != "content-length")
        return cls(start, kept, body)

    def encode(self) -> bytes:
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def is_answer(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    @property
    def method(self) -> str:
        return self.start.split(" ")[0]

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    @property
    def user(self) -> str:
        """The user part of a request's address."""
        return self.uri.partition(":")[2].partition("@")[0]


#: Statuses that an endpoint answers an INVITE with, in order; nothing for silence.
Answering = Callable[[Message], tuple[int, ...]]


def answers(*statuses: int) -> Answering:
    """The same statuses for every INVITE."""
    return lambda _: statuses


@dataclass
class Call:
    """One call that an endpoint placed. `final` is what its INVITE got."""

    endpoint: Endpoint
    invite: Message
    target: Address
    final: Message

    @property
    def status(self) -> int:
        return self.final.status

    async def bye(self) -> Message:
        return await self.within("BYE", 2)

    async def within(self, method: str, number: int) -> Message:
        """Send a request inside the call and return its answer."""
        request = self.endpoint.in_dialog(self, method, number)
        return await self.endpoint.transact(request, self.target)


@dataclass
class Endpoint(asyncio.DatagramProtocol):
    """Listens at one address. `answering` decides about INVITEs; the rest is answered as usual."""

    address: Address
    answering: Answering = field(default_factory=lambda: answers(180, 200))
    bye_seconds: float = 0.015
    contact_host: str = ""
    transport: str = "UDP"
    received: list[Message] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)
    _waiting: dict[str, asyncio.Queue[Message]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _transport: Any = None

    async def open(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=self.address
        )
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def contact(self) -> str:
        host, port = self.address
        end = ";transport=tls" if self.transport == "TLS" else ""
        return f"<sip:test@{self.contact_host or host}:{port}{end}>"

    def requests(self, method: str) -> list[Message]:
        return [message for message in self.received if message.method == method]

    # Placing calls

    async def call(
        self,
        uri: str,
        target: Address,
        *,
        caller: str = "+442079460001",
        headers: tuple[tuple[str, str], ...] = (),
        seconds: float = SECONDS,
    ) -> Call:
        """Place a call and acknowledge its final answer. `headers` replace the usual ones of their
        names. Raises TimeoutError when there is no answer.
        """
        invite = self.begin(uri, caller=caller, headers=headers)
        final = await self.transact(invite, target, seconds=seconds)
        call = Call(self, invite, target, final)
        if final.status < 300:
            self.send(self.in_dialog(call, "ACK", 1), target)
        else:
            self.send(self._acknowledgement(invite, final), target)
        return call

    def begin(
        self,
        uri: str,
        *,
        caller: str = "+442079460001",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Message:
        """An INVITE, not sent yet."""
        host, _ = self.address
        given = {name for name, _ in headers}
        usual = (
            ("From", f"<sip:{caller}@{host}>;tag={uuid.uuid4().hex[:8]}"),
            ("To", f"<{uri}>"),
            ("Call-ID", f"{uuid.uuid4().hex}@{host}"),
            ("CSeq", "1 INVITE"),
            ("Contact", self.contact),
            ("Content-Type", "application/sdp"),
        )
        kept = (header for header in usual if header[0] not in given)
        return self.request("INVITE", uri, *kept, *headers, body=SDP)

    async def cancelled(self, invite: Message, target: Address, *, at: int = 180) -> Message:
        """Send an INVITE, cancel it at a provisional answer, and return its final answer."""
        branch = _branch(invite)
        queue = self._waiting.setdefault(branch, asyncio.Queue())
        self.send(invite, target)
        async with asyncio.timeout(SECONDS):
            while (answer := await queue.get()).status != at:
                pass
            kept = ("via", "from", "to", "call-id", "max-forwards")
            headers = [pair for pair in invite.headers if pair[0].lower() in kept]
            start = invite.start.replace("INVITE", "CANCEL", 1)
            self.send(Message(start, (*headers, ("CSeq", "1 CANCEL"))), target)
            while (answer := await queue.get()).get("CSeq") != "1 INVITE" or answer.status < 200:
                pass
        self.send(self._acknowledgement(invite, answer), target)
        return answer

    async def transact(
        self, request: Message, target: Address, *, seconds: float = SECONDS
    ) -> Message:
        """Send a request and return its final answer."""
        branch = _branch(request)
        queue = self._waiting.setdefault(branch, asyncio.Queue())
        self.send(request, target)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    answer = await queue.get()
                    if answer.status >= 200:
                        return answer
        finally:
            del self._waiting[branch]

    def request(self, method: str, uri: str, *headers: tuple[str, str], body: str = "") -> Message:
        host, port = self.address
        branch = f"z9hG4bK{uuid.uuid4().hex[:12]}{next(self._numbers)}"
        via = ("Via", f"SIP/2.0/{self.transport} {host}:{port};branch={branch}")
        return Message(f"{method} {uri} SIP/2.0", (via, ("Max-Forwards", "70"), *headers), body)

    def in_dialog(self, call: Call, method: str, number: int) -> Message:
        """A request inside a call that was answered, along its route."""
        routes = [("Route", route) for route in reversed(_flat(call.final.all("Record-Route")))]
        contact = call.final.get("Contact").partition("<")[2].partition(">")[0]
        return self.request(
            method,
            contact or call.invite.uri,
            *routes,
            ("From", call.invite.get("From")),
            ("To", call.final.get("To")),
            ("Call-ID", call.invite.get("Call-ID")),
            ("CSeq", f"{number} {method}"),
        )

    def _acknowledgement(self, invite: Message, final: Message) -> Message:
        kept = ("via", "from", "call-id", "max-forwards")
        headers = [pair for pair in invite.headers if pair[0].lower() in kept]
        to = [("To", final.get("To")), ("CSeq", "1 ACK")]
        return Message(invite.start.replace("INVITE", "ACK", 1), (*headers, *to))

    # Taking calls

    def hang_up(self, invite: Message) -> Message:
        """The BYE of a call that this endpoint took."""
        answer = self.answer_to(invite, 200)
        routes = [("Route", route) for route in _flat(invite.all("Record-Route"))]
        contact = invite.get("Contact").partition("<")[2].partition(">")[0]
        return self.request(
            "BYE",
            contact,
            *routes,
            ("From", answer.get("To")),
            ("To", invite.get("From")),
            ("Call-ID", invite.get("Call-ID")),
            ("CSeq", "1 BYE"),
        )

    async def methods(self, *expected: str, beside: str = "") -> None:
        """Wait until exactly these requests have arrived, in any order: the SBC's workers may pass
        one another. Those of method `beside` may come at any time and do not count. Raises
        AssertionError when they do not.
        """

        def arrived() -> bool:
            found = [each.method for each in self.received if each.method != beside]
            assert sorted(found) == sorted(expected), found
            return True

        await asyncio.to_thread(polling.until, arrived, "requests arrive", seconds=ARRIVE_SECONDS)

    def send(self, message: Message, target: Address) -> None:
        if self._transport.is_closing():
            return
        self._transport.sendto(message.encode(), target)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not data.strip():
            return
        message = Message.parse(data)
        if message.is_answer:
            self.answered.append(message)
            queue = self._waiting.get(_branch(message))
            if queue is not None:
                queue.put_nowait(message)
            return
        again = any(
            _branch(message) == _branch(known) and message.method == known.method
            for known in self.received
        )
        if not again:
            self.received.append(message)
        self._answer(message, addr)

    def _answer(self, request: Message, target: Address) -> None:
        match request.method:
            case "ACK":
                return
            case "INVITE":
                for status in self.answering(request):
                    self.send(self.answer_to(request, status), target)
            case "CANCEL":
                self.send(self.answer_to(request, 200), target)
                for invite in self.requests("INVITE"):
                    if _branch(invite) == _branch(request):
                        self.send(self.answer_to(invite, 487), target)
            case "BYE":
                # At once, 5.6.3 may forget the other side of a call that it cuts itself.
                loop = asyncio.get_running_loop()
                loop.call_later(self.bye_seconds, self.send, self.answer_to(request, 200), target)
            case _:
                self.send(self.answer_to(request, 200), target)

    def answer_to(self, request: Message, status: int) -> Message:
        kept = ("via", "from", "call-id", "cseq", "record-route")
        headers = [pair for pair in request.headers if pair[0].lower() in kept]
        to = request.get("To")
        if ";tag=" not in to:
            to += f";tag={abs(hash((self.address, request.get('Call-ID')))):x}"
        body = SDP if request.method == "INVITE" and status == 200 else ""
        content = [("Content-Type", "application/sdp")] if body else []
        return Message(
            f"SIP/2.0 {status} Answer",
            (*headers, ("To", to), ("Contact", self.contact), *content),
            body,
        )


def _branch(message: Message) -> str:
    return message.get("Via").partition("branch=")[2].partition(";")[0]


def _flat(values: list[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]
