"""Jobs move numbers one job at a time, and say COMPLETED although some failed."""

from __future__ import annotations

from typing import Any

from callplane.testing.webex_desk import FIRST, HELD, LONDON_MAIN, SECOND, WebexDesk

PATH = "telephony/config/jobs/numbers/manageNumbers"
THIRD = "+442079460003"


async def move(desk: WebexDesk, numbers: list[str], *, to: str = "Second") -> Any:
    source = desk.ids["London"]
    target = next(
        (row.id for row in desk.organisation.locations.rows() if row.name == to), "nowhere"
    )
    body = {
        "operation": "MOVE",
        "targetLocationId": target,
        "numberList": [{"locationId": source, "numbers": numbers}],
    }
    return await desk.send("POST", PATH, body)


async def second_london(desk: WebexDesk) -> str:
    """Another location on the same kind of PSTN."""
    address = {"address1": "2", "city": "Second", "postalCode": "AB1", "country": "GB"}
    body = {
        "name": "Second",
        "timeZone": "Europe/London",
        "preferredLanguage": "en_gb",
        "address": address,
    }
    key: str = (await desk.send("POST", "locations", body)).document["id"]
    await desk.send("POST", "telephony/config/locations", {"id": key})
    trunk = next(iter(desk.organisation.trunks))
    route = {"premiseRouteType": "TRUNK", "premiseRouteId": trunk}
    await desk.send("PUT", f"telephony/pstn/locations/{key}/connection", route)
    return key


async def test_a_move_takes_its_time_and_another_has_to_wait(desk: WebexDesk) -> None:
    target = await second_london(desk)
    desk.settings(job_seconds=60.0)
    started = await move(desk, [FIRST])
    busy = await move(desk, [SECOND])
    job = f"{PATH}/{started.document['id']}"
    running = (await desk.get(job)).document
    desk.clock.advance(60)
    ended = (await desk.get(job)).document

    assert [started.status, busy.status] == [201, 409]
    assert running["latestExecutionExitCode"] == "UNKNOWN"
    assert (ended["latestExecutionExitCode"], ended["counts"]["numbersMoved"]) == ("COMPLETED", 1)
    assert (await desk.number(FIRST))["location"]["id"] == target
    assert (await move(desk, [SECOND])).status == 201
    jobs = (await desk.get(PATH)).document["items"]
    assert [each["latestExecutionStatus"] for each in jobs] == ["STARTING", "COMPLETED"]


async def test_completed_does_not_mean_moved(desk: WebexDesk) -> None:
    await second_london(desk)
    desk.portal.set_number_state(SECOND, "INACTIVE")
    job = (await move(desk, [FIRST, SECOND, HELD, LONDON_MAIN])).document
    errors = (await desk.get(f"{PATH}/{job['id']}/errors")).document["items"]

    assert job["latestExecutionExitCode"] == "COMPLETED"
    assert (job["counts"]["numbersMoved"], job["counts"]["numbersFailed"]) == (1, 3)
    assert {each["item"]: each["error"]["message"][0]["code"] for each in errors} == {
        SECOND: "BATCH-1017021",
        HELD: "BATCH-1017023",
        LONDON_MAIN: "BATCH-1017024",
    }


async def test_jobs_are_refused_in_a_shape_of_their_own(desk: WebexDesk) -> None:
    answers = [
        (await move(desk, [FIRST], to="Leeds"), "BATCH-1017022"),
        (await move(desk, [FIRST], to="nowhere"), "BATCH-1017027"),
        (await move(desk, ["12"], to="Leeds"), "BATCH-1017017"),
    ]
    await second_london(desk)
    desk.settings(moves_one_number_a_job=True)
    answers.append((await move(desk, [FIRST, SECOND]), "BATCH-1017031"))

    for answer, code in answers:
        assert answer.status == 400
        assert answer.document["error"]["message"][0]["code"] == code
        assert answer.document["trackingId"].startswith("ROUTER_")
    assert (await move(desk, [FIRST])).status == 201


async def test_jobs_fail_in_part_and_as_a_whole(desk: WebexDesk) -> None:
    await second_london(desk)
    desk.fault(effect="order-partial", kinds=["startNumberJob"], times=1)
    partial = (await move(desk, [FIRST, SECOND])).document
    desk.fault(effect="order-fails", kinds=["startNumberJob"], times=1)
    failed = (await move(desk, [FIRST, THIRD])).document

    assert partial["counts"]["numbersFailed"] == 1
    assert partial["latestExecutionExitCode"] == "COMPLETED"
    assert failed["counts"]["numbersMoved"] == 0
    assert failed["latestExecutionExitCode"] == "COMPLETED_WITH_ERRORS"


async def test_a_job_is_paused_and_resumed(desk: WebexDesk) -> None:
    await second_london(desk)
    desk.settings(job_seconds=10.0)
    job = f"{PATH}/{(await move(desk, [FIRST])).document['id']}"
    paused = await desk.send("POST", f"{job}/actions/pause/invoke")
    desk.clock.advance(20)
    waiting = (await desk.get(job)).document
    resumed = await desk.send("POST", f"{job}/actions/resume/invoke")

    assert [paused.status, resumed.status] == [204, 204]
    assert waiting["latestExecutionStatus"] == "PAUSED"
    assert (await desk.get(job)).document["latestExecutionExitCode"] == "COMPLETED"
    assert (await desk.send("POST", f"{job}/actions/pause/invoke")).status == 409


async def test_the_use_of_numbers_is_changed(desk: WebexDesk) -> None:
    body = {
        "operation": "NUMBER_USAGE_CHANGE",
        "numberUsageType": "SERVICE",
        "numberList": [{"locationId": desk.ids["London"], "numbers": [FIRST]}],
    }
    job = (await desk.send("POST", PATH, body)).document

    assert job["counts"]["numbersUsageChanged"] == 1
    assert (await desk.number(FIRST))["isServiceNumber"] is True
