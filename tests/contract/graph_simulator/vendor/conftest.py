"""The vendor's contract and a simulated tenant whose every answer is held against it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from callplane.testing.asgi_calls import Answer
from callplane.testing.graph_desk import GraphDesk, open_desk


@functools.cache
def contract() -> dict[str, Any]:
    path = Path(os.environ["CALLPLANE_CONTRACTS"]) / "graph.yaml"
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


class Judge:
    """Holds requests and answers against the contract, by operation id."""

    def __init__(self) -> None:
        self._components = contract()["components"]
        self.operations: dict[str, Any] = {
            operation["operationId"]: operation
            for path in contract()["paths"].values()
            for operation in path.values()
        }

    def check(self, operation_id: str, answer: Answer) -> None:
        """Fail unless the contract has an answer of this status and this shape."""
        responses = self.operations[operation_id]["responses"]
        found = responses.get(str(answer.status)) or responses.get(f"{answer.status // 100}XX")
        assert found is not None, f"{operation_id} has no answer {answer.status}"
        if "$ref" in found:
            found = self._components["responses"][found["$ref"].rpartition("/")[2]]
        for header in found.get("headers", {}):
            assert header == "Retry-After" or header.lower() in answer.headers
        content = found.get("content")
        if content is None:
            assert answer.body == b""
            return
        problems = self._problems(content["application/json"]["schema"], answer.document)
        assert problems == [], f"{operation_id}: {problems}"

    def accepts(self, operation_id: str, body: object) -> bool:
        """Whether the contract takes a body of a request."""
        content = self.operations[operation_id]["requestBody"]["content"]
        return not self._problems(content["application/json"]["schema"], body)

    def _problems(self, schema: Any, document: object) -> list[str]:
        validator = OAS30Validator({**schema, "components": self._components})
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(document)
        ]


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()


@pytest.fixture
def desk() -> GraphDesk:
    desk = open_desk()
    # The contract knows the enum members of the metadata only; the samples' casing is a setting.
    desk.settings(health_in_pascal_case=False)
    return desk
