"""Serial numbers from files, and profiles: what is taken, and what the user is told otherwise."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hub.obp.errors import InputError, ProfileError
from hub.obp.exit_codes import MEANINGS
from hub.obp.profile import Choice, Profile, find_profile
from hub.obp.serial_sources import checked, read_serial_numbers


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


GTIN, PPN = "09506000134376", "111234567842"
PAGE = Path(__file__).parents[3] / "docs" / "obp.md"


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("s.txt", b"A1\n\nB2  \r\nC3", [(1, "A1"), (3, "B2"), (4, "C3")]),
        ("s.anything", b"\xef\xbb\xbfA1\n", [(1, "A1")]),
        ("s.csv", b"batch,serialNumber\nL,A1\nL,B2\n", [(2, "A1"), (3, "B2")]),
        ("s.csv", b"\xef\xbb\xbfSerial Number;batch\r\nA1;L\r\n", [(2, "A1")]),
        ("s.csv", b'sn\n"A,1"\n', [(2, "A,1")]),
        ("s.ndjson", b'"A1"\n{"serialNumber":"B2","x":1}\n\n', [(1, "A1"), (2, "B2")]),
        ("s.jsonl.gz", packed(b'"A1"\n'), [(1, "A1")]),
        ("s.txt.gz", packed(b"A1\nB2"), [(1, "A1"), (2, "B2")]),
        ("s.txt", b"", []),
    ],
)
def test_files_of_serial_numbers(
    tmp_path: Path, name: str, content: bytes, read: list[tuple[int, str]]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert list(read_serial_numbers(path)) == read


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("s.csv", b"a,b\n1,2\n", "name the column with --column. It has: a, b"),
        ("s.csv", b"", "no column serialNumber"),
        ("s.csv", b"a,sn\n1\n", "line 2 has no column 'sn'"),
        ("s.ndjson", b'"A1"\n{"x":1}\n', "line 2 is neither"),
        ("s.ndjson", b"nonsense\n", "line 1 is no JSON"),
        ("s.txt", b"A1\n\xff\n", "cannot be read"),
        ("s.txt", b"x" * 70_000, "line 1 is too long"),
        ("s.txt.gz", b"not gzip", "cannot be read"),
        ("s.txt.gz", packed(b"A1\n" * 9_999)[:40], "cannot be read"),
        ("missing.txt", None, "No such file"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(told)):
        list(read_serial_numbers(path))


@pytest.mark.parametrize(
    ("product_code", "second", "told"),
    [
        (GTIN, "A" * 21, "line 7"),
        (GTIN, "A B", "set 82"),
        (GTIN, "A1", "twice"),
        (PPN, "a1", "digits and capitals"),
    ],
)
def test_what_the_hub_would_refuse_is_held_back(product_code: str, second: str, told: str) -> None:
    numbered = [(6, "A1"), (7, second)]
    with pytest.raises(InputError, match=told):
        list(checked(numbered, product_code=product_code, source="s.txt"))


def test_the_first_bad_lines_are_named_and_the_others_counted() -> None:
    numbered = [(1, "A1"), (2, "A1"), *((line, "?" * 21) for line in range(3, 20))]
    with pytest.raises(InputError) as caught:
        list(checked(numbered, product_code=GTIN, source="s.txt"))
    told = str(caught.value)
    assert "s.txt, line 2: 'A1' stands there twice. s.txt, line 3:" in told
    assert "line 11:" in told
    assert "line 12:" not in told
    assert "8 more lines are wrong" in told


def test_small_letters_are_good_beside_a_gtin() -> None:
    assert list(checked([(1, "a1"), (2, "A1")], product_code=GTIN, source="")) == ["a1", "A1"]


VALUES = {
    "url": "https://hub.example:8443",
    "organisation_id": "10001",
    "client_id": "001",
    "token": "secret-token",
    "journal": "journal",
}


def made(**changes: Any) -> Profile:
    return Profile.from_values(VALUES | changes, source="test", directory=Path("/somewhere"))


def test_a_profile_shows_no_secret_and_has_whole_paths() -> None:
    profile = made(ca="ca.pem")
    assert "secret-token" not in repr(profile)
    assert (profile.ca, profile.journal) == ("/somewhere/ca.pem", "/somewhere/journal")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": "ftp://hub"}, "like https"),
        ({"url": "https://hub/?a=b"}, "like https"),
        ({"organisation_id": "1"}, "5 digits"),
        ({"client_id": "0001"}, "3 digits"),
        ({"token": "a\nb"}, "token"),
        ({"key": "k.pem"}, "no `certificate`"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"tokn": "x"}, "tokn"),
        ({"kind": "pharmacy"}, "pharmacy"),
    ],
)
def test_wrong_profiles_are_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        made(**changes)


def endpoints(folder: Path) -> Path:
    path = folder / "endpoints.json"
    login = {"organisation_id": "DEMO1", "client_id": "001", "token": "t"}
    document = {
        "hub": {"url": "http://127.0.0.1:7070"},
        "participants": [{"kind": "pharmacy"}, {"kind": "obp", "hub": login, "later": 1}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_the_running_simulator_is_found_then_the_users_own_profile(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    (home / ".config/emvs").mkdir(parents=True)
    (home / ".config/emvs/obp.toml").write_text(
        'url = "https://hub.example"\norganisation_id = "10001"\nclient_id = "001"\ntoken = "t"\n'
    )
    here.mkdir()
    own = find_profile(Choice(), environment={"OBP_TOKEN": "other"}, directory=here, home=home)
    assert (own.url, own.token) == ("https://hub.example", "other")
    assert own.journal == str(home / ".local/state/emvs/obp")
    endpoints(here / ".emvs")
    found = find_profile(Choice(), environment={}, directory=here, home=home)
    assert (found.url, found.organisation_id) == ("http://127.0.0.1:7070", "DEMO1")
    assert found.journal == str(here / ".emvs/obp")
    assert found.company is not None


def test_variables_alone_are_a_profile(tmp_path: Path) -> None:
    environment = {
        "OBP_URL": "http://127.0.0.1:1",
        "OBP_ORGANISATION_ID": "10001",
        "OBP_CLIENT_ID": "001",
        "OBP_TOKEN": "t",
        "OBP_TIMEOUT_S": "2.5",
    }
    profile = find_profile(Choice(), environment=environment, directory=tmp_path, home=tmp_path)
    assert profile.timeout_s == 2.5


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (Choice(), "make up"),
        (Choice(Path("a"), Path("b")), "not both"),
        (Choice(Path("missing.toml")), "cannot be read"),
        (Choice(None, Path(__file__)), "not the endpoints file"),
    ],
)
def test_without_a_usable_profile_the_way_out_is_told(
    tmp_path: Path, choice: Choice, told: str
) -> None:
    with pytest.raises(ProfileError, match=told):
        find_profile(choice, environment={}, directory=tmp_path, home=tmp_path)


def test_the_page_has_the_exit_codes_and_a_profile_that_can_be_loaded(tmp_path: Path) -> None:
    page = PAGE.read_text()
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(str(code.value), meaning) for code, meaning in MEANINGS.items()]
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "obp.toml"
    path.write_text(example)
    profile = Profile.from_file(path, home=tmp_path)
    assert profile.company is not None
    assert profile.certificate == str(tmp_path / "obp.pem")
