"""Settings of the processes, from the environment (`CALLPLANE_…`) or from arguments; nothing else
reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callplane.errors import CallplaneError

PREFIX = "CALLPLANE_"
# One Lease for all operators of a cluster, in the namespace of the settings.
LEASE_NAME = "callplane-operator"


class ProcessSettings(BaseModel):
    """What settings of every process have in common: where they come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read `CALLPLANE_<FIELD>`; fields that are lists are separated by commas.

        Raises CallplaneError with every reason, each by its variable and never by its value.
        """
        values: dict[str, object] = {}
        for name, field in cls.model_fields.items():
            text = environment.get(PREFIX + name.upper())
            if text is not None:
                is_list = get_origin(field.annotation) is tuple
                values[name] = tuple(filter(None, text.split(","))) if is_list else text
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = [
                f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()
            ]
            raise CallplaneError("; ".join(wrong)) from None


class OperatorSettings(ProcessSettings):
    """How the operator runs. Times are seconds."""

    database_url: str = Field(
        default="",
        description="PostgreSQL of the number register; file:///PATH is read for each session.",
    )
    namespace: str = Field(default="default", description="Namespace of the operator's Lease.")
    identity: str = Field(default="", description="Name of this process in the Lease; unique.")
    workers: int = Field(default=32, ge=1, le=1000, description="Passes that run at one time.")
    heartbeat_stale_seconds: float = Field(
        default=300.0, description="Age at which another installation's connection may be taken."
    )
    lease_seconds: float = Field(default=30.0, description="Duration of the Lease.")
    renew_deadline_seconds: float = Field(default=20.0, description="When renewing gives up.")
    write_timeout_seconds: float = Field(default=8.0, description="Longest a write may take.")
    unknown_outcome_seconds: float = Field(
        default=30.0, description="How long a write without an answer may still take effect."
    )
    operation_deadline_seconds: float = Field(
        default=600.0, description="After this an unfinished order is judged by what is there."
    )
    operation_poll_seconds: float = Field(default=1.0, description="First pause between polls.")
    bulk_operations: int = Field(
        default=50, description="Above this many open orders, listings are read instead of orders."
    )
    sweep_seconds: float = Field(default=600.0, description="Pause between sweeps of the cache.")
    checkpoint_seconds: float = Field(
        default=3600.0, description="Pause between checkpoints of the register's history."
    )
    checkpoint_file: str = Field(
        default="", description="File to which checkpoints are appended, beside the log."
    )
    probe_port: int = Field(
        default=8080, description="Port of /healthz, /readyz and /metrics; 0 = none."
    )
    probe_host: str = Field(default="127.0.0.1", description="Address of that port.")
    token_folders: tuple[str, ...] = Field(
        default=("/var/run/secrets/azure/tokens",),
        description="Folders in which a tenant may name a federated token file.",
    )
    federated_token_file: str = Field(
        default="", description="The operator's own federated token (AZURE_FEDERATED_TOKEN_FILE)."
    )
    redact_days: int = Field(
        default=0, ge=0, description="Age at which calls lose their digits; 0 = never."
    )
    show_numbers: bool = Field(default=False, description="Full numbers in logs and events.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """As of every process; Azure's own variable names the token file where ours does not."""
        token_file = environment.get("AZURE_FEDERATED_TOKEN_FILE")
        given = {PREFIX + "FEDERATED_TOKEN_FILE": token_file} if token_file else {}
        return super().from_environment({**given, **environment})


class CallControlSettings(ProcessSettings):
    """How call control runs. Times are seconds."""

    database_url: str = Field(
        default="",
        description="PostgreSQL of the tables and the books, as call control's role; or file:///PATH.",
    )
    listen_url: str = Field(
        default="",
        description="The same straight to the server, where database_url goes to a pooler.",
    )
    sbcs: tuple[str, ...] = Field(
        default=(), description="Addresses of SBCs' evapi, HOST:PORT; loopback unless tunnelled."
    )
    spools: tuple[str, ...] = Field(
        default=(), description="Spool files of these SBCs in the same order, where they are here."
    )
    spool_hours: float = Field(
        default=72.0,
        ge=1,
        description="How long a spool keeps records that were taken, to take them again.",
    )
    rpc_sockets: tuple[str, ...] = Field(
        default=(), description="Their local sockets in the same order, to show them as metrics."
    )
    certificates: tuple[str, ...] = Field(
        default=(), description="Their certificates in the same order; a renewed one is loaded."
    )
    source: str = Field(
        default="sbc", description="Name of these SBCs in the books; another for each group."
    )
    http_host: str = Field(default="127.0.0.1", description="Address of the HTTP endpoint.")
    http_port: int = Field(default=0, description="Port of the HTTP endpoint; 0 = none.")
    outside_lines: tuple[str, ...] = Field(
        default=(),
        description="PEER=DIGITS: what callers of a peer dial to get out; PbxTrunks say it too.",
    )
    phones_outside_line: str = Field(
        default="", description="What phones dial to get out, as the SBC's values say."
    )
    poll_seconds: float = Field(
        default=10.0, gt=0, description="Longest time between two looks at the tables."
    )
    reap_seconds: float = Field(
        default=60.0, gt=0, description="Pause between looks for reservations whose time is over."
    )
    drain_seconds: float = Field(
        default=5.0, ge=0, description="How long a stop waits for records to be taken."
    )
    sessions: int = Field(default=16, ge=2, le=200, description="Sessions with the database.")
    probe_host: str = Field(default="127.0.0.1", description="Address of the probes.")
    probe_port: int = Field(
        default=8081, description="Port of /healthz, /readyz and /metrics; 0 = none."
    )
    show_numbers: bool = Field(default=False, description="Full numbers in logs.")


class ApiSettings(ProcessSettings):
    """How the admin API runs. Times are seconds."""

    database_url: str = Field(
        default="",
        description="PostgreSQL of register and books, as the API's role; or file:///PATH.",
    )
    api_host: str = Field(
        default="",
        description="Address of the API; without a certificate loopback only, which is the default "
        "then.",
    )
    api_port: int = Field(default=8443, ge=0, le=65535, description="Port of the API.")
    tls_certificate: str = Field(
        default="", description="File of the API's certificate and what signed it, PEM."
    )
    tls_key: str = Field(default="", description="File of the certificate's key, PEM.")
    audience: str = Field(
        default="callplane-api", min_length=1, description="Audience that tokens must be made for."
    )
    installation: str = Field(
        default="", description="Id of the cluster; asked of its kube-system when left out."
    )
    oidc_issuer: str = Field(
        default="", description="Issuer of people's tokens, besides the cluster's own."
    )
    oidc_audience: str = Field(
        default="", description="Audience of the issuer's tokens; `audience` when left out."
    )
    oidc_user_claim: str = Field(default="sub", description="Claim with the name of a user.")
    oidc_groups_claim: str = Field(default="groups", description="Claim with groups.")
    oidc_prefix: str = Field(
        default="oidc:", min_length=1, description="Put before names and groups of the issuer."
    )
    oidc_algorithms: tuple[str, ...] = Field(
        default=("ES256", "RS256"), description="Signatures that count."
    )
    oidc_ca_file: str = Field(default="", description="Authority of the issuer's certificate, PEM.")
    request_seconds: float = Field(default=15.0, gt=0, description="Longest a request may take.")
    failed_attempts: int = Field(
        default=20, ge=1, description="Failed sign-ins of one address before it has to wait."
    )
    failed_attempt_seconds: float = Field(
        default=3.0, gt=0, description="After this, one more failed sign-in is forgiven."
    )
    sessions: int = Field(default=8, ge=2, le=200, description="Sessions with the database.")
    pod_name: str = Field(default="", description="Pod that Events are about.")
    pod_uid: str = Field(default="", description="UID of that pod.")
    namespace: str = Field(default="", description="Namespace of that pod.")
    probe_host: str = Field(default="127.0.0.1", description="Address of the probes.")
    probe_port: int = Field(
        default=8082, description="Port of /healthz, /readyz and /metrics; 0 = none."
    )
    show_numbers: bool = Field(
        default=False, description="Full numbers for those who may see them."
    )
