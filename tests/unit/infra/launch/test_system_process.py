"""What is told about a system that ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.system_process import SystemProcess, SystemSpec

SPEC = SystemSpec("nmvs-fi", "nmvs", "http://127.0.0.1:1", "http://127.0.0.1:2", {})


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("Wrong configuration: no such setting\n", "Wrong configuration: no such setting."),
        ("It could not start.\n", "It could not start."),
        ('{"event": "listening"}\n', ""),
        ("", ""),
    ],
)
def test_its_last_words_are_a_sentence(tmp_path: Path, log: str, words: str) -> None:
    data = DataDirectory(tmp_path)
    process = SystemProcess(SPEC, data)
    assert process.last_words() == ""
    process.log_path.parent.mkdir()
    process.log_path.write_text(log)
    assert process.last_words() == words
