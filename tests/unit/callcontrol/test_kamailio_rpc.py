"""Asking a running SBC over its socket: an answer, a no, or nobody."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callplane.callcontrol.kamailio_rpc import KamailioRpc, RpcError


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """A socket that gives one answer to whoever asks."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(5)

        def serve() -> None:
            request, sender = server.recvfrom(65536)
            heard.append(request)
            server.sendto(answer, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join()


def test_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"
    with answering(path, b'{"jsonrpc":"2.0","id":1,"result":{"all":3}}') as heard:
        assert KamailioRpc(path).ask("dlg.stats_active", "a", 1) == {"all": 3}
    assert json.loads(heard[0])["method"] == "dlg.stats_active"
    assert json.loads(heard[0])["params"] == ["a", 1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"error":{"code":404,"message":"Method Not Found"}}', "Method Not Found"),
        (b"nonsense", "got no answer"),
    ],
)
def test_a_no(tmp_path: Path, answer: bytes, said: str) -> None:
    path = tmp_path / "rpc.sock"
    with answering(path, answer), pytest.raises(RpcError, match=said):
        KamailioRpc(path).ask("core.uptime")


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(RpcError, match="got no answer"):
        KamailioRpc(tmp_path / "rpc.sock").ask("core.uptime")


def test_somebody_is_there_and_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        with pytest.raises(RpcError, match="got no answer"):
            KamailioRpc(path, answer_seconds=0.1).ask("core.uptime")
