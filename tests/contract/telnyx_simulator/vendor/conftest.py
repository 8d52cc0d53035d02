"""Telnyx's contract and a simulated account whose every answer is held against it."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.testing.asgi_calls import Answer
from callplane.testing.carrier_desk import CarrierDesk, open_carrier
from callplane.testing.manual_clock import ManualClock

_FORMATS = oas31_format_checker


@functools.cache
def contract() -> dict[str, Any]:
    path = Path(os.environ["CALLPLANE_CONTRACTS"]) / "telnyx.yaml"
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


class Judge:
    """Holds requests and answers against the contract, by method and path."""

    def __init__(self) -> None:
        self._components = contract()["components"]
        self.operations: dict[str, Any] = {}
        self._paths: list[tuple[re.Pattern[str], str, str]] = []
        for path, methods in contract()["paths"].items():
            pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
            for method, operation in methods.items():
                if method != "parameters":
                    self.operations[operation["operationId"]] = operation
                    self._paths.append((pattern, method.upper(), operation["operationId"]))
        # A path without a name in it goes before one that has.
        self._paths.sort(key=lambda entry: entry[0].pattern.count("[^/]+"))

    def operation(self, method: str, path: str) -> str:
        """The id of the operation of a request."""
        for pattern, known, operation_id in self._paths:
            if known == method and pattern.fullmatch(path):
                return operation_id
        raise AssertionError(f"the contract has no {method} {path}")

    def check(self, operation_id: str, answer: Answer) -> None:
        """Fail unless the contract has an answer of this status and this shape."""
        responses = self.operations[operation_id]["responses"]
        assert str(answer.status) in responses, f"{operation_id} has no answer {answer.status}"
        content = self._resolved(responses[str(answer.status)]).get("content")
        if content is None:
            return
        problems = self.problems(content["application/json"]["schema"], answer.document)
        assert problems == [], f"{operation_id}: {problems}"

    def check_body(self, operation_id: str, body: object) -> None:
        """Fail unless the contract takes a body of a request."""
        found = self._resolved(self.operations[operation_id].get("requestBody", {}))
        if "content" in found:
            problems = self.problems(found["content"]["application/json"]["schema"], body)
            assert problems == [], f"{operation_id}: {problems}"

    def problems(self, schema: Any, document: object) -> list[str]:
        """What is wrong with a document."""
        validator = OAS31Validator(
            {**schema, "components": self._components}, format_checker=_FORMATS
        )
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(document)
        ]

    def _resolved(self, found: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in found:
            target: Any = contract()
            for part in found["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            found = target
        return found


class Visitor:
    """Calls the simulated account; requests and answers are judged on the way."""

    def __init__(self, desk: CarrierDesk, judge: Judge) -> None:
        self.desk = desk
        self.judge = judge
        self.visited: dict[str, set[int]] = {}

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The document of an answer, as good or bad as it is."""
        operation_id = self.judge.operation(method, path)
        answer = await self.desk.request(method, path, body, **query)
        if body is not None and answer.status < 400:
            self.judge.check_body(operation_id, body)
        self.judge.check(operation_id, answer)
        self.visited.setdefault(operation_id, set()).add(answer.status)
        return answer.document


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()


@pytest.fixture
def visitor(judge: Judge) -> Visitor:
    clock = ManualClock()
    seed = WorldSeed(
        ranges=(
            RangeSeed("+442079460000", 10),
            RangeSeed("+441614960000", 3, owner=DEFAULT_ACCOUNT),
        )
    )
    desk = open_carrier(
        TelnyxWorld(clock=clock, seed=seed),
        TelnyxSurface(),
        clock=clock,
        headers={"authorization": f"Bearer {DEFAULT_SECRET}"},
    )
    return Visitor(desk, judge)
