"""Logins over real HTTP: locks, the life of passwords, terms, sub-users; durable, by the clock."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import asyncpg
import pytest

from emvs.login_rules import DAY_S
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.soap_account_client import GOOD, User, manage

IN = "NC_PC_01"
"""The answer to a verification of an unknown product: the login was let in."""
LOGIN = "/soap-logins/PHARMACY00001/USER0001"
TERMS = {"text": "Be kind.", "starts_at": "2100-01-01T00:00:00Z"}


@pytest.fixture
async def user(start_system: StartSystem) -> User:
    running = await start_system("AT")
    await running.register("pharmacy", 1)
    return User(running)


def stranger(user: User) -> User:
    return User(user.running, password="Wrong-Pass-1")


async def test_wrong_passwords_lock_for_a_while_and_end_the_cache(user: User) -> None:
    wrong = stranger(user)
    assert await user.code() == IN
    assert [await wrong.code() for _ in range(4)] == 4 * ["FE_AU_01"]
    assert await user.code() == IN  # Which wipes the slate.
    codes = [await wrong.code() for _ in range(6)]
    assert codes == [*4 * ["FE_AU_01"], "FE_AU_05", "FE_AU_02"]
    assert await user.code() == "FE_AU_02"
    await user.running.advance_clock(30 * 60)
    assert await user.code() == IN
    counters = f"{user.running.management}/metrics"
    async with user.running.http.get(counters) as response:
        assert 'nmvs_answers_total{outcome="LOGIN_LOCKED"} 3.0' in await response.text()


async def test_the_management_port_locks_and_unlocks(user: User) -> None:
    assert await user.code() == IN
    assert (await manage(user.running, "POST", f"{LOGIN}/lock"))["locked"] is True
    assert await user.code() == "FE_AU_02"
    await user.running.advance_clock(DAY_S)
    assert await user.code() == "FE_AU_02"
    (row,) = (await manage(user.running, "GET", "/soap-logins?locked=true"))["logins"]
    assert (row["user_id"], row["locked_until"]) == ("USER0001", None)
    assert (await manage(user.running, "POST", f"{LOGIN}/unlock"))["locked"] is False
    assert await user.code() == IN
    await manage(user.running, "POST", "/soap-logins/PHARMACY00001/NOBODY/lock", 404)


async def test_a_lock_and_a_count_survive_a_restart(start_system: StartSystem) -> None:
    running = await start_system("AT")
    for number in (1, 2):
        await running.register("pharmacy", number)
    second = {"client": "PHARMACY00002", "user_id": "USER0002"}
    for _ in range(5):
        await User(running, password="Wrong-Pass-1").code()
    for _ in range(4):
        await User(running, password="Wrong-Pass-1", **second).code()
    await running.stop()
    again = await start_system("AT")
    assert await User(again).code() == "FE_AU_02"
    assert await User(again, password="Wrong-Pass-1", **second).code() == "FE_AU_05"


async def test_guessing_in_parallel_locks_once_and_tells_nobody_the_password(user: User) -> None:
    guesses = [User(user.running, password=f"Guess-Pass-{number}") for number in range(40)]
    codes = await asyncio.gather(*(guess.code() for guess in guesses), user.code())
    assert codes.count("FE_AU_05") == 1
    assert codes[:-1].count("FE_AU_01") == 4
    assert set(codes) <= {"FE_AU_01", "FE_AU_02", "FE_AU_05", "TE_TX_03", IN}
    assert await user.code() == "FE_AU_02"


async def test_an_initial_password_must_be_changed_first(user: User) -> None:
    answer = await manage(
        user.running, "PUT", f"{LOGIN}/password", password="Handed-Out-1", initial=True
    )
    assert (answer["initial"], answer["must"]) == (True, "CHANGE_PASSWORD")
    assert await user.code() == "FE_AU_01"
    fresh = User(user.running, password="Handed-Out-1")
    assert await fresh.code() == "FE_AU_11"
    assert (await fresh.ask("G482")).code == "FE_AU_11"
    assert (await fresh.ask("G615")).code == "FE_PKI_06"  # It would get a certificate.
    assert await fresh.change("My-Own-Pass-1") == "SUCCESS"
    assert await fresh.code() == "FE_AU_01"  # It does not live on.
    assert await User(user.running, password="My-Own-Pass-1").code() == IN


async def test_duties_may_come_before_a_certificate(start_system: StartSystem) -> None:
    running = await start_system("AT", logins={"certificate_before_duties": False})
    await running.register("pharmacy", 1)
    await manage(running, "PUT", f"{LOGIN}/password", password="Handed-Out-1", initial=True)
    now = datetime.fromisoformat((await running.ask_management("/clock"))["now"])
    times = {"starts_at": now - timedelta(days=9), "accept_by": now - timedelta(seconds=1)}
    texts = {name: time.isoformat() for name, time in times.items()}
    await manage(running, "PUT", "/terms/1", text="Be kind.", **texts)
    fresh = User(running, password="Handed-Out-1")
    assert (await fresh.ask("G615")).code == "FE_AU_11"
    assert await fresh.change("My-Own-Pass-1") == "SUCCESS"
    changed = User(running, password="My-Own-Pass-1")
    assert (await changed.ask("G615")).code == "FE_AU_23"


async def test_a_login_that_is_to_be_kept_stays_as_it_is(user: User) -> None:
    running = user.running
    soap = {
        "client_login_id": user.client,
        "user_id": user.user_id,
        "password": "Demo-Pass-1",
        "initial": False,
    }
    assert await user.change("My-Own-Pass-1") == "SUCCESS"
    await manage(running, "POST", f"{LOGIN}/lock")
    await running.register("pharmacy", 1, soap=soap, rest=None, keep=True)
    changed = User(running, password="My-Own-Pass-1")
    assert await changed.code() == "FE_AU_02"
    await manage(running, "POST", f"{LOGIN}/unlock")
    assert await changed.code() == IN
    await running.register("pharmacy", 1, soap=soap, rest=None)
    assert await changed.code() == "FE_AU_01"
    assert await user.code() == IN


async def test_a_market_may_hand_out_initial_passwords(start_system: StartSystem) -> None:
    running = await start_system("AT", logins={"registered_is_initial": True})
    await running.register("pharmacy", 1)
    assert await User(running).code() == "FE_AU_11"


async def test_a_password_expires_and_is_reminded_of(user: User) -> None:
    assert (await user.verify()).notifications == []
    await user.running.advance_clock(80 * DAY_S)
    reply = await user.verify()
    assert reply.code == IN
    assert reply.notifications == [("NOTIFY_AU_02", "The password expires in 10 days")]
    await user.running.advance_clock(9 * DAY_S)
    for version in (4, 5):
        old = User(user.running, version=version)
        assert (await old.verify()).notifications == [
            ("NOTIFY_AU_02", "The password expires in 1 day")
        ]
    assert (await user.ask("G482")).notifications
    await user.running.advance_clock(DAY_S)
    assert await user.code() == "FE_AU_11"
    assert await user.change("Demo-Pass-2") == "SUCCESS"
    reply = await User(user.running, password="Demo-Pass-2").verify()
    assert (reply.code, reply.notifications) == (IN, [])


async def test_a_login_may_be_exempted_from_expiry(user: User) -> None:
    login = {"client_login_id": "PHARMACY00001", "user_id": "USER0001", "password": GOOD}
    await user.running.register("pharmacy", 1, soap={**login, "expires": False})
    await user.running.advance_clock(1000 * DAY_S)
    assert await user.code() == IN
    assert (await manage(user.running, "GET", LOGIN))["expires_at"] is None


async def test_a_replaced_password_lives_on_for_some_days(start_system: StartSystem) -> None:
    running = await start_system("AT", logins={"grace_s": 3 * DAY_S})
    await running.register("pharmacy", 1)
    old, new = User(running), User(running, password="Demo-Pass-2")
    assert await old.change("Demo-Pass-2") == "SUCCESS"
    reply = await old.verify()
    assert reply.code == IN
    assert reply.notifications == [
        ("NOTIFY_AU_01", "An old password is still in use; it ends in 3 days")
    ]
    assert (await new.verify()).notifications == []
    assert await old.change("Demo-Pass-3") == "FE_AU_24"
    await running.stop()
    running = await start_system("AT", logins={"grace_s": 3 * DAY_S})
    old = User(running)
    assert await old.code() == IN
    await running.advance_clock(3 * DAY_S)
    assert await old.code() == "FE_AU_01"


async def test_what_a_new_password_must_not_be(start_system: StartSystem) -> None:
    running = await start_system("AT", logins={"grace_s": 0, "history_count": 3})
    await running.register("pharmacy", 1)
    user = User(running)
    assert await user.change("Demo-Pass-2", current="Demo-Pass-9") == "FE_AU_10"
    assert await user.change(GOOD) == "FE_PMS_02"
    assert await user.change("demo-pass-2") == "FE_PMS_04"
    assert await user.change("Dem-2") == "TE_XM_02"
    for number in (2, 3, 4):
        assert await user.change(f"Demo-Pass-{number}") == "SUCCESS"
        assert await user.code() == "FE_AU_01"  # At once, though it was cached.
        user = User(running, password=f"Demo-Pass-{number}")
        assert await user.code() == IN
    assert [await user.change(f"Demo-Pass-{number}") for number in (1, 2, 3)] == 3 * ["FE_PMS_03"]
    assert await user.change("Demo-Pass-5") == "SUCCESS"
    user = User(running, password="Demo-Pass-5")
    assert await user.change("Demo-Pass-2") == "FE_PMS_03"
    assert await user.change(GOOD) == "SUCCESS"  # The fourth before is forgotten.


async def test_of_two_changes_at_once_one_is_taken(user: User) -> None:
    news = [f"Demo-Pass-{number}" for number in (2, 3, 4)]
    codes = await asyncio.gather(*(user.change(new) for new in news))
    assert sorted(codes) == ["FE_AU_24", "FE_AU_24", "SUCCESS"]
    taken = news[codes.index("SUCCESS")]
    assert await User(user.running, password=taken).code() == IN


async def put_terms(user: User, version: int, *, starts_in_d: int, days: int) -> None:
    clock = await manage(user.running, "GET", "/clock")
    starts = datetime.fromisoformat(clock["now"]) + timedelta(days=starts_in_d)
    await manage(
        user.running,
        "PUT",
        f"/terms/{version}",
        text="Be careful & kind.",
        starts_at=starts.isoformat(),
        accept_by=(starts + timedelta(days=days)).isoformat(),
    )


async def test_terms_count_down_and_block_until_they_are_confirmed(user: User) -> None:
    assert await user.code() == IN
    assert (await user.ask("G482")).code == "NC_PMS_24"
    assert await user.confirm(3) == "NC_PMS_24"
    await put_terms(user, 3, starts_in_d=5, days=20)
    assert [code for code, _ in (await user.verify()).notifications] == ["NOTIFY_PMS_04"]
    await user.running.advance_clock(6 * DAY_S)
    assert (await user.verify()).notifications == [
        ("NOTIFY_PMS_01", "New terms and conditions: 19 days to accept them")
    ]
    await user.running.advance_clock(12 * DAY_S)
    assert (await user.verify()).notifications == [
        ("NOTIFY_PMS_03", "The terms and conditions must be accepted within 7 days")
    ]
    await user.running.advance_clock(7 * DAY_S)
    assert await user.code() == "FE_AU_23"
    assert (await user.ask("G615")).code == "FE_PKI_06"  # It would get a certificate.
    terms = await user.ask("G482")
    assert terms.code == "SUCCESS"
    assert (terms.texts["Version"], terms.texts["Text"]) == ("3", "Be careful & kind.")
    assert terms.texts["AcceptedByUser"] == "false"
    assert await user.change("Demo-Pass-2") == "SUCCESS"
    user.password = "Demo-Pass-2"
    assert await user.code() == "FE_AU_23"
    assert await user.confirm(2) == "NC_PMS_24"
    assert await user.confirm(3) == "SUCCESS"
    assert await user.code() == IN
    assert await user.confirm(3) == "NC_PMS_23"
    assert (await user.ask("G482")).texts["AcceptedByUser"] == "true"


async def test_terms_are_of_each_user_and_survive_a_restart(start_system: StartSystem) -> None:
    running = await start_system("AT")
    await running.register("pharmacy", 1)
    second = {"client_login_id": "PHARMACY00001", "user_id": "USER0099", "password": "Demo-Pass-9"}
    await running.register("pharmacy", 1, soap=second, rest=None)
    first = User(running)
    await put_terms(first, 1, starts_in_d=0, days=0)
    assert await first.confirm(1) == "SUCCESS"
    await running.stop()
    again = await start_system("AT")
    assert await User(again).code() == IN
    other = User(again, user_id="USER0099", password="Demo-Pass-9")
    assert await other.code() == "FE_AU_23"
    await manage(again, "DELETE", "/terms/1")
    assert await other.code() == IN
    assert (await manage(again, "GET", "/terms"))["terms"] == []


async def test_terms_that_cannot_be(user: User) -> None:
    body = TERMS | {"accept_by": "2100-02-01T00:00:00Z"}
    wrong = [
        {"text": ""},
        {"text": "\x00"},
        {"accept_by": "2099-01-01T00:00:00Z"},
        {"accept_by": "?"},
    ]
    for change in wrong:
        await manage(user.running, "PUT", "/terms/1", 400, **(body | change))
    for version in ("0", "x", "-1", str(10**9)):
        await manage(user.running, "PUT", f"/terms/{version}", 400, **body)
    await manage(user.running, "DELETE", "/terms/1", 404)


async def test_a_client_may_have_to_name_its_sub_users(user: User) -> None:
    assert await user.code() == IN
    path = "/soap-clients/PHARMACY00001"
    await manage(user.running, "PUT", path, sub_user_required=True)
    assert await user.code() == "FE_TX_10"
    named = User(user.running, sub_user="Till 4")
    reply = await named.verify()
    assert (reply.code, reply.texts["SubUserId"]) == (IN, "Till 4")
    assert await User(user.running, sub_user=36 * "x").code() == "FE_TX_06"
    assert await user.code() == "FE_TX_10"  # Though its login is in the cache.
    await manage(user.running, "PUT", path, sub_user_required=False)
    assert await user.code() == IN


async def test_logins_that_no_message_can_hold_are_not_registered(user: User) -> None:
    login = {"client_login_id": "CLIENT", "user_id": "USER0001", "password": GOOD}
    wrong = [
        {"client_login_id": "with blank"},
        {"client_login_id": 33 * "X"},
        {"user_id": "abc"},
        {"password": "Short-1"},
        {"password": "Line\nbreak-1"},
    ]
    for change in wrong:
        registration = {"kind": "pharmacy", "name": "n", "location": "l", "soap": login | change}
        await manage(user.running, "POST", "/participants", 400, **registration)
    assert len((await manage(user.running, "GET", "/soap-logins"))["logins"]) == 1


async def test_a_write_that_fails_leaves_a_login_as_it_is_stored(
    user: User, dsn: str, schema_name: str
) -> None:
    assert await user.code() == IN
    other, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await other.execute(f'lock table "{schema_name}_at".soap_login in exclusive mode')
            change = asyncio.create_task(user.change("Demo-Pass-2"))
            while not await watcher.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where wait_event_type = 'Lock' and query like 'insert into soap_login%'"
            ):
                await asyncio.sleep(0.01)
            assert await change == "TE_REQ_01"
    finally:
        await other.close()
        await watcher.close()
    assert await user.code() == IN
    assert await user.change("Demo-Pass-2") == "SUCCESS"
