"""Runs the book: logs in, provides the packs, goes through the cases, keeps the result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import msgspec

from emvs.errors import EmvsError
from pharmacy_client.errors import LoginRefusedError, PharmacyClientError, SystemUnreachableError
from pharmacy_client.profile import Profile
from pharmacy_client.testbook.book import Actor, Ask, Case, Pack, Purpose, Setting, Step
from pharmacy_client.testbook.doing import Doing, NotApplicableError, NotOfferedHereError
from pharmacy_client.testbook.goods import Stock, new_run_id, provide_stock
from pharmacy_client.testbook.performing import CaseRun
from pharmacy_client.testbook.report import BookResult, CaseResult, Sent, StepResult, Verdict
from pharmacy_client.testbook.stand import Stand
from pharmacy_client.testbook.wire import Till

_LOST_STEPS_MAX: Final = 3
"""So many steps in a row without an answer, and the rest is not tried."""
_EXCHANGES_KEPT_MAX: Final = 10
_EXCHANGE_LENGTH_MAX: Final = 20_000


class Progress(Protocol):
    """Somebody who is told how far the run is."""

    def preparing(self, what: str) -> None:
        """Something is made ready."""

    def step(self, case: Case, number: int, step: Step) -> None:
        """A step begins."""

    def case_done(self, result: CaseResult) -> None:
        """A case has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run, against what, and as whom."""

    profile: Profile
    setting: Setting
    cases: Sequence[Case]
    chosen: bool = False
    """Whether the user named the cases: then one that the system does not offer has failed."""
    others: Mapping[Actor, Profile] = field(default_factory=dict)
    """Logins at other locations; those that are missing are registered at the stand."""
    given: Mapping[Purpose, Sequence[Pack]] = field(default_factory=dict)
    keep_clock: bool = False
    """Whether steps that move the clock are left out."""


async def run_book(
    plan: Plan, stand: Stand, progress: Progress, now: Callable[[], datetime]
) -> BookResult:
    """Run the cases and return the result.

    Raises LoginRefusedError, SystemUnreachableError or ProtocolError if not even a token is to be
    had, StandError if the stand does not do what it must. What happens in a step is its result.
    """
    started_at = now()
    profile, setting = plan.profile, plan.setting
    async with AsyncExitStack() as exits:
        tills = await _open_tills(plan, stand, progress, exits)
        cases = [case for case in plan.cases if _is_run(case, plan)]
        progress.preparing(f"packs for {len(cases)} cases")
        async with _stock(cases, plan, stand) as stock:
            book = _Book(plan, stand, progress, now, tills=tills, stock=stock)
            results = [await book.run_case(case) for case in plan.cases]
    return BookResult(
        system=profile.url,
        market=setting.market,
        role=setting.role,
        login=profile.client_id or "",
        repeat_limit=setting.repeat_limit,
        software=profile.user_agent,
        started_at=started_at,
        ended_at=now(),
        cases=tuple(results),
    )


def _is_run(case: Case, plan: Plan) -> bool:
    return plan.chosen or plan.setting.role in case.roles


async def _open_tills(
    plan: Plan, stand: Stand, progress: Progress, exits: AsyncExitStack
) -> dict[Actor, Till]:
    """Return a logged-in connection for each actor that there is."""
    progress.preparing(f"login at {plan.profile.url}")
    profiles = {Actor.TESTED: plan.profile, **plan.others}
    tills = {Actor.TESTED: await _open(plan.profile, exits)}
    if stand.lacks_management is None:
        progress.preparing("participants at other locations")
        run_id = new_run_id()
        for actor, kind in ((Actor.OTHER, "pharmacy"), (Actor.WHOLESALER, "wholesaler")):
            login = await stand.register(kind, f"TESTBOOK-{run_id}-{kind}")
            profiles[actor] = msgspec.structs.replace(plan.profile, **login)
    for actor, profile in profiles.items():
        if actor not in tills:
            tills[actor] = await _open(profile, exits)
    return tills


async def _open(profile: Profile, exits: AsyncExitStack) -> Till:
    till = Till(profile)
    exits.push_async_callback(till.close)
    await till.log_in()
    return till


@asynccontextmanager
async def _stock(cases: Sequence[Case], plan: Plan, stand: Stand) -> AsyncIterator[Stock]:
    """Provide the packs; afterwards the rules made for them are taken back."""
    stock = await provide_stock(cases, stand, plan.given)
    try:
        yield stock
    finally:
        for code in stock.non_fmd_codes:
            await stand.unlist_non_fmd(code)


class _Book:
    """A run."""

    def __init__(
        self,
        plan: Plan,
        stand: Stand,
        progress: Progress,
        now: Callable[[], datetime],
        *,
        tills: Mapping[Actor, Till],
        stock: Stock,
    ) -> None:
        self._plan = plan
        self._stand = stand
        self._progress = progress
        self._now = now
        self._tills = tills
        self._stock = stock
        self._lost_count = 0

    async def run_case(self, case: Case) -> CaseResult:
        """Return how a case ended."""
        started_at = self._now()
        reason = None
        if not _is_run(case, self._plan):
            reason = f"not for a {self._plan.setting.role}"
        packs = {
            name: pack
            for (number, name), pack in self._stock.packs.items()
            if number == case.number
        }
        run = CaseRun(self._tills, packs)
        results: list[StepResult] = []
        for number, step in enumerate(case.steps, 1):
            skipped = reason or self._why_not(case, step, results)
            if skipped is not None:
                results.append(self._result(number, step, Verdict.NOT_APPLICABLE, skipped))
                continue
            self._progress.step(case, number, step)
            doing = Doing()
            try:
                results.append(await self._run_step(run, number, step, doing))
            except NotOfferedHereError as error:
                if case.optional and not self._plan.chosen:
                    reason = str(error)
                    results.append(self._result(number, step, Verdict.NOT_APPLICABLE, reason))
                else:
                    results.append(self._failed(number, step, doing, str(error)))
        result = CaseResult(
            number=case.number,
            name=case.name,
            started_at=started_at,
            completed_at=self._now(),
            steps=tuple(results),
        )
        self._progress.case_done(result)
        return result

    async def _run_step(self, run: CaseRun, number: int, step: Step, doing: Doing) -> StepResult:
        if self._lost_count >= _LOST_STEPS_MAX:
            return self._failed(number, step, doing, "not tried: the system no longer answers")
        try:
            await run.prepare(step, doing)
            if step.advance_s:
                await self._stand.advance_clocks(step.advance_s)
            await run.perform(step, doing)
        except NotApplicableError as error:
            return self._result(number, step, Verdict.NOT_APPLICABLE, str(error), doing)
        except (SystemUnreachableError, LoginRefusedError) as error:
            self._lost_count += 1
            return self._failed(number, step, doing, str(error), error)
        except EmvsError as error:
            return self._failed(number, step, doing, str(error), error)
        self._lost_count = 0
        if doing.problems:
            return self._failed(number, step, doing)
        return self._result(number, step, Verdict.PASS, "", doing)

    def _why_not(self, case: Case, step: Step, before: Sequence[StepResult]) -> str | None:
        """Return why a step does not apply, None if it does."""
        if step.skipped is not None:
            return step.skipped
        if step.follows and before[-1].was_left_out:
            return before[-1].reason
        if step.advance_s:
            if self._plan.keep_clock:
                return "the clock is to be left alone"
            if self._stand.lacks_management is not None:
                return f"the clock cannot be moved: {self._stand.lacks_management}"
        asks = [*step.prepare, step.action] if isinstance(step.action, Ask) else [*step.prepare]
        names = [ask.pack for ask in asks]
        names += getattr(step.action, "packs", ())
        for name in names:
            if (case.number, name) in self._stock.missing:
                return self._stock.missing[case.number, name]
        for ask in asks:
            if ask.by not in self._tills:
                return (
                    f"no login of an{'other location' if ask.by is Actor.OTHER else 'y wholesaler'}"
                )
        return None

    def _failed(
        self,
        number: int,
        step: Step,
        doing: Doing,
        reason: str = "",
        error: EmvsError | None = None,
    ) -> StepResult:
        if isinstance(error, PharmacyClientError) and error.exchange is not None:
            exchange = error.exchange
            doing.sent.append(
                Sent(
                    exchange.request.decode("utf-8", "replace"),
                    exchange.reply.decode("utf-8", "replace"),
                )
            )
        problems = "; ".join(filter(None, [*doing.problems, reason]))
        return self._result(number, step, Verdict.FAIL, problems, doing)

    def _result(
        self, number: int, step: Step, verdict: Verdict, reason: str, doing: Doing | None = None
    ) -> StepResult:
        answer = doing.answer if doing is not None else None
        expected = [str(step.expected)] if step.expected is not None else []
        expected += [f"pack {place}: {one}" for place, one in enumerate(step.results, 1)]
        exchanges = doing.sent if doing is not None and verdict is Verdict.FAIL else []
        return StepResult(
            number=number,
            text=step.text,
            verdict=verdict,
            completed_at=self._now(),
            expected="; ".join(expected),
            reason=reason,
            operation_code=answer.text("operationCode") if answer else None,
            told=(answer.text("warning") or answer.text("information")) if answer else None,
            alert_ids=tuple(doing.alert_ids) if doing is not None else (),
            exchanges=tuple(
                Sent(one.request[:_EXCHANGE_LENGTH_MAX], one.answer[:_EXCHANGE_LENGTH_MAX])
                for one in exchanges[-_EXCHANGES_KEPT_MAX:]
            ),
        )
