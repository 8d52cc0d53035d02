"""Jobs of the kind `manageNumbers`: numbers that move between locations or change their use.

One job at a time moves numbers. A job says COMPLETED although some of its numbers failed, as the
vendor's example does; only the counts are to be believed.
"""

from __future__ import annotations

from dataclasses import replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.jobs import Job
from callplane.simulators.webex.organisation import Organisation

_MOST_NUMBERS = 1000
_PAGE_SIZE = 200


def start_job(call: Call) -> Response:
    """POST jobs/numbers/manageNumbers."""
    organisation = call.organisation
    call.allow("operation", "numberList", "targetLocationId", "numberUsageType")
    operation = call.needed("operation")
    if operation not in ("MOVE", "NUMBER_USAGE_CHANGE"):
        raise refusals.job_refused("BATCH-1017027", "The operation is not supported.")
    source_id, numbers = _number_list(call)
    if any(job.is_open for job in organisation.jobs.values()):
        raise refusals.job_refused("BATCH-1017030", "Another job is running.", status=409)
    if len(numbers) > 1 and organisation.settings.moves_one_number_a_job:
        raise refusals.job_refused("BATCH-1017031", "Only a single number can be moved.")
    target_id, usage = call.text("targetLocationId"), call.text("numberUsageType")
    if operation == "MOVE":
        _check_move(organisation, source_id, target_id)
    elif usage not in ("NONE", "SERVICE"):
        raise refusals.job_refused("BATCH-1017027", "numberUsageType: NONE or SERVICE is wanted.")
    slow = call.strike(Effect.ORDER_SLOW)
    seconds = slow.seconds if slow is not None else organisation.settings.job_seconds
    job = Job(
        id=organisation.new_id("JOB_ID"),
        operation=operation,
        source_location_id=source_id,
        target_location_id=target_id,
        numbers=numbers,
        by=call.who,
        created=organisation.timestamp(),
        usage_type=usage,
        strikes=call.strikes,
        due=organisation.now() + seconds,
    )
    organisation.jobs[job.id] = job
    if seconds > 0:
        organisation.agenda.add(job.due, lambda due: _run(organisation, job, due))
    else:
        _run(organisation, job, job.due)
    return json_response(job.document(organisation.webex_id), status=201)


def list_jobs(call: Call) -> Response:
    """GET jobs/numbers/manageNumbers, newest first."""
    jobs = list(reversed(call.organisation.jobs.values()))
    size = call.whole("max", default=_PAGE_SIZE, largest=_PAGE_SIZE)
    shown, headers = calls.page(call, jobs, size=size)
    documents = [job.document(call.organisation.webex_id) for job in shown]
    return calls.listing(call, "items", documents, headers)


def get_job(call: Call) -> Response:
    """GET jobs/numbers/manageNumbers/{id}."""
    return json_response(_job(call).document(call.organisation.webex_id))


def list_errors(call: Call) -> Response:
    """GET jobs/numbers/manageNumbers/{id}/errors."""
    job = _job(call)
    items = [
        {
            "item": number,
            "itemNumber": index,
            "trackingId": f"JOB_{job.id[-12:]}_{index}",
            "errorType": "ERROR",
            "error": {"key": "400", "message": [{"description": text, "code": code}]},
        }
        for index, (number, code, text) in enumerate(job.failures)
    ]
    return json_response({"items": items})


def pause_job(call: Call) -> Response:
    """POST …/{id}/actions/pause/invoke."""
    job = _job(call)
    if not job.is_open:
        raise refusals.conflict("The job has ended.")
    job.is_paused, job.status = True, "PAUSED"
    return Response(204)


def resume_job(call: Call) -> Response:
    """POST …/{id}/actions/resume/invoke."""
    organisation, job = call.organisation, _job(call)
    if not job.is_paused:
        raise refusals.conflict("The job is not paused.")
    job.is_paused, job.status = False, "STARTED"
    if job.due <= organisation.now():
        _run(organisation, job, organisation.now())
    return Response(204)


def _number_list(call: Call) -> tuple[str, tuple[str, ...]]:
    lists = call.mappings("numberList") or []
    numbers: list[str] = []
    for each in lists:
        given = each.get("numbers")
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise refusals.job_refused("BATCH-1017017", "Invalid phone number.")
        numbers += given
    sources = {calls.text_of(each, "locationId") for each in lists}
    source = next(iter(sources), None)
    if not numbers or len(sources) != 1 or source is None:
        raise refusals.job_refused("BATCH-1017017", "numberList: numbers of one location.")
    if len(numbers) > _MOST_NUMBERS:
        raise refusals.job_refused("BATCH-1017017", f"At most {_MOST_NUMBERS} numbers.")
    for number in numbers:
        row = call.organisation.numbers.get(number)
        if row is None or row.location_id != source:
            raise refusals.job_refused("BATCH-1017017", f"Invalid phone number {number}.")
    return source, tuple(numbers)


def _check_move(organisation: Organisation, source_id: str, target_id: str | None) -> None:
    source = organisation.locations.get(source_id)
    target = organisation.locations.get(target_id or "")
    if source is None or target is None or not target.is_calling:
        raise refusals.job_refused("BATCH-1017027", "Unable to find the target location.")
    alike = (source.pstn_type, source.pstn_id, source.country)
    if alike != (target.pstn_type, target.pstn_id, target.country):
        raise refusals.job_refused("BATCH-1017022", "The locations have different providers.")


def _run(organisation: Organisation, job: Job, at: float) -> None:
    """Do the job now, unless it is paused or over."""
    if job.is_paused or not job.is_open:
        return
    broken = {rule.effect: rule.message for rule in job.strikes}
    for index, number in enumerate(job.numbers):
        failure = _obstacle(organisation, number)
        fails_all = Effect.ORDER_FAILS in broken
        if fails_all or (Effect.ORDER_PARTIAL in broken and index == 0):
            effect = Effect.ORDER_FAILS if fails_all else Effect.ORDER_PARTIAL
            failure = ("BATCH-1017027", broken[effect])
        if failure is not None:
            job.failures.append((number, *failure))
            continue
        _change(organisation, job, number, at)
        job.done += 1
    job.status = "FAILED" if Effect.ORDER_FAILS in broken else "COMPLETED"
    job.exit_code = "COMPLETED_WITH_ERRORS" if Effect.ORDER_FAILS in broken else "COMPLETED"


def _change(organisation: Organisation, job: Job, number: str, at: float) -> None:
    row = organisation.numbers.get(number)
    if row is None:
        return
    if job.operation == "MOVE" and job.target_location_id is not None:
        values = (row.location_id, job.target_location_id)
        organisation.changes.add(at, number, aspect="location", values=values, by=job.by)
        organisation.numbers.put(number, replace(row, location_id=job.target_location_id), at)
    else:
        fresh = replace(row, is_service=job.usage_type == "SERVICE")
        organisation.numbers.put(number, fresh, at)


def _obstacle(organisation: Organisation, number: str) -> tuple[str, str] | None:
    row = organisation.numbers.get(number)
    if row is None:
        return "BATCH-1017017", "Invalid phone number."
    if row.owner is not None:
        return "BATCH-1017023", "Not an unassigned number."
    if row.state != "ACTIVE":
        return "BATCH-1017021", "The number is inactive."
    location = organisation.locations.get(row.location_id)
    if location is not None and location.main_number == number:
        return "BATCH-1017024", "A main number cannot be moved."
    return None


def _job(call: Call) -> Job:
    job = call.organisation.jobs.get(call.keys["job"])
    if job is None:
        raise refusals.not_found("There is no such job.")
    return job
