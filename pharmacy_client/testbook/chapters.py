"""All cases of the book, and which of them are run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pharmacy_client.testbook import (
    alert_cases,
    bulk_cases,
    character_cases,
    reactivation_cases,
    report_cases,
    single_cases,
)
from pharmacy_client.testbook.book import Case, ChapterBuilder, Setting, WrongUsageError

_BUILDERS: Final[tuple[ChapterBuilder, ...]] = (
    bulk_cases.build,
    single_cases.build,
    reactivation_cases.build,
    alert_cases.build,
    character_cases.build,
    report_cases.build,
)


def all_cases(setting: Setting) -> list[Case]:
    """Return every case, in the book's order."""
    cases = [case for build in _BUILDERS for case in build(setting)]
    return sorted(cases, key=lambda case: case.number)


def choose_cases(setting: Setting, wanted: Collection[str]) -> list[Case]:
    """Return the cases with these numbers; without any, all. Raises WrongUsageError.

    Numbers may be written `6` or `06`, or be the name of a case.
    """
    cases = all_cases(setting)
    if not wanted:
        return cases
    numbers = {text.zfill(2).upper() if len(text) < 3 else text.upper() for text in wanted}
    chosen = [case for case in cases if {case.number, case.name} & numbers]
    unknown = numbers - {case.number for case in chosen} - {case.name for case in chosen}
    if unknown:
        known = ", ".join(case.number for case in cases)
        raise WrongUsageError(f"there is no case {', '.join(sorted(unknown))}; there are: {known}")
    return chosen
