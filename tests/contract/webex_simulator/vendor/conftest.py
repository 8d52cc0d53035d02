"""The vendor's contracts and a simulated organisation whose every answer is held against them.

People and licences are held against the published OpenAPI; Calling against a contract derived from
the vendor's SDK, of which five operations follow the published one.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator, OAS31Validator

from callplane.testing.asgi_calls import Answer
from callplane.testing.webex_desk import WebexDesk, open_desk


@functools.cache
def admin() -> dict[str, Any]:
    path = Path(os.environ["CALLPLANE_CONTRACTS"]) / "webex-admin.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@functools.cache
def calling() -> dict[str, Any]:
    path = Path(os.environ["CALLPLANE_CONTRACTS"]) / "webex-calling.derived.yaml"
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


class Judge:
    """Holds requests and answers against the contracts, by `METHOD /path/{key}`."""

    def __init__(self) -> None:
        self.operations: dict[str, Any] = {}
        self._of: dict[str, tuple[dict[str, Any], Any]] = {}
        for contract, validator in ((admin(), OAS30Validator), (calling(), OAS31Validator)):
            for path, methods in contract["paths"].items():
                for method, operation in methods.items():
                    if isinstance(operation, dict) and "responses" in operation:
                        name = f"{method.upper()} {path}"
                        self.operations[name] = operation
                        self._of[name] = (contract["components"], validator)

    def check(self, name: str, answer: Answer) -> None:
        """Fail unless the contract has an answer of this status and this shape."""
        found = self.operations[name]["responses"].get(str(answer.status))
        assert found is not None, f"{name} has no answer {answer.status}"
        assert answer.headers["trackingid"]
        content = found.get("content")
        if not content:
            # The published contract says nothing about the bodies of refusals.
            assert answer.body == b"" or answer.status >= 400, name
            return
        problems = self._problems(name, content["application/json"]["schema"], answer.document)
        assert problems == [], f"{name}: {problems}"

    def accepts(self, name: str, body: object) -> bool:
        """Whether the contract takes a body of a request."""
        content = self.operations[name]["requestBody"]["content"]
        return not self._problems(name, content["application/json"]["schema"], body)

    def _problems(self, name: str, schema: Any, document: object) -> list[str]:
        components, validator = self._of[name]
        found = validator({**schema, "components": components}).iter_errors(document)
        return [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()


@pytest.fixture
def desk() -> WebexDesk:
    return open_desk()
