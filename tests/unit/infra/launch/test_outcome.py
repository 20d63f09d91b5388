"""How a command ends: a code and a sentence, never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from emvs.errors import ConfigurationError, UsageError
from emvs.infra.launch.errors import ExitCode, LaunchError, NotRunningError
from emvs.infra.launch.outcome import run_guarded
from emvs.infra.postgres_errors import PostgresError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LaunchError("it broke"), ExitCode.FAILED),
        (NotRunningError("it broke"), ExitCode.NOT_RUNNING),
        (UsageError("it broke."), ExitCode.USAGE),
        (ConfigurationError("it broke"), ExitCode.FAILED),
        (PostgresError("it broke."), ExitCode.FAILED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
)
def test_every_error_has_its_code_and_one_sentence(
    error: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> NoReturn:
        raise error

    assert run_guarded(fail) == code
    said = capsys.readouterr().err
    assert said.endswith(".\n")
    assert not said.endswith("..\n")
    assert said.count("\n") == 1
    if str(error):
        assert "it broke." in said


def test_a_defect_goes_to_a_file_and_only_its_name_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail() -> NoReturn:
        raise ZeroDivisionError

    assert run_guarded(fail) == ExitCode.DEFECT
    said = capsys.readouterr().err
    (kept,) = tmp_path.iterdir()
    assert str(kept) in said
    assert "Traceback" not in said
    assert "Traceback" in kept.read_text()
