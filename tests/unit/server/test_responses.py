"""What the API answers is what its document says, and the committed document is what it serves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from callplane.server import generate
from callplane.server.application import document
from callplane.testing.admin_api_contract import all_paths

ROOT = Path(__file__).parents[3]
DOCUMENT = document()


def described(path: str) -> tuple[str, dict[str, Any]]:
    """The path of the document that a request's path is of."""
    bare = path.partition("?")[0]
    for template, entry in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), bare):
            return template, entry["get"]
    raise AssertionError(f"{path} is not in the document")


def complaints(operation: dict[str, Any], status: int, media: str, body: Any) -> list[str]:
    content = operation["responses"][str(status)]["content"]
    assert list(content) == [media]
    schema = {**content[media]["schema"], "components": DOCUMENT["components"]}
    return [error.message for error in OAS31Validator(schema).iter_errors(body)]


@pytest.mark.parametrize("path", all_paths())
async def test_answers_are_as_described(api: Any, path: str) -> None:
    _, operation = described(path)
    answer = await api.get(path, "everything")
    assert answer.status == 200
    body = json.loads(answer.body)
    assert complaints(operation, 200, "application/json", body) == []
    assert not isinstance(body.get("items"), list) or body["items"] != []
    for who, status in (("no-rights", 403), ("no-token", 401)):
        answer = await api.get(path, who)
        assert answer.status == status
        problem = json.loads(answer.body)
        assert complaints(operation, status, "application/problem+json", problem) == []
    # A field more, or one less, would be noticed.
    for wrong in ({**body, "more": 1}, dict(list(body.items())[1:])):
        assert complaints(operation, 200, "application/json", wrong) != []


def test_every_route_of_the_document_is_tried() -> None:
    assert {described(path)[0] for path in all_paths()} == set(DOCUMENT["paths"])


def test_every_operation_needs_a_token_and_is_a_get() -> None:
    assert DOCUMENT["security"] == [{"token": []}]
    for entry in DOCUMENT["paths"].values():
        assert list(entry) == ["get"]
        assert "422" not in entry["get"]["responses"]
    names = [entry["get"]["operationId"] for entry in DOCUMENT["paths"].values()]
    assert len(set(names)) == len(names)


def test_the_committed_document_is_fresh(tmp_path: Path) -> None:
    assert generate.main(["--check", f"--root={ROOT}"]) == 0
    assert generate.main(["--check", f"--root={tmp_path}"]) == 1
    assert generate.main([f"--root={tmp_path}"]) == 0
    assert generate.main(["--check", f"--root={tmp_path}"]) == 0


async def test_the_document_is_served(api: Any) -> None:
    answer = await api.get("/openapi.json", "no-token")
    assert json.loads(answer.body) == DOCUMENT
