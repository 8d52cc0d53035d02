"""What the register remembers of the cluster's side: the sequence an object has shown, and
approvals used.
"""

from __future__ import annotations

from dataclasses import replace

from callplane.store.ports import Commit, ConnectionRow, Register
from callplane.testing.register_builders import NOW, TENANT, gate_row, tenant_object


async def hold(register: Register, uid: str) -> ConnectionRow:
    held = await register.hold_connection(
        TENANT,
        declared_by=replace(tenant_object(), uid=uid),
        now=NOW,
        stale_after_seconds=300,
        new_epoch=True,
    )
    assert isinstance(held, ConnectionRow)
    return held


async def test_a_shown_sequence_is_kept_for_the_very_same_object_only(register: Register) -> None:
    held = await hold(register, "uid-1")
    await register.heartbeat(TENANT, epoch=held.epoch, now=NOW, mirrored=42)
    await register.heartbeat(TENANT, epoch=held.epoch, now=NOW)
    assert (await hold(register, "uid-1")).mirrored == 42
    assert (await hold(register, "uid-2")).mirrored == 0


async def test_the_past_of_a_change_comes_back_with_its_gate_row(register: Register) -> None:
    held = await hold(register, "uid-1")
    row = gate_row(1, used_approvals=("approval-1", "approval-2"), earlier_runs=(NOW,))
    await register.commit(TENANT, Commit(gate_rows=(row,)), epoch=held.epoch, now=NOW)
    assert (await register.load(TENANT)).gate_rows == (row,)
