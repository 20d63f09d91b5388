"""Clients as they are deployed, end to end; and what they do when things go wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.integration.nmvs.rest_deployed_clients import (
    ACTIVE,
    SUPPLIED,
    HospitalClient,
    LibraryOfflineError,
    OfficeClient,
    ScanApp,
    VendorLibrary,
    read_timestamp,
)
from tests.integration.nmvs.rest_login import CODE, load_packs, manage
from tests.integration.running import RunningSystem

ODD = 'A/B+"&'


def pack(serial: str, **changes: str) -> dict[str, str]:
    return {"code": CODE, "serial": serial, "batch": "LOT1", "expiry": "301231"} | changes


@pytest.fixture
async def running(start_system: Callable[..., Awaitable[RunningSystem]]) -> RunningSystem:
    system = await start_system("LT", dialects=("rest",))
    await load_packs(system, ODD, "S1", "S2", "S3", "S4")
    await system.register("hospital", 1, soap=None)
    await system.register("pharmacy", 1, soap=None)
    return system


async def test_each_client_lives_through_its_day(running: RunningSystem) -> None:
    port = running.ports["service"]
    hospital = HospitalClient(port, "hospital1", "secret-hospital-1")
    codes = [
        await hospital.call(pack(ODD)),
        await hospital.call(pack("S1"), "Supplied"),
        await hospital.call(pack("S1"), "Active"),
        await hospital.call(pack("S1"), "Free Sample"),
        await hospital.call(pack("NOSUCH")),
    ]
    assert codes == [ACTIVE, SUPPLIED, "11410100", "11310800", "41020001"]
    assert hospital.token_count == len(codes)

    office = OfficeClient(port, "pharmacy1", "secret-pharmacy-1")
    assert await office.log_in()
    assert await office.call(pack(ODD)) == ACTIVE
    assert await office.call(pack(ODD, batch="", expiry="")) == ACTIVE, "typed in"
    assert await office.call(pack(ODD), "Supplied") == SUPPLIED

    app = ScanApp(port, "pharmacy1", "secret-pharmacy-1")
    shown = await app.call(pack("S2"))
    assert (shown["colour"], shown["productName"]) == ("green", "Examplol 10 mg")
    done = await app.call(pack("S2"), "Supplied")
    assert done["canReactivate"] is True
    supplied_until = read_timestamp(done["canReactivateUntil"])
    assert supplied_until.utcoffset() == timedelta(0)
    alarm = await app.call(pack("NOSUCH"))
    assert alarm["colour"] == "red"
    assert alarm["amsLink"].endswith(alarm["alertId"])

    library = VendorLibrary(port, "pharmacy1", "secret-pharmacy-1")
    assert (await library.call(pack("S3")))["state"] == "Active"
    assert (await library.call(pack("S3"), "Supplied"))["operationCode"] == SUPPLIED
    for serial, changes in (("S3", {"batch": "X#"}), ("S" * 21, {}), ("S3", {"expiry": "9"})):
        assert (await library.call(pack(serial, **changes)))["operationCode"][:3] == "610"
    assert (await library.call(pack("S3"), "Nonsense"))["operationCode"] == "61020010"
    assert not library.stored, "nothing has put it offline"


async def test_a_lost_answer_is_no_alert_when_the_call_comes_again(running: RunningSystem) -> None:
    office = OfficeClient(running.ports["service"], "pharmacy1", "secret-pharmacy-1")
    await office.log_in()
    assert await office.call(pack("S1"), "Supplied", lose_answer=True) == "queued"
    assert await office.replay() == ["11220201"]
    assert (await manage(running, "GET", "/alerts"))["alerts"] == []


async def test_what_a_rate_plan_refuses_is_done_later(running: RunningSystem) -> None:
    office = OfficeClient(running.ports["service"], "pharmacy1", "secret-pharmacy-1")
    await office.log_in()
    await manage(running, "PUT", "/rate-plans/slow", {"requests_per_s": 1, "burst": 1})
    await manage(running, "PATCH", "/organisations/Pharmacy%201", {"rate_plan": "slow"})
    answers = [await office.call(pack(serial), "Supplied") for serial in ("S1", "S2", "S3")]
    assert answers[0] == SUPPLIED
    assert answers.count("queued") >= 1
    for _ in range(5):
        await running.advance_clock(2)
        answers += await office.replay()
    assert office.queued == []
    assert answers.count(SUPPLIED) == 3


async def test_a_login_that_ends_does_not_break_the_library(running: RunningSystem) -> None:
    """It stores the call twice and replays both: the second one is a repeat, no alert."""
    library = VendorLibrary(running.ports["service"], "pharmacy1", "secret-pharmacy-1")
    assert (await library.call(pack("S1")))["state"] == "Active"
    await running.advance_clock(32_767)
    assert (await library.call(pack("S1")))["state"] == "Active", "it took a new token"
    await manage(running, "PATCH", "/equipments/pharmacy1", {"disabled": True})
    with pytest.raises(LibraryOfflineError):
        await library.call(pack("S1"), "Supplied")
    await manage(running, "PATCH", "/equipments/pharmacy1", {"disabled": False})
    replayed = [(await library.call(*call))["operationCode"] for call in library.stored]
    assert replayed == [SUPPLIED, "11220201"]
    assert (await manage(running, "GET", "/alerts"))["alerts"] == []
