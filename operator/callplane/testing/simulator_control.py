"""The way to steer a simulator from a test; see `callplane.sandbox.simulator_control`."""

from __future__ import annotations

from callplane.sandbox.simulator_control import SimulatorControl, SimulatorRefused

__all__ = ["SimulatorControl", "SimulatorRefused"]
