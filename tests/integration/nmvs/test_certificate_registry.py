"""Certificates that wait to be fetched: by TAN once, by their predecessor's client as often as it
likes, and by nobody when they are revoked or too old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from emvs.infra.certificate_authority import CertificateAuthority
from emvs.infra.clock import MovableClock
from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from nmvs.certificates.registry import Certificates, Problem
from nmvs.certificates.store import CertificateStore, Package

DAY_S = 86_400


class Desk:
    """The certificates of one system, as its processes load them one after another."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = MovableClock()
        self.authority = CertificateAuthority.create("Root", self.clock.now())

    async def started(self) -> Certificates:
        certificates = Certificates(
            authority=self.authority,
            store=CertificateStore(self.database),
            clock=self.clock,
            organisation="NMVS",
        )
        await certificates.load()
        return certificates


@pytest.fixture
async def desk(dsn: str, schema_name: str) -> AsyncIterator[Desk]:
    opened = Database(dsn, schema_name, connections_max=4)
    await opened.open()
    await migrate(opened.pool, "nmvs")
    yield Desk(opened)
    await opened.close()


async def test_of_many_with_one_tan_one_gets_the_package(desk: Desk) -> None:
    certificates = await desk.started()
    _, tan = await certificates.issue("A")
    answers = await asyncio.gather(*(certificates.fetch_by_tan("A", tan) for _ in range(30)))
    assert [type(answer) for answer in answers].count(Package) == 1
    assert answers.count(Problem.NOTHING_WAITS) == 29
    assert await (await desk.started()).fetch_by_tan("A", tan) is Problem.NOTHING_WAITS


async def test_a_tan_is_its_clients_and_no_part_of_it_is_one(desk: Desk) -> None:
    certificates = await desk.started()
    _, tan = await certificates.issue("A")
    await certificates.issue("B")
    assert await certificates.fetch_by_tan("B", tan) is Problem.NOTHING_WAITS
    for wrong in ("", tan[:-1], tan.lower(), f"{tan} ", "\ud800", "\0"):
        assert await certificates.fetch_by_tan("A", wrong) is Problem.NOTHING_WAITS
    assert isinstance(await certificates.fetch_by_tan("A", tan), Package)


async def test_what_is_revoked_or_too_old_is_fetched_by_nobody(desk: Desk) -> None:
    certificates = await desk.started()
    first, tan = await certificates.issue("A")
    second, second_tan = await certificates.renew(first.serial_number)
    assert isinstance(await certificates.fetch_successor("A"), Package)
    assert isinstance(await certificates.fetch_successor("A"), Package)
    revoking = certificates.revoke(second.serial_number)
    answer, _ = await asyncio.gather(certificates.fetch_by_tan("A", second_tan), revoking)
    assert await certificates.fetch_successor("A") is Problem.NOTHING_WAITS
    assert await certificates.fetch_by_tan("A", second_tan) is Problem.NOTHING_WAITS
    assert isinstance(answer, Package)  # It came first.
    assert certificates.problem(second.fingerprint) is Problem.REVOKED
    desk.clock.advance(60 * DAY_S)
    assert await certificates.fetch_by_tan("A", tan) is Problem.NOTHING_WAITS
    assert certificates.problem(first.fingerprint) is None


async def test_who_shows_the_newest_certificate_has_none_to_wait_for(desk: Desk) -> None:
    certificates = await desk.started()
    first, _ = await certificates.issue("A")
    second, _ = await certificates.renew(first.serial_number)
    assert isinstance(await certificates.fetch_successor("A", first.fingerprint), Package)
    told = await certificates.fetch_successor("A", second.fingerprint)
    assert told is Problem.NOTHING_WAITS
    await certificates.renew(second.serial_number)
    assert isinstance(await certificates.fetch_successor("A", second.fingerprint), Package)


async def test_a_revoked_successor_has_a_successor(desk: Desk) -> None:
    certificates = await desk.started()
    await certificates.issue("A")
    running = asyncio.create_task(certificates.run())
    try:
        desk.clock.advance(700 * DAY_S)
        certificates.ring()
        async with asyncio.timeout(20):
            while len(list(certificates.all())) < 2:
                await asyncio.sleep(0.01)
        _, second = certificates.all()
        await certificates.revoke(second.serial_number)
        certificates.ring()
        async with asyncio.timeout(20):
            while len(list(certificates.all())) < 3:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
    assert isinstance(await certificates.fetch_successor("A"), Package)
