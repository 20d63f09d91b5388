"""Where profiles come from: a TOML file, the `endpoints.json` of a running simulator, variables.

The only module of the client that reads the environment or looks for files by itself, and it does
so only in `find_profile`. The form of `endpoints.json` is a public contract of `emvs up`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from emvs.markets import MARKETS, Dialect
from pharmacy_client.errors import ProfileError
from pharmacy_client.profile import Profile

_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""An `endpoints.json` of all markets with 200 packs each has some 2 MB (our choice)."""
DEFAULT_ENDPOINTS: Final = Path(".emvs") / "endpoints.json"
DEFAULT_PROFILE: Final = Path(".config") / "emvs" / "pharmacy.toml"
_PREFIX: Final = "PHARMACY_"
_PATHS: Final = ("ca", "certificate", "key")
_FROM_ENVIRONMENT: Final = tuple(
    name for name in Profile.__struct_fields__ if name not in ("source", "dialect")
)


class Choice(NamedTuple):
    """What the user chose on the command line or by variables; None where nothing was said."""

    profile: Path | None = None
    endpoints: Path | None = None
    market: str | None = None
    kind: str = "pharmacy"
    participant: int = 0
    dialect: Dialect | None = None


class _RestLogin(msgspec.Struct):
    client_id: str
    client_secret: str


class _SoapLogin(msgspec.Struct):
    client_login_id: str
    user_id: str
    password: str
    certificate: str | None = None
    key: str | None = None


class _Participant(msgspec.Struct):
    kind: str
    market: str | None = None
    rest: _RestLogin | None = None
    soap: _SoapLogin | None = None


class _Market(msgspec.Struct):
    soap: str | None = None
    rest: str | None = None
    token: str | None = None


class _Endpoints(msgspec.Struct):
    markets: dict[str, _Market]
    participants: list[_Participant]
    ca: str | None = None


def find_profile(
    choice: Choice, *, environment: Mapping[str, str], directory: Path, home: Path
) -> Profile:
    """Return the profile that the user means.

    The first that applies: the chosen profile file; the chosen `endpoints.json`; the one of the
    simulator that runs in this directory; the user's own profile file; variables alone. Single
    values are overridden by variables in any case. Raises ProfileError.
    """
    if choice.profile is not None and choice.endpoints is not None:
        raise ProfileError("Give a profile file or an endpoints file, not both.")
    if choice.profile is not None:
        return profile_from_file(choice.profile, environment=environment, dialect=choice.dialect)
    endpoints = choice.endpoints
    if endpoints is None and (directory / DEFAULT_ENDPOINTS).is_file():
        endpoints = directory / DEFAULT_ENDPOINTS
    if endpoints is not None:
        return profile_from_endpoints(
            endpoints,
            choice.market,
            kind=choice.kind,
            number=choice.participant,
            dialect=choice.dialect,
            environment=environment,
        )
    if (home / DEFAULT_PROFILE).is_file():
        return profile_from_file(
            home / DEFAULT_PROFILE, environment=environment, dialect=choice.dialect
        )
    if f"{_PREFIX}URL" in environment:
        values: dict[str, object] = {"dialect": choice.dialect or _environment_dialect(environment)}
        return _profile(values, environment, directory, "the environment")
    raise ProfileError(
        f"No profile was found: there is neither {DEFAULT_ENDPOINTS} here nor ~/{DEFAULT_PROFILE}."
        " Start the simulator with `make up`, or name a file with --profile or --endpoints."
    )


def profile_from_file(
    path: Path, *, environment: Mapping[str, str] | None = None, dialect: Dialect | None = None
) -> Profile:
    """Return the profile in a TOML file. Paths in it are relative to the file's directory."""
    try:
        values: dict[str, object] = tomllib.loads(_read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} is not a TOML file: {error}") from error
    if "source" in values:
        raise ProfileError(f"{path}: Object contains unknown field `source`")
    if dialect is not None:
        values["dialect"] = dialect
    return _profile(values, environment or {}, path.parent, str(path))


def profile_from_endpoints(
    path: Path,
    market: str | None = None,
    *,
    kind: str = "pharmacy",
    number: int = 0,
    dialect: Dialect | None = None,
    environment: Mapping[str, str] | None = None,
) -> Profile:
    """Return the profile of a simulator's participant.

    `number` counts, from 0, the participants of that kind in that market. Without a market the
    file's first participant of the kind chooses it; without a dialect the market's usual one is
    taken, if it is on offer. Raises ProfileError.
    """
    endpoints = _read_endpoints(path)
    found = [
        participant
        for participant in endpoints.participants
        if participant.kind == kind and participant.market in endpoints.markets
    ]
    if market is None and found:
        market = found[0].market
    if market is not None and market.upper() in endpoints.markets:
        market = market.upper()
    offer = endpoints.markets.get(market or "")
    if market is None or offer is None:
        offered = ", ".join(endpoints.markets) or "none"
        raise ProfileError(f"{path} has no market {market or 'at all'}; it has: {offered}.")
    found = [participant for participant in found if participant.market == market]
    if not 0 <= number < len(found):
        raise ProfileError(
            f"{path} has {len(found)} participants of kind {kind} in {market}; there is no number"
            f" {number} (they are counted from 0)."
        )
    participant = found[number]
    offered_dialects = [
        name
        for name, usable in (
            (Dialect.REST, offer.rest and offer.token and participant.rest),
            (Dialect.SOAP, offer.soap and participant.soap),
        )
        if usable
    ]
    if dialect is None and offered_dialects:
        usual = MARKETS[market].dialect if market in MARKETS else None
        dialect = usual if usual in offered_dialects else offered_dialects[0]
    if dialect is None or dialect not in offered_dialects:
        raise ProfileError(
            f"{kind} {number} in {market} cannot use {dialect or 'any dialect'}; on offer:"
            f" {', '.join(offered_dialects) or 'nothing'}."
        )
    values: dict[str, object] = {"dialect": dialect, "ca": endpoints.ca}
    if dialect is Dialect.REST and participant.rest is not None:
        values |= {"url": offer.rest, "token_url": offer.token}
        values |= msgspec.structs.asdict(participant.rest)
    elif participant.soap is not None:
        values |= {"url": offer.soap} | msgspec.structs.asdict(participant.soap)
    return _profile(values, environment or {}, path.parent, f"{path} ({market}, {kind} {number})")


def _read_endpoints(path: Path) -> _Endpoints:
    try:
        return msgspec.convert(json.loads(_read(path)), _Endpoints)
    except (ValueError, RecursionError) as error:  # msgspec's and json's errors are ValueErrors.
        raise ProfileError(f"{path} is not the endpoints file of `emvs up`: {error}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ProfileError(f"{path} cannot be read: {reason}.") from error
    if len(data) > _FILE_BYTES_MAX:
        raise ProfileError(f"{path} is larger than {_FILE_BYTES_MAX} bytes.")
    return data


def _environment_dialect(environment: Mapping[str, str]) -> str:
    given = environment.get(f"{_PREFIX}DIALECT")
    if given:
        return given
    return Dialect.REST if f"{_PREFIX}TOKEN_URL" in environment else Dialect.SOAP


def _profile(
    values: dict[str, object], environment: Mapping[str, str], directory: Path, source: str
) -> Profile:
    """Return the profile of these values, overridden by variables, paths made absolute."""
    for name in _PATHS:
        value = values.get(name)
        if isinstance(value, str) and value:
            values[name] = str((directory / value).absolute())
    for name in _FROM_ENVIRONMENT:
        given = environment.get(_PREFIX + name.upper())
        if given:
            values[name] = given
    try:
        # Variables are texts: "2.5" has to do for a number.
        return msgspec.convert({**values, "source": source}, Profile, strict=False)
    except msgspec.ValidationError as error:
        raise ProfileError(f"The profile from {source} is wrong: {error}.") from error
