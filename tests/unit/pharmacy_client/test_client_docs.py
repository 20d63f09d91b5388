"""What docs/pharmacy.md shows is what the program does."""

import re
from pathlib import Path

from pharmacy_client import Profile
from pharmacy_client.exit_codes import MEANINGS

PAGE = (Path(__file__).parents[3] / "docs" / "pharmacy.md").read_text()


def test_table_of_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(str(code.value), meaning) for code, meaning in MEANINGS.items()]


def test_profiles_can_be_loaded(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for example, dialect in zip(examples, ("rest", "soap"), strict=True):
        path = tmp_path / f"{dialect}.toml"
        path.write_text(example)
        assert Profile.from_file(path).dialect == dialect
