"""Processor time of other processes, those that have ended included."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loadtests.bench.disturbance import Clocks, read_clocks, told
from loadtests.cpu_time import process_cpu_s, server_cpu_s

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_time_of_a_child_that_has_ended_is_not_lost() -> None:
    before = server_cpu_s(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)  # noqa: S603 - Python itself.
    assert server_cpu_s(os.getpid()) - before >= 0.27  # Counted in steps of 10 ms.
    assert process_cpu_s(os.getpid()) > 0


def test_a_process_that_is_gone_has_no_time() -> None:
    assert server_cpu_s(2**22 + 1) == 0


def test_what_others_took_is_what_was_busy_and_not_ours() -> None:
    cores = os.cpu_count() or 1
    before, after = Clocks(0, 0, 0, 0), Clocks(10, 6 * cores, 1 * cores, 2 * cores)
    assert told(before, after) == "others 40%, stolen 10% of all cores"
    assert told(None, after) == "not known here"
    assert read_clocks(os.getpid()) is not None
