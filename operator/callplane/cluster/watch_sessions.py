"""The HTTP session that Kopf's watches run over: our credentials, so that none are copied into
files.

Called by `controller.watching` when Kopf logs in. A projected token rotates, so the header is set
for each request and not for the session.
"""

from __future__ import annotations

import aiohttp

import callplane
from callplane.cluster.credentials import ClusterConnection


def open_session(connection: ClusterConnection) -> aiohttp.ClientSession:
    """A session for watches: no total time-out, no proxies, the token of the moment."""

    async def authorise(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        value = await connection.tokens.authorization()
        if value is not None:
            request.headers["Authorization"] = value
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=connection.tls or True),
        headers={"User-Agent": f"callplane-watch/{callplane.__version__}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(authorise,),
        trust_env=False,
    )
