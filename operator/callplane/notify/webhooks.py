"""One POST to a receiver of notices, signed, sent once; what can be said of it afterwards.

    2xx                          Delivered
    any other answer             Refused     the receiver says that it did not take it
    the request never left       Refused     nothing was sent
    no answer, or a broken one   Unknown     it may have been taken, and is not sent again

`Callplane-Signature: t=<seconds since the epoch>, v1=<hex>` is HMAC-SHA256 over the time, a full
stop and the body, so that a receiver can tell who sent it and that nobody plays it again. No
redirect is followed, and no proxy is taken from the environment.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import aiohttp

TIMEOUT_SECONDS: Final = 10.0
SIGNATURE: Final = "Callplane-Signature"
DELIVERY: Final = "Callplane-Delivery"


class SendOutcome(Enum):
    """What became of one POST."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """`delivery_id` is the same however often it is tried; `content` becomes JSON."""

    url: str
    delivery_id: str
    content: Mapping[str, Any]
    secret: bytes


def signature(secret: bytes, body: bytes, *, at_seconds: int) -> str:
    """The value of the header, for senders and for receivers to compare with.

    Each line of the secret is a key and gives a signature, so that a receiver who knows one of them
    is served while the key changes.
    """
    signed = f"{at_seconds}.".encode() + body
    keys = [line for line in secret.splitlines() if line] or [secret]
    made = [f"v1={hmac.new(key, signed, hashlib.sha256).hexdigest()}" for key in keys]
    return ", ".join([f"t={at_seconds}", *made])


class WebhookSender:
    """Sends over one session. Close it on the event loop that used it."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            connector=aiohttp.TCPConnector(ssl=context or True),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._session.close()

    async def send(self, message: WebhookMessage, *, at_seconds: int) -> SendOutcome:
        """POST once. An answer's body is not read: there is nothing in it for us."""
        body = json.dumps(message.content, sort_keys=True).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "callplane",
            SIGNATURE: signature(message.secret, body, at_seconds=at_seconds),
            DELIVERY: message.delivery_id,
        }
        try:
            async with self._session.post(
                message.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                good = answer.status // 100 == 2
                return SendOutcome.DELIVERED if good else SendOutcome.REFUSED
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL):
            return SendOutcome.REFUSED
        except (TimeoutError, aiohttp.ClientError, OSError):
            return SendOutcome.UNKNOWN
