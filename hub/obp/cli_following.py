"""How commands of `obp` follow a job from the journal to its end, and what they show meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from emvs.obp_messages import RequestStatus
from hub.obp import cli_output
from hub.obp.cli_running import Desk, Done, run_asking
from hub.obp.client import ObpClient
from hub.obp.errors import UnreachableError
from hub.obp.exit_codes import ExitCode
from hub.obp.jobs import DISTRIBUTED, Job, JobEnd, JobMessage


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether and how long a job's end is waited for."""

    no_wait: bool = False
    timeout_s: float | None = None


Prepare = Callable[[ObpClient], Awaitable[Job]]
Report = Callable[[ObpClient, JobEnd], Awaitable[Done]]


def run_job(
    desk: Desk, prepare: Prepare, waiting: Waiting, report: Report | None = None
) -> NoReturn:
    """Prepare a job, send it, wait for its end, show it and leave with its exit code."""

    async def perform(client: ObpClient) -> Done:
        return await follow(client, await prepare(client), waiting, report)

    run_asking(desk, perform)


async def follow(
    client: ObpClient, job: Job, waiting: Waiting, report: Report | None = None
) -> Done:
    """Send what is to be sent of a job and return how it ended."""
    screen = cli_output.Screen()
    try:
        end = await sent_job(client, job, screen)
        if end is None and waiting.no_wait:
            return Done(ExitCode.OK, cli_output.sent_object(job), lambda: print_sent(job))
        if end is None:
            end = await client.wait(job, timeout_s=waiting.timeout_s, seen=_watching(screen))
    finally:
        screen.finish()
    ended = end
    if report is not None and not ended.is_invalid:
        return await report(client, ended)
    return Done(
        exit_code_of(ended), cli_output.job_object(ended), lambda: cli_output.print_job(ended)
    )


async def sent_job(client: ObpClient, job: Job, screen: cli_output.Screen) -> JobEnd | None:
    """Send what is to be sent of a job; return its end if it came to one at once."""
    screen.plan("sent", sum(message.packed_bytes for message in job.unsent), unit="bytes")

    def sent(_: JobMessage, byte_count: int) -> None:
        screen.more("sent", byte_count)

    try:
        return await client.send(job, sent=sent)
    except UnreachableError as error:
        error.args = (f"{error}; what was not sent is in the journal: `obp resume` goes on",)
        raise


def exit_code_of(end: JobEnd) -> ExitCode:
    """Return the exit code for a job that has ended."""
    if end.alert_count and not end.is_invalid:
        return ExitCode.ALERT
    return ExitCode.OK if end.is_done else ExitCode.REFUSED


def print_sent(job: Job) -> None:
    """Print a job that is not waited for."""
    print(f"{job.kind} {job.title}: acknowledged; `obp status ID` tells the rest")
    for message in job.messages:
        print(f"  {message.transaction_id}  {message.serial_count:,} serial numbers")


def _watching(screen: cli_output.Screen) -> Callable[[JobEnd], None]:
    def seen(end: JobEnd) -> None:
        total = end.job.serial_count or len(end.job.messages)
        screen.plan("distributed", total)
        screen.at("distributed", int(sum(map(_distributed, end.statuses))))

    return seen


def _distributed(status: RequestStatus) -> float:
    if status.status == DISTRIBUTED:
        return status.serialCount or 1
    answered = sum(entry.status.value != "Waiting" for entry in status.markets)
    return (status.serialCount or 1) * answered / max(len(status.markets), 1)
