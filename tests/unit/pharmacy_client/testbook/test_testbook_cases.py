"""The book's tables: complete, consistent, and in agreement with the published operation codes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emvs.character_sets import SET_82
from emvs.markets import MARKETS
from emvs.operation_code_table import CODE_TABLE, AlertFlag
from emvs.rules import MarketRules
from pharmacy_client.testbook.book import (
    Ask,
    Case,
    Expected,
    FetchBulk,
    Role,
    Setting,
    SubmitBulk,
    WrongUsageError,
)
from pharmacy_client.testbook.chapters import all_cases, choose_cases
from pharmacy_client.testbook.judging import Answer, problems_of

GREECE = Setting("GR", Role.PHARMACY, MARKETS["GR"].rules)
WHOLESALER = Setting("GR", Role.WHOLESALER, MARKETS["GR"].rules)
SETTINGS = [
    GREECE,
    WHOLESALER,
    *(Setting("GR", Role.PHARMACY, MarketRules(supply_repeat_tolerance=n)) for n in (0, 3)),
    Setting("GR", Role.WHOLESALER, MarketRules(other_repeat_tolerance=1)),
]


def case_of(number: str, setting: Setting = GREECE) -> Case:
    (case,) = choose_cases(setting, [number])
    return case


def expectations(case: Case) -> Iterator[Expected]:
    for step in case.steps:
        if step.expected is not None:
            yield step.expected
        yield from step.results


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_thirteen_cases_are_there_and_the_recovery(setting: Setting) -> None:
    numbers = [case.number for case in all_cases(setting)]
    assert numbers == [f"{number:02}" for number in range(1, 14)] + ["R1"]


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_step_finds_its_packs_and_none_is_provided_in_vain(setting: Setting) -> None:
    for case in all_cases(setting):
        used = set()
        for step in case.steps:
            asks = [*step.prepare, *([step.action] if isinstance(step.action, Ask) else [])]
            used |= {ask.pack for ask in asks}
            if isinstance(step.action, SubmitBulk):
                used |= set(step.action.packs)
                assert set(step.action.changes) <= set(step.action.packs)
        assert used == set(case.packs), case.number


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_expected_agrees_with_the_published_codes(setting: Setting) -> None:
    for case in all_cases(setting):
        for expected in expectations(case):
            for pattern in expected.codes:
                rows = [
                    row
                    for code, row in CODE_TABLE.items()
                    if not problems_of(
                        Answer(members={"operationCode": code}),
                        Expected(codes=(pattern,)),
                        text_needed=False,
                    )
                ]
                assert rows, f"case {case.number}: nobody knows {pattern}"
                flags = {row.alert for row in rows}
                if expected.alert is True:
                    assert flags <= {AlertFlag.YES, AlertFlag.PROBABLY, None}, (
                        case.number,
                        pattern,
                    )
                elif expected.alert is False:
                    assert AlertFlag.YES not in flags, (case.number, pattern)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_fetched_bulk_is_judged_pack_by_pack(setting: Setting) -> None:
    for case in all_cases(setting):
        submitted: tuple[str, ...] = ()
        for step in case.steps:
            if isinstance(step.action, SubmitBulk):
                submitted = step.action.packs
            elif isinstance(step.action, FetchBulk) and step.results:
                assert len(step.results) == len(submitted), (case.number, step.text)


def test_what_is_known_of_the_book_is_where_it_belongs() -> None:
    non_fmd = [step.expected.codes for step in case_of("05").steps if step.expected][6]
    assert non_fmd == ("41020004",)
    assert case_of("08", WHOLESALER).steps[7].expected == case_of("05").steps[6].expected
    supply = case_of("06").steps
    asks = [step.action for step in supply if isinstance(step.action, Ask)]
    assert asks[1].pack == asks[0].pack
    assert asks[4].pack == asks[3].pack
    seventh = supply[6].expected
    assert seventh is not None
    assert seventh.alert
    assert case_of("08").roles == {Role.WHOLESALER}


def test_all_fifteen_steps_of_the_alert_case_raise_one() -> None:
    alerts = [step.expected for step in case_of("09").steps]
    assert len(alerts) == 15
    assert all(expected is not None and expected.alert for expected in alerts)


@pytest.mark.parametrize(
    ("limit", "first_repeat", "alert"),
    [(0, "51220201", True), (1, "1122020.", False), (3, "1122020.", False)],
)
def test_the_limit_decides_what_a_repeat_is_answered(
    limit: int, first_repeat: str, alert: bool
) -> None:
    setting = Setting("GR", Role.PHARMACY, MarketRules(supply_repeat_tolerance=limit))
    repeat, beyond = case_of("06", setting).steps[1:3]
    assert repeat.expected is not None
    assert beyond.expected is not None
    assert (repeat.expected.codes, repeat.expected.alert) == ((first_repeat,), alert)
    assert isinstance(repeat.action, Ask)
    assert repeat.action.times == max(limit, 1)
    assert beyond.expected.codes == ("51220201",)
    # The same packs are submitted once, so often inside the limit, and once beyond it.
    submissions = [s for s in case_of("02", setting).steps if isinstance(s.action, SubmitBulk)]
    assert len(submissions) == limit + 2


def test_every_character_is_in_a_serial_number_and_in_a_batch() -> None:
    specs = [spec for name, spec in case_of("11").packs.items() if name.startswith("set 82")]
    for texts in ([s.serial_number for s in specs], [s.batch_id for s in specs]):
        assert set("".join(text or "" for text in texts)) == set(SET_82)
        assert all(text and len(text) <= 20 for text in texts)


@pytest.mark.parametrize("written", ["6", "06", "single_supply", "SINGLE_SUPPLY"])
def test_a_case_is_chosen_by_number_or_name(written: str) -> None:
    assert [case.number for case in choose_cases(GREECE, [written])] == ["06"]


def test_a_case_that_is_not_there_is_refused() -> None:
    with pytest.raises(WrongUsageError, match="77"):
        choose_cases(GREECE, ["06", "77"])
