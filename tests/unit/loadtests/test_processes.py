"""Programs that measurements start end in time, whatever they do."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from emvs.errors import EmvsError
from loadtests import processes

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('here', flush=True); time.sleep(600)"
)


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


async def test_a_program_that_does_not_end_is_killed() -> None:
    begun = time.monotonic()
    with pytest.raises(EmvsError, match="did not end within"):
        await processes.run(python("import time; time.sleep(600)"), seconds_max=0.3)
    assert time.monotonic() - begun < 60


async def test_a_program_that_ends_leaves_its_code_and_output() -> None:
    text = "import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"
    assert await processes.run(python(text), seconds_max=60) == (3, "out\n", "err")


@pytest.mark.parametrize(
    ("text", "seconds", "told"),
    [("raise SystemExit(1)", 60.0, "did not start"), ("input()", 0.2, "not ready within")],
)
def test_a_program_that_does_not_get_ready_is_told(
    tmp_path: Path, text: str, seconds: float, told: str
) -> None:
    with ExitStack() as exits:
        process = processes.start(exits, python(text), stdin=subprocess.PIPE)
        with pytest.raises(EmvsError, match=told):
            processes.wait_for_file(process, tmp_path / "never", seconds)


def test_a_program_that_will_not_end_is_killed_when_its_user_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_END_S_MAX", 0.2)
    with ExitStack() as exits:
        process = processes.start(exits, python(_STUBBORN), stdout=subprocess.PIPE)
        assert processes.read_line(process, 60) == "here\n"
    assert process.returncode == -9
