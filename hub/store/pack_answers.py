"""Queries on what each market made of each pack of a request, in pages of `PAGE_COUNT` packs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from hub.store.connections import Connection, Queryable, changed_count

PAGE_COUNT: Final = 1_000


class StoredAnswer(NamedTuple):
    """What one national system made of the packs of one page, a byte for each."""

    page: int
    system: str
    outcomes: bytes
    """Numbers of outcomes; 0 where it was not asked."""
    states: bytes
    """Numbers of states; 0 where no pack was found."""
    alerts: Mapping[str, str]
    """Position in the page to alert id."""


async def insert_pages(
    connection: Connection, request_number: int, serial_numbers: Sequence[str]
) -> None:
    """Store which packs a request is about."""
    await connection.executemany(
        "insert into pack_page (request_number, page, serials) values ($1, $2, $3)",
        [
            (
                request_number,
                page,
                msgspec.json.encode(serial_numbers[start : start + PAGE_COUNT]),
            )
            for page, start in enumerate(range(0, len(serial_numbers), PAGE_COUNT))
        ],
    )


async def insert_answers(
    connection: Connection, request_number: int, answers: Sequence[StoredAnswer]
) -> None:
    """Store what a national system answered."""
    await connection.executemany(
        "insert into pack_answer (request_number, page, system, outcomes, states, alerts)"
        " values ($1, $2, $3, $4, $5, $6)",
        [
            (request_number, *answer[:4], msgspec.json.encode(answer.alerts).decode())
            for answer in answers
        ],
    )


async def put_counts(
    connection: Connection, delivery_number: int, counts: Mapping[str, int]
) -> None:
    """Store how many packs of a delivery had which outcome."""
    await connection.execute(
        "update delivery set outcomes = $2 where number = $1",
        delivery_number,
        msgspec.json.encode(counts).decode(),
    )


async def serials_of_pages(
    database: Queryable, request_number: int, first: int, last: int
) -> dict[int, list[str]]:
    """Return the serial numbers of some pages, as far as they are stored."""
    rows = await database.fetch(
        "select page, serials from pack_page where request_number = $1 and page between $2 and $3",
        request_number,
        first,
        last,
    )
    return {row["page"]: msgspec.json.decode(row["serials"], type=list[str]) for row in rows}


async def answers_of_pages(
    database: Queryable, request_number: int, first: int, last: int
) -> list[StoredAnswer]:
    """Return all answers about some pages."""
    rows = await database.fetch(
        "select page, system, outcomes, states, alerts from pack_answer"
        " where request_number = $1 and page between $2 and $3",
        request_number,
        first,
        last,
    )
    return [
        StoredAnswer(
            row["page"],
            row["system"],
            row["outcomes"],
            row["states"],
            msgspec.json.decode(row["alerts"], type=dict[str, str]),
        )
        for row in rows
    ]


async def outcomes_of(database: Queryable, request_number: int) -> list[tuple[int, bytes]]:
    """Return page and outcomes of every answer there is to a request."""
    rows = await database.fetch(
        "select page, outcomes from pack_answer where request_number = $1", request_number
    )
    return [(row["page"], row["outcomes"]) for row in rows]


async def forget_packs(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop packs and answers of requests older than a time that wait for nothing; return how
    many pages there were."""
    status = await database.execute(
        "delete from pack_page where (request_number, page) in (select request_number, page"
        " from pack_page join request on number = request_number where received_at_ms < $1"
        " and not exists (select from delivery"
        " where delivery.request_number = request.number and status = 'Waiting') limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)
