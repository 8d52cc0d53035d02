"""Settings come from the environment under one prefix."""

from __future__ import annotations

import pydantic
import pytest

from callplane.settings import OperatorSettings


def test_fields_are_read_under_their_prefix() -> None:
    settings = OperatorSettings.from_environment(
        {
            "CALLPLANE_WORKERS": "4",
            "CALLPLANE_TOKEN_FOLDERS": "/a,/b",
            "AZURE_FEDERATED_TOKEN_FILE": "/a/token",
            "WORKERS": "9",
        }
    )
    assert settings.workers == 4
    assert settings.token_folders == ("/a", "/b")
    assert settings.federated_token_file == "/a/token"


def test_a_wrong_value_is_refused_by_name() -> None:
    with pytest.raises(pydantic.ValidationError, match="workers"):
        OperatorSettings.from_environment({"CALLPLANE_WORKERS": "many"})
