"""Many packs at once: submitted, then asked for with patience, as the real systems want it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import gevent

from loadtests.scenarios.arrivals import Arrival
from loadtests.scenarios.connection import STOPPED, Reply
from loadtests.scenarios.messages import Writer, rest_code, soap_code
from loadtests.scenarios.mix import Operation, Role
from loadtests.scenarios.packs import Pack
from loadtests.scenarios.samples import Flag, Verdict

if TYPE_CHECKING:
    from loadtests.scenarios.generator import Generator

_FIRST_POLL_S: Final = 1.0
_POLL_S_MAX: Final = 5.0
_WAIT_S_MAX: Final = 120.0
_SOAP_TICKET: Final = re.compile(rb"NMVSTrxId>([0-9A-Za-z-]{32})<")
_LOCATION: Final = re.compile(rb"(?im)^location: *([^\r\n]+)")
_REST_DONE: Final = {Operation.BULK_VERIFY: b'"11110100"', Operation.BULK_SUPPLY: b'"11210200"'}
_NOT_READY: Final = frozenset({"FE_TX_02", "52210000"})
_SUBMITTED: Final = frozenset({"SUCCESS", "22100000"})


def run_bulk(generator: Generator, arrival: Arrival, *, waited: bool) -> None:
    """Submit fresh packs; their results are fetched in a greenlet of its own."""
    writer = generator.writers[arrival.site]
    site = writer.site
    packs = generator.markets[site.market].fresh_run(arrival.packs)
    if not packs:
        generator.unsent_count += 1
        return
    is_hospital = site.role is Role.HOSPITAL
    operation = Operation.BULK_SUPPLY if is_hospital else Operation.BULK_VERIFY
    if site.rest is not None:
        generator.tokens.keep(arrival.site)
    request = writer.bulk_request(operation, packs, generator.next_trx())
    sent_at = generator.now()
    try:
        reply = generator.clients[arrival.site].send(request)
    except gevent.GreenletExit:
        _keep(
            generator, arrival, sent_at, packs, STOPPED, operation, 0, Verdict.UNKNOWN, "",
        )  # fmt: skip
        raise
    code = _code(writer, reply)
    is_accepted = code in _SUBMITTED
    _keep(
        generator, arrival, sent_at, packs, reply, operation,
        Flag.WAITED * waited, _verdict(is_accepted, reply), code,
    )  # fmt: skip
    ticket = _ticket(writer, reply) if is_accepted else None
    if ticket:
        generator.fetching.spawn(_fetch, generator, arrival, packs, operation, ticket, sent_at)


def _fetch(  # noqa: PLR0917 - given to spawn.
    generator: Generator,
    arrival: Arrival,
    packs: list[Pack],
    operation: Operation,
    ticket: str,
    sent_at: float,
) -> None:
    """Ask for the results, ever more seldom, and keep how long they took since the submission."""
    writer = generator.writers[arrival.site]
    try:
        reply = _ask_patiently(generator, arrival, ticket, sent_at)
    except gevent.GreenletExit:
        # Not left out: it took longest of all.
        reply = STOPPED if generator.is_stopped else Reply(0, b"", trouble="unfinished")
    code = _code(writer, reply)
    good = b'code="NMVS_SUCCESS"' if writer.site.soap else _REST_DONE[operation]
    # SOAP says it once more for the whole.
    is_done = reply.body.count(good) >= len(packs) + bool(writer.site.soap)
    _keep(
        generator, arrival, sent_at, packs, reply, Operation.BULK_RESULT,
        Flag.WAITED, _verdict(is_done, reply), code,
    )  # fmt: skip


def _ask_patiently(generator: Generator, arrival: Arrival, ticket: str, sent_at: float) -> Reply:
    writer, client = generator.writers[arrival.site], generator.clients[arrival.site]
    wait_s = _FIRST_POLL_S
    while True:
        gevent.sleep(wait_s)
        wait_s = min(wait_s * 1.5, _POLL_S_MAX)
        if writer.site.rest is not None:
            generator.tokens.keep(arrival.site)
        reply = client.send(writer.result_request(ticket, generator.next_trx()))
        if _code(writer, reply) not in _NOT_READY or generator.now() - sent_at > _WAIT_S_MAX:
            return reply


def _keep(  # noqa: PLR0917 - the members of a sample.
    generator: Generator,
    arrival: Arrival,
    sent_at: float,
    packs: list[Pack],
    reply: Reply,
    operation: Operation,
    flags: int,
    verdict: Verdict,
    code: str,
) -> None:
    generator.keep(
        arrival.at, sent_at - arrival.at, generator.now() - sent_at, packs[0].number, len(packs),
        arrival.site, reply, operation, 0, flags, verdict, code,
    )  # fmt: skip


def _verdict(is_good: bool, reply: Reply) -> Verdict:
    if is_good:
        return Verdict.EXPECTED
    if reply is STOPPED:
        return Verdict.UNKNOWN
    return Verdict.UNEXPECTED if 0 < reply.status < 500 and reply.status != 429 else Verdict.ERROR


def _code(writer: Writer, reply: Reply) -> str:
    # The results' own code stands last in SOAP and first in JSON.
    return soap_code(reply.body) if writer.site.soap else rest_code(reply.body)


def _ticket(writer: Writer, reply: Reply) -> str | None:
    """Return the ticket: an id with SOAP, a path with REST."""
    found = _SOAP_TICKET.search(reply.body) if writer.site.soap else _LOCATION.search(reply.head)
    if found is None:
        return None
    text = found[1].decode().strip()
    return text if writer.site.soap else "/" + text.split("//", 1)[-1].partition("/")[2]
