"""HTTP for providers: what can be said of a request that did not come back with a plain answer.

One `Transport` is one aiohttp session to one system. It sorts what happens by the only question
that matters to the engine, "may it have been done?":

    the request never left          Unavailable        nothing was done
    429, 503 with Retry-After       Throttled          nothing was done
    a read without a usable answer  Unavailable        nothing was done
    a write without an answer       OutcomeUnknown     it may have been done
    any other answer                `Answer`           the provider judges it

A write is sent once, whatever breaks; no redirect is followed, no proxy and no credentials are
taken from the environment, nothing is logged. Used by the providers' clients only.
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import aiohttp
import yarl

from callplane.clock import Clock
from callplane.errors import OutcomeUnknown, scrub
from callplane.providers.protocol import Throttled, Unavailable

DEFAULT_RETRY_AFTER_SECONDS = 5.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0
USER_AGENT = "callplane"

# Answers in the 5xx range that say that the request was not carried out.
_NOT_DONE = frozenset({501, 505})
# A 408 says that the server gave up waiting for us; whether it had acted is not said.
_WITHOUT_ANSWER = frozenset({408})

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
# Leaves room for the request ids within the limit of a message.
_SAID_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as metrics see it. `outcome` is ok, throttled, unavailable, authentication,
    refused, unknown or cancelled; `status` is 0 when no answer came.
    """

    provider: str
    operation: str
    outcome: str
    seconds: float
    status: int = 0


CallObserver = Callable[[CallRecord], None]


def observe_nothing(record: CallRecord) -> None:
    """For those who do not measure."""


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Times are seconds. Connecting must end well before a call as a whole, so that a call that
    runs into its own limit is known to have had a connection.
    """

    connect_seconds: float = 3.0
    read_seconds: float = 60.0
    write_seconds: float = 8.0
    answer_bytes: int = 64 * 1024 * 1024
    connections: int = 256

    def __post_init__(self) -> None:
        if self.connect_seconds >= min(self.read_seconds, self.write_seconds):
            raise ValueError("connect_seconds must be shorter than the limits of whole calls")


@dataclass(frozen=True, slots=True)
class Request:
    """`operation` names the call in metrics and messages; `url` is absolute and already encoded.

    `seconds` is a limit for this call alone, for a caller that has used up some of its time.
    """

    operation: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    writes: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON, or None where it is none: an error page must not hide the error."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def ssl_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Trust the system's authorities and, beside them, the certificates (PEM) of `ca_bundle`.

    Raises Unavailable when the bundle cannot be read, because no connection can be trusted then.
    """
    context = ssl.create_default_context()
    if ca_bundle:
        try:
            context.load_verify_locations(cadata=ca_bundle)
        except (ssl.SSLError, ValueError) as error:
            raise Unavailable(f"the CA bundle cannot be read: {scrub(str(error))}") from error
    return context


class Transport:
    """One session to one system. Create and close it on the event loop that uses it."""

    def __init__(
        self,
        provider: str,
        *,
        clock: Clock,
        ca_bundle: str | None = None,
        limits: TransportLimits | None = None,
        observer: CallObserver = observe_nothing,
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._limits = limits or TransportLimits()
        self._observer = observer
        self._ca_bundle = ca_bundle
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def call(self, request: Request) -> Answer:
        """Send once. Raises Throttled, Unavailable or, for a write, OutcomeUnknown."""
        started = self._clock.monotonic()
        outcome, status = "cancelled", 0
        try:
            answer = await self._send(request)
            status = answer.status
            self._judge(request, answer)
            outcome = _outcome(answer)
            return answer
        except Throttled:
            outcome = "throttled"
            raise
        except Unavailable:
            outcome = "unavailable"
            raise
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        finally:
            seconds = self._clock.monotonic() - started
            self._observer(CallRecord(self._provider, request.operation, outcome, seconds, status))

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, request: Request) -> Answer:
        session = self._open()
        try:
            return await self._exchange(session, request)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"{request.operation}: no connection ({_kind(error)})") from error
        except aiohttp.InvalidURL as error:
            raise Unavailable(f"{request.operation}: the address is not valid") from error
        except _Broken as error:
            raise self._no_answer(request, _kind(error.why)) from error.why
        except (aiohttp.ClientError, TimeoutError, OSError, _TooLarge) as error:
            raise self._no_answer(request, _kind(error)) from error

    async def _exchange(self, session: aiohttp.ClientSession, request: Request) -> Answer:
        """One request and its answer, whatever the answer says; a vendor's SDK may do it."""
        async with session.request(
            request.method,
            yarl.URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            timeout=self._timeout(request),
            middlewares=(_send_once,) if request.writes else (),
        ) as response:
            body = await self._read(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, body)

    def _timeout(self, request: Request) -> aiohttp.ClientTimeout:
        limits = self._limits
        total = limits.write_seconds if request.writes else limits.read_seconds
        if request.seconds is not None:
            total = min(total, request.seconds)
        connect = min(limits.connect_seconds, 0.5 * total)
        # Without the threshold aiohttp rounds limits up to whole seconds, and a write would outlive
        # the time that was reserved for it.
        return aiohttp.ClientTimeout(
            total=total, connect=connect, sock_connect=connect, ceil_threshold=math.inf
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unavailable("the connection is closed")
        if self._session is None:
            self._session = self._new_session(
                connector=aiohttp.TCPConnector(
                    ssl=ssl_context(self._ca_bundle), limit=self._limits.connections
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                trust_env=False,
                auto_decompress=True,
            )
        return self._session

    def _new_session(self, **arguments: Any) -> aiohttp.ClientSession:
        """The session to use, made with what every session here needs."""
        return aiohttp.ClientSession(**arguments)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._limits.answer_bytes
        declared = response.content_length
        if declared is not None and declared > limit:
            raise _TooLarge(limit)
        # The common case is one read; chunks are counted, because compression hides the true size.
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > limit:
                raise _TooLarge(limit)
            chunks.append(chunk)
        return b"".join(chunks)

    def _judge(self, request: Request, answer: Answer) -> None:
        """Raise for answers that mean the same whoever gives them."""
        status = answer.status
        if status in (429, 503):
            seconds = self._retry_after(answer)
            if seconds is not None:
                raise Throttled(seconds)
        if status == 429:
            raise Throttled(DEFAULT_RETRY_AFTER_SECONDS)
        if status in _NOT_DONE and request.writes:
            return
        if status >= 500 or status in _WITHOUT_ANSWER:
            raise self._no_answer(request, describe(answer))
        if 300 <= status < 400 and not request.writes:
            raise Unavailable(f"{request.operation}: an unexpected redirect ({status})")

    def _retry_after(self, answer: Answer) -> float | None:
        """Seconds, as a number (fractions occur) or as a date; None where nothing usable is
        said.
        """
        text = answer.headers.get("retry-after")
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            try:
                date = email.utils.parsedate_to_datetime(text)
            except ValueError:
                return None
            if date.tzinfo is None:
                date = date.replace(tzinfo=UTC)
            seconds = (date - self._clock.now()).total_seconds()
        if not math.isfinite(seconds):
            return None
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)

    def _no_answer(self, request: Request, why: str) -> OutcomeUnknown | Unavailable:
        if request.writes:
            return OutcomeUnknown(f"{request.operation}: it may have taken effect ({why})")
        return Unavailable(f"{request.operation}: no usable answer ({why})")


class _Broken(Exception):
    """A connection that broke under a write; no error of aiohttp, which would send it again."""

    def __init__(self, why: aiohttp.ClientError) -> None:
        super().__init__(str(why))
        self.why = why


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT or DELETE a second time when its connection broke: a purchase
    is a PUT at one carrier, and the first may have been carried out.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broken(error) from error


class _TooLarge(Exception):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the answer is larger than {limit_bytes} bytes")


def describe(answer: Answer) -> str:
    """Status, code, message and request ids of an error answer, scrubbed and capped."""
    content = answer.json()
    error = content.get("error") if isinstance(content, dict) else None
    parts = [str(answer.status)]
    inner: Any = None
    if isinstance(error, dict):
        said = ", ".join(str(error[key]) for key in ("code", "message") if error.get(key))
        parts += [scrub(said, limit_characters=_SAID_CHARACTERS)] if said else []
        inner = error.get("innerError")
    for name in ("request-id", "client-request-id"):
        value = answer.headers.get(name)
        if value is None and isinstance(inner, dict):
            value = inner.get(name)
        # Not scrubbed: support asks for these ids, and digits in them look like a number.
        if isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def _outcome(answer: Answer) -> str:
    if answer.ok:
        return "ok"
    if answer.status in (401, 403):
        return "authentication"
    return "refused"


def _kind(error: Exception) -> str:
    """What went wrong, without the address: that is for the caller to say."""
    if isinstance(error, _TooLarge):
        return str(error)
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return scrub(f"certificate not trusted: {error.certificate_error}")
    if isinstance(error, OSError) and error.strerror:
        return scrub(error.strerror)
    return type(error).__name__
