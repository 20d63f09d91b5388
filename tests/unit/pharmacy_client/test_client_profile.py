"""Profiles: from a file, from the endpoints of a simulator, from variables; secrets never shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from emvs.markets import Dialect
from pharmacy_client import Profile, ProfileError
from pharmacy_client.profile_choice import Choice, find_profile

TOML = """
dialect = "rest"
url = "https://api.example/verification"
token_url = "https://api.example/identity/connect/token"
client_id = "till-1"
client_secret = "hush-hush"
ca = "ca.pem"
timeout_s = 7
"""
REST_VARIABLES = {
    "PHARMACY_URL": "http://127.0.0.1:1",
    "PHARMACY_TOKEN_URL": "http://127.0.0.1:1/connect/token",
    "PHARMACY_CLIENT_ID": "v",
    "PHARMACY_CLIENT_SECRET": "w",
}


def participant(market: str | None, kind: str, name: str, **logins: Any) -> dict[str, Any]:
    rest = {"client_id": name, "client_secret": f"secret-{name}"}
    soap = {
        "client_login_id": name.upper(),
        "user_id": "USER1",
        "password": "Demo-Pass-1",
        "certificate": None,
        "key": None,
    }
    return {"market": market, "kind": kind, "name": name, "location": name} | (
        {"rest": rest, "soap": soap} | logins
    )


ENDPOINTS = {
    "ca": "certificates/ca.pem",
    "hub": {"url": "http://h", "management": "http://m"},
    "markets": {
        "AT": {"soap": "http://127.0.0.1:2", "rest": None, "token": None, "management": "http://m"},
        "IE": {
            "soap": "http://127.0.0.1:3",
            "rest": "http://127.0.0.1:3/verification",
            "token": "http://127.0.0.1:3/identity/connect/token",
            "management": "http://m",
        },
    },
    "participants": [
        participant(None, "obp", "maker", soap=None, rest=None),
        participant("AT", "wholesaler", "at-wholesaler"),
        participant("AT", "pharmacy", "at-pharmacy", rest=None),
        participant("IE", "pharmacy", "ie-one"),
        participant("IE", "pharmacy", "ie-two"),
    ],
    "packs": [],
    "something_new": {"later": 1},
}


@pytest.fixture
def endpoints(tmp_path: Path) -> Path:
    path = tmp_path / ".emvs" / "endpoints.json"
    path.parent.mkdir()
    path.write_text(json.dumps(ENDPOINTS))
    return path


def test_from_file(tmp_path: Path) -> None:
    path = tmp_path / "pharmacy.toml"
    path.write_text(TOML)
    profile = Profile.from_file(path)
    assert profile.dialect is Dialect.REST
    assert profile.ca == str(tmp_path / "ca.pem")
    assert profile.timeout_s == 7.0
    assert profile.source == str(path)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "pharmacy.toml"
    path.write_text(TOML)
    assert "hush" not in repr(Profile.from_file(path))


def test_first_pharmacy_is_the_default(endpoints: Path) -> None:
    profile = Profile.from_endpoints(endpoints)
    assert (profile.dialect, profile.client_login_id) == (Dialect.SOAP, "AT-PHARMACY")
    assert profile.url == "http://127.0.0.1:2"
    assert profile.ca == str(endpoints.parent / "certificates" / "ca.pem")


def test_market_chooses_its_usual_dialect(endpoints: Path) -> None:
    profile = Profile.from_endpoints(endpoints, "ie", number=1)
    assert (profile.dialect, profile.client_id) == (Dialect.REST, "ie-two")
    assert profile.token_url == "http://127.0.0.1:3/identity/connect/token"


def test_dialect_can_be_chosen(endpoints: Path) -> None:
    profile = Profile.from_endpoints(endpoints, "IE", dialect=Dialect.SOAP)
    assert (profile.dialect, profile.url) == (Dialect.SOAP, "http://127.0.0.1:3")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"market": "FR"}, "no market FR; it has: AT, IE"),
        ({"market": "IE", "number": 2}, "2 participants of kind pharmacy in IE"),
        ({"market": "IE", "number": -1}, "no number -1"),
        ({"market": "IE", "kind": "hospital"}, "0 participants of kind hospital"),
        ({"market": "AT", "dialect": Dialect.REST}, "cannot use rest; on offer: soap"),
        ({"kind": "obp"}, "no market"),
    ],
)
def test_what_the_endpoints_lack_is_said(
    endpoints: Path, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(ProfileError, match=why):
        Profile.from_endpoints(endpoints, **arguments)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"markets":{}}', b"\xff", b"[" * 100_000])
def test_broken_endpoints(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "endpoints.json"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match="not the endpoints file"):
        Profile.from_endpoints(path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('dialect = "fax"', "dialect"),
        ('url = "ftp://x"', "`url` must be like"),
        ('url = "https://"', "`url` must be like"),
        ('url = "https://h:99999"', "`url` must be like"),
        ('client_secret = ""', "needs client_secret"),
        ('client_secret = "a\\nb"', "cannot be sent"),
        ('dialect = "soap"', "needs client_login_id, user_id, password"),
        ("timeout_s = 0", "`timeout_s` must be above 0"),
        ("timeout_s = nan", "`timeout_s` must be above 0"),
        ('locale = "ελ"', "ASCII"),
        ('language = "english"', "three letters"),
        ('key = "k.pem"', "no `certificate`"),
        ("timeot_s = 3", "unknown field"),
        ("url = 3", "url"),
        ("url = ", "not a TOML file"),
        ('soap_version = "2.0"', "soap_version"),
    ],
)
def test_wrong_profiles_are_refused_with_the_reason(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "pharmacy.toml"
    name, _, _ = line.partition(" ")
    kept = [old for old in TOML.splitlines() if old.partition(" ")[0] != name]
    path.write_text("\n".join([*kept, line]))
    with pytest.raises(ProfileError, match=why) as caught:
        Profile.from_file(path)
    assert "hush" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read: No such file"):
        Profile.from_file(tmp_path / "nowhere.toml")


def find(tmp_path: Path, choice: Choice | None = None, **environment: str) -> Profile:
    return find_profile(
        choice or Choice(), environment=environment, directory=tmp_path, home=tmp_path / "home"
    )


def test_simulator_here_goes_before_the_users_own_profile(tmp_path: Path, endpoints: Path) -> None:
    own = tmp_path / "home" / ".config" / "emvs" / "pharmacy.toml"
    own.parent.mkdir(parents=True)
    own.write_text(TOML)
    assert find(tmp_path).source.startswith(str(endpoints))
    endpoints.unlink()
    assert find(tmp_path).source == str(own)
    with pytest.raises(ProfileError, match="market can be chosen only from an endpoints file"):
        find(tmp_path, Choice(market="IE"))


def test_variables_alone_make_a_profile(tmp_path: Path) -> None:
    assert find(tmp_path, None, **REST_VARIABLES).dialect is Dialect.REST
    with pytest.raises(ProfileError, match="needs client_login_id"):
        find(tmp_path, PHARMACY_URL="http://127.0.0.1:1")


def test_variables_override_single_values(tmp_path: Path, endpoints: Path) -> None:
    profile = find(tmp_path, PHARMACY_PASSWORD="Other-Pass-2", PHARMACY_TIMEOUT_S="2.5")
    assert (profile.password, profile.timeout_s) == ("Other-Pass-2", 2.5)
    assert profile.client_login_id == "AT-PHARMACY"
    assert profile.source.startswith(str(endpoints))


def test_nothing_found_says_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="make up"):
        find(tmp_path)


def test_two_sources_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="not both"):
        find(tmp_path, Choice(profile=tmp_path / "a", endpoints=tmp_path / "b"))
