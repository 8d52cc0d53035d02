"""The kubectl binary, told to use one kubeconfig and nothing of the user's own.

Called by `control_plane`, `lifecycle` and tests.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import processes
from callplane.sandbox.failures import SandboxError

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A kubectl for one cluster and one user."""

    program: Path
    kubeconfig: Path

    def __call__(
        self,
        *arguments: str,
        stdin: str | None = None,
        check: bool = True,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl. Raises SandboxError with its message when `check` and it fails."""
        answer = subprocess.run(
            [*self.command(), *arguments],
            input=stdin,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if check and answer.returncode != 0:
            raise SandboxError(f"kubectl {' '.join(arguments)}: {answer.stderr.strip()}")
        return answer

    def command(self) -> list[str]:
        """The program and the options that every call needs."""
        cache = self.kubeconfig.parent / "kubectl-cache"
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={cache}"]

    def environment(self) -> dict[str, str]:
        """The environment for it: without the user's kubeconfig and kubectl preferences."""
        return processes.child_environment({"KUBERC": "off"})
