"""What the SBC machines of both clouds have in common in their configurations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from callplane_stacks.configuration import Address4, Borders, Name, Part, Word

#: Addresses of a subnet that neither cloud gives away: the first four and the last.
RESERVED_FIRST = 4


class Certificates(Part):
    """Who issues the certificates, by ACME over DNS; Microsoft has to know the root."""

    directory: Annotated[str, Field(pattern=r"^https://")]
    email: Annotated[str, Field(pattern=r"^[^@\s']+@[^@\s']+$")]


class MachineInstance(Part):
    """One SBC on a machine: its names, its zone and the private address that it listens on.

    `drained` says that its last call has ended: only then may a changed machine be replaced.
    """

    name: Name
    host_name: str
    zone: str
    address: Address4
    drained: bool = False


class Machines(Borders):
    """The session border controllers and the machines they run on."""

    machine_type: Word
    disk_gib: Annotated[int, Field(ge=20)] = 40
    # Who may sign in from the networks of administrators, to drain an SBC.
    ssh_key: Annotated[str, Field(pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-\w+) \S+")]
    certificates: Certificates
    instances: tuple[MachineInstance, ...]
