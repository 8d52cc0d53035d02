"""Jobs on numbers: what was asked and how far it has come. Behaviour lies in `number_jobs`."""

from __future__ import annotations

from dataclasses import dataclass, field

from callplane.simulators.faults import FaultRule


@dataclass(slots=True)
class Job:
    """A job of the kind `manageNumbers`. `status` and `exit_code` are Webex's words."""

    id: str
    operation: str
    source_location_id: str
    target_location_id: str | None
    numbers: tuple[str, ...]
    by: str
    created: str
    usage_type: str | None = None
    strikes: list[FaultRule] = field(default_factory=list)
    status: str = "STARTING"
    exit_code: str = "UNKNOWN"
    done: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    """Number, batch code, text."""
    is_paused: bool = False
    due: float = 0.0

    @property
    def is_open(self) -> bool:
        """True until the job has ended, one way or another."""
        return self.exit_code == "UNKNOWN"

    def document(self, organisation_id: str) -> dict[str, object]:
        """As Webex shows it."""
        moved = self.operation == "MOVE"
        step = "COMPLETED_WITH_ERRORS" if self.failures else self.exit_code
        return {
            "id": self.id,
            "name": "manageNumbers",
            "jobType": "manageNumbers",
            "trackingId": f"JOB_{self.id[-12:]}",
            "sourceUserId": self.by,
            "sourceCustomerId": organisation_id,
            "targetCustomerId": organisation_id,
            "instanceId": 1,
            "jobExecutionStatus": [
                {
                    "id": 1,
                    "stepExecutionStatuses": [
                        {
                            "id": 1,
                            "statusMessage": self.status,
                            "exitCode": step,
                            "name": "moveNumbers" if moved else "changeUsage",
                            "timeElapsed": "PT1S",
                        }
                    ],
                    "lastUpdated": self.created,
                    "statusMessage": self.status,
                    "exitCode": self.exit_code,
                    "createdTime": self.created,
                    "timeElapsed": "PT1S",
                }
            ],
            "latestExecutionStatus": self.status,
            "latestExecutionExitCode": self.exit_code,
            "operationType": self.operation,
            "sourceLocationId": self.source_location_id,
            "targetLocationId": self.target_location_id,
            "counts": {
                "totalNumbers": len(self.numbers),
                "numbersDeleted": 0,
                "numbersMoved": self.done if moved else 0,
                "numbersUsageChanged": 0 if moved else self.done,
                "numbersFailed": len(self.failures),
            },
        }
