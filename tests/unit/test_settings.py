"""Settings come from the environment under one prefix."""

from __future__ import annotations

import pytest

from callplane.errors import CallplaneError
from callplane.settings import CallControlSettings, OperatorSettings


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
    with pytest.raises(
        CallplaneError, match=r"CALLPLANE_WORKERS: .*; CALLPLANE_PROBE_PORT: "
    ) as no:
        OperatorSettings.from_environment(
            {"CALLPLANE_WORKERS": "many", "CALLPLANE_PROBE_PORT": "secret"}
        )
    assert "many" not in str(no.value)
    assert "secret" not in str(no.value)


def test_lists_are_separated_by_commas_whatever_they_are_called() -> None:
    told = {"CALLPLANE_SBCS": "127.0.0.1:1,127.0.0.1:2", "CALLPLANE_SPOOLS": ""}
    settings = CallControlSettings.from_environment(told)
    assert (settings.sbcs, settings.spools) == (("127.0.0.1:1", "127.0.0.1:2"), ())


def test_our_variable_of_the_token_file_goes_before_that_of_azure() -> None:
    told = {"AZURE_FEDERATED_TOKEN_FILE": "/a", "CALLPLANE_FEDERATED_TOKEN_FILE": "/b"}
    assert OperatorSettings.from_environment(told).federated_token_file == "/b"
