"""The commands `pharmacy queue ...`: what waits to be sent, sending it, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Final

import typer

from pharmacy_client.cli_finish import Finish
from pharmacy_client.cli_options import (
    SystemOptions,
    open_queue,
    profile_of,
    queues_to_read,
    with_groups,
)
from pharmacy_client.cli_output import print_json, printable
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.queue_entries import OPEN, Entry, Standing
from pharmacy_client.queue_waits import Wait

_PAGE: Final = 1000


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the commands to an application."""
    commands = typer.Typer(no_args_is_help=True, help="The offline queue: list, replay, report.")
    app.add_typer(commands, name="queue")

    @commands.command("list")
    @with_groups
    def list_open(system: SystemOptions) -> None:
        """Show what is open. Needs no system. Exit code: 0 nothing is, 8 something is."""
        finish(lambda: _look(system, OPEN), as_json=system.as_json)

    @commands.command()
    @with_groups
    def replay(system: SystemOptions) -> None:
        """Send what waits, and wait until all is answered. Ctrl-C loses nothing. Exit code: 0 all
        was answered, 3 an alert among the answers, 5, 6 or 7 as for a single pack."""

        def run() -> ExitCode:
            profile = profile_of(system)
            with open_queue(system, profile) as queue:
                first = queue.entries(*OPEN, count_max=1)
                try:
                    asyncio.run(_replay(system, queue))
                finally:
                    after = first[0].number - 1 if first else None
                    if after is not None:
                        _show(queue, tuple(Standing), as_json=system.as_json, after=after)
                    elif not system.as_json:
                        print("Nothing waits.")
                settled = chain.from_iterable(_pages(queue, (Standing.SETTLED,), after=after or 0))
                if first and any(entry.outcome and entry.outcome.alert_id for entry in settled):
                    return ExitCode.ALERT
                return _code(queue)

        finish(run, as_json=system.as_json)

    @commands.command()
    @with_groups
    def report(
        system: SystemOptions,
        after: Annotated[int, typer.Option(help="Entries above this number only.", min=0)] = 0,
    ) -> None:
        """Show what became of each entry, open ones too. Needs no system. Exit code: 0, 8 if
        something is open."""
        finish(lambda: _look(system, tuple(Standing), after=after), as_json=system.as_json)


async def _replay(system: SystemOptions, queue: OfflineQueue) -> None:
    from pharmacy_client.till import Till  # noqa: PLC0415

    def told(sentence: str) -> None:
        if not system.as_json:
            print(printable(sentence))

    async with Till(profile_of(system), queue, on_notice=told) as till:

        def tell_progress() -> None:
            wait = till.wait
            told(f"{queue.open_count} wait" + (f": {wait.sentence}" if wait else ""))

        await till.replay(tell_progress)


def _look(system: SystemOptions, standings: tuple[Standing, ...], *, after: int = 0) -> ExitCode:
    codes = set()
    for queue in queues_to_read(system):
        _show(queue, standings, as_json=system.as_json, after=after)
        codes.add(_code(queue))
    if not codes and not system.as_json:
        where = "here" if system.queue is None else f"in {system.queue}"
        print(f"Nothing waits: no queue was ever kept {printable(where)}.")
    return max(codes, default=ExitCode.OK)


def _code(queue: OfflineQueue) -> ExitCode:
    return ExitCode.QUEUED if queue.open_count else ExitCode.OK


def _pages(
    queue: OfflineQueue, standings: tuple[Standing, ...], *, after: int
) -> Iterator[Sequence[Entry]]:
    while page := queue.entries(*standings, after=after, count_max=_PAGE):
        yield page
        after = page[-1].number


def _show(
    queue: OfflineQueue, standings: tuple[Standing, ...], *, as_json: bool, after: int = 0
) -> None:
    for page in _pages(queue, standings, after=after):
        waits = queue.waits(page)
        for entry in page:
            wait = waits.get(entry.number)
            if as_json:
                print_json({"queue": queue.owner, **_object(entry, wait)})
            else:
                print(printable(_line(entry, wait)))
    if not as_json:
        counts = queue.counts()
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        print(printable(f"{told}  ({queue.path}, of {queue.owner})"))


def _line(entry: Entry, wait: Wait | None) -> str:
    call, outcome = entry.call, entry.outcome
    scan = call.scan
    what = f"{entry.number} {entry.happened_at:%Y-%m-%d %H:%M:%S} {call.operation.name.lower()}"
    pack = f"{scan.product_code} {scan.serial_number}"
    if outcome is None:
        times = "once" if entry.attempts == 1 else f"{entry.attempts} times"
        tries = f", sent {times}" if entry.attempts else ""
        why = f"; {wait.sentence}" if wait else ""
        return f"{what} {pack}: {entry.standing}{tries}{why}"
    told = " ".join(
        filter(
            None,
            (
                outcome.category,
                outcome.return_code,
                outcome.text,
                outcome.alert_id and f"ALERT {outcome.alert_id} {outcome.alert_code or ''}",
                outcome.note,
                outcome.advice if entry.standing is Standing.GIVEN_UP else "",
            ),
        )
    )
    return f"{what} {pack}: {entry.standing.replace('_', ' ')}: {told}"


def _object(entry: Entry, wait: Wait | None) -> dict[str, object]:
    outcome, scan = entry.outcome, entry.call.scan
    return {
        "number": entry.number,
        "standing": entry.standing.value,
        "operation": entry.call.operation.name.lower(),
        "happened_at": entry.happened_at.isoformat(),
        "settled_at": entry.settled_at.isoformat() if entry.settled_at else None,
        "attempts": entry.attempts,
        "wait": wait and wait.to_object(),
        "client_transaction_id": entry.item_id,
        "pack": {
            "scheme": scan.scheme.value,
            "product_code": scan.product_code,
            "serial_number": scan.serial_number,
            "batch_id": scan.batch_id,
            "expiry": scan.expiry,
        },
        "outcome": None
        if outcome is None
        else {name: getattr(outcome, name) for name in outcome.__struct_fields__},
    }
