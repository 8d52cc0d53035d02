"""The server speaks TLS where there is a certificate, and takes a renewed one."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from callplane.clock import SystemClock
from callplane.sandbox.certificates import Authority
from callplane.server.front_door import HEAD_LIMIT_BYTES
from callplane.server.metrics import ApiMetrics
from callplane.server.serving import (
    Certificate,
    CertificateProblem,
    ImpatientProtocol,
    serving,
)

LENGTH = (b"content-length", b"5")


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [LENGTH]})
    await send({"type": "http.response.body", "body": b"hello"})


@asynccontextmanager
async def asked(port: int, content: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Any]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    try:
        writer.write(content)
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def test_it_answers_until_the_block_ends() -> None:
    async with serving(application, "127.0.0.1", 0) as port:
        async with asked(port, REQUEST) as (reader, _):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"hello")
        # It names no program and no version.
        assert b"server:" not in answer.lower()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_head_without_end_is_cut_off() -> None:
    async with serving(application, "127.0.0.1", 0) as port:
        begun = b"GET / HTTP/1.1\r\nHost: x\r\nX-Much: "
        async with asked(port, begun + b"y" * (HEAD_LIMIT_BYTES + 1024)) as (reader, _):
            answer = await reader.readline()
    assert answer.split()[1] in (b"400", b"431")


async def test_whoever_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImpatientProtocol, "head_seconds", 0.1)
    async with serving(application, "127.0.0.1", 0) as port:
        for begun in (b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Much: "):
            async with asked(port, begun) as (reader, _):
                assert await reader.read() == b""
        # A second request that is only begun is not waited for either.
        kept = REQUEST.replace(b"Connection: close\r\n", b"")
        async with asked(port, kept + b"GET / HT") as (reader, _):
            assert (await reader.read()).count(b"hello") == 1


async def test_whoever_waits_for_an_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImpatientProtocol, "head_seconds", 0.05)

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(None, waited.wait, 0.3)
        await application(scope, receive, send)

    waited = threading.Event()
    async with serving(slow, "127.0.0.1", 0) as port, asked(port, REQUEST) as (reader, _):
        assert (await reader.read()).endswith(b"hello")


def written(folder: Path, authority: Authority) -> tuple[Path, Path]:
    """A new certificate for localhost in the same files, seen as newer than before."""
    chain, key = folder / "tls.crt", folder / "tls.key"
    age = chain.stat().st_mtime if chain.exists() else 0.0
    for each in (chain, key):
        each.unlink(missing_ok=True)
    authority.serving("localhost", now=SystemClock().now()).write(chain, key)
    for each in (chain, key):
        os.utime(each, (age + 10, age + 10))
    return chain, key


def trusting(*authorities: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        context.load_verify_locations(cadata=authority.pair.certificate.decode())
    return context


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    now = SystemClock().now()
    first, second = (Authority.create(name, now=now) for name in ("first", "second"))
    certificate = Certificate(*written(tmp_path, first))
    async with serving(application, "127.0.0.1", 0, certificate) as port:
        async with asked(port, REQUEST, trusting(first)) as (reader, _):
            assert (await reader.read()).endswith(b"hello")
        assert certificate.refresh() is False
        written(tmp_path, second)
        assert certificate.refresh() is True
        async with asked(port, REQUEST, trusting(second)) as (reader, _):
            assert (await reader.read()).endswith(b"hello")
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting(first), server_hostname="localhost"
            )


@pytest.mark.parametrize("broken", ["certificate", "key"])
async def test_a_renewal_that_cannot_be_used_leaves_what_was_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    authority = Authority.create("first", now=SystemClock().now())
    chain, _ = written(tmp_path, authority)
    certificate = Certificate(chain, tmp_path / "tls.key")
    if broken == "certificate":
        chain.write_text("no certificate")
    else:
        authority.serving("localhost", now=SystemClock().now()).write(
            tmp_path / "unused.crt", tmp_path / "tls.key"
        )
        os.utime(tmp_path / "tls.key", (5, 5))
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 1:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await certificate.keep_fresh(pause)
    assert "the certificate is not renewed" in caplog.text
    async with (
        serving(application, "127.0.0.1", 0, certificate) as port,
        asked(port, REQUEST, trusting(authority)) as (reader, _),
    ):
        assert (await reader.read()).endswith(b"hello")


def test_the_end_of_the_certificate_that_is_used_is_shown(tmp_path: Path) -> None:
    metrics = ApiMetrics()

    def ends() -> float | None:
        labels = {"certificate": "admin-api"}
        return metrics.registry.get_sample_value(
            "callplane_certificate_ends_timestamp_seconds", labels
        )

    # Where there is no certificate, none ends.
    assert ends() is None
    authority = Authority.create("first", now=SystemClock().now())
    chain, key = written(tmp_path, authority)
    certificate = Certificate(chain, key, metrics.certificate)
    assert (
        ends() == x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc.timestamp()
    )
    chain.write_text("no certificate")
    with pytest.raises(CertificateProblem):
        certificate.refresh()
    assert ends()


def test_files_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CertificateProblem, match=r"tls\.crt.*No such file"):
        Certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
