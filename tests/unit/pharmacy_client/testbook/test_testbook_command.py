"""What `pharmacy testbook` refuses before anything is started or sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmacy_client.exit_codes import ExitCode, exit_code_of_error
from pharmacy_client.testbook.book import Case, Step, WrongUsageError
from pharmacy_client.testbook.command import Options, run_command
from pharmacy_client.testbook.report import CaseResult


class NobodyIsTold:
    """A screen on which nothing may appear."""

    def preparing(self, what: str) -> None:
        raise AssertionError(what)

    def step(self, case: Case, number: int, step: Step) -> None:
        raise AssertionError(step)

    def case_done(self, result: CaseResult) -> None:
        raise AssertionError(result)

    def lines(self, lines: list[str]) -> None:
        raise AssertionError(lines)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (Options(self_contained=True, cases=("77",)), "there is no case 77"),
        (Options(self_contained=True, profile=Path("x.toml")), "brings its own system"),
        (Options(self_contained=True, endpoints=Path("x.json")), "brings its own system"),
        (Options(self_contained=True, market="XX"), "no market XX"),
        (Options(self_contained=True, json_file=Path("/none/x.json")), "no folder /none"),
    ],
)
def test_wrong_usage_is_told_at_once(options: Options, reason: str) -> None:
    with pytest.raises(WrongUsageError, match=reason) as refused:
        run_command(options, NobodyIsTold())
    assert exit_code_of_error(refused.value) is ExitCode.USAGE
