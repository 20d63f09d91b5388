"""Keys of a profile file set by machine: comments stay, odd forms are refused, nothing is lost."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pharmacy_client.errors import ProfileError
from pharmacy_client.profile_file import write_keys
from pharmacy_client.upkeep import is_password_reminder, new_password

TEXT = '# mine\npassword = "old" # note\nurl = "http://x"\n'


def test_one_key_is_set_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    write_keys(path, {"next_password": "n"})
    write_keys(path, {"password": "new", "next_password": None})
    assert path.read_text() == '# mine\npassword = "new"\nurl = "http://x"\n'
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=40)
@given(st.text(max_size=30).filter(str.isprintable))
def test_any_value_comes_back(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.toml"
        path.write_text(TEXT)
        write_keys(path, {"password": value})
        assert tomllib.loads(path.read_text("utf-8"))["password"] == value


@pytest.mark.parametrize(
    "text", ['password = """\nold"""\n', 'x.y = 1\n[table]\npassword = "old"\n', "password = \n"]
)
def test_a_form_that_would_be_broken_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(ProfileError):
        write_keys(path, {"password": "new"})
    assert path.read_text() == text


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(TEXT)
    link = tmp_path / "link.toml"
    link.symlink_to("real.toml")
    write_keys(link, {"password": "new"})
    assert link.is_symlink()
    assert "new" in (tmp_path / "real.toml").read_text()


def test_made_up_passwords_fit_the_policy() -> None:
    for _ in range(200):
        password = new_password()
        assert 10 <= len(password) <= 60
        assert any(map(str.islower, password))
        assert any(map(str.isupper, password))
        assert any(map(str.isdigit, password))
        assert any(not letter.isalnum() for letter in password)


def test_reminders_are_told_from_other_notes() -> None:
    assert is_password_reminder("NMVS_NOTIFY_AU_02 The password expires in 10 days")
    assert not is_password_reminder("NMVS_NOTIFY_AU_01 An old password is in use")
