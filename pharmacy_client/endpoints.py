"""The `endpoints.json` of a running simulator: who may speak to which national system, and how.

Its form is a public contract of `emvs up`; members that are not read here are ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

from emvs.clients.files import UnreadableFileError, read_bounded
from emvs.markets import MARKETS, Dialect
from pharmacy_client.errors import ProfileError

_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""An `endpoints.json` of all markets with 200 packs each has some 2 MB (our choice)."""


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


def read_participant(
    path: Path,
    market: str | None,
    *,
    kind: str,
    number: int,
    dialect: Dialect | str | None,
) -> tuple[dict[str, object], str]:
    """Return the values of a profile for a participant, and a name of it for messages.

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
    if dialect == Dialect.REST and participant.rest is not None:
        values |= {"url": offer.rest, "token_url": offer.token}
        values |= msgspec.structs.asdict(participant.rest)
    elif participant.soap is not None:
        values |= {"url": offer.soap} | msgspec.structs.asdict(participant.soap)
    return values, f"{path} ({market}, {kind} {number})"


def _read_endpoints(path: Path) -> _Endpoints:
    try:
        return msgspec.convert(json.loads(read_file(path)), _Endpoints)
    except (ValueError, RecursionError) as error:  # msgspec's and json's errors are ValueErrors.
        raise ProfileError(f"{path} is not the endpoints file of `emvs up`: {error}") from error


def read_file(path: Path) -> bytes:
    """Return the bytes of a file. ProfileError if it cannot be read or is too large."""
    try:
        return read_bounded(path, _FILE_BYTES_MAX)
    except UnreadableFileError as error:
        raise ProfileError(str(error)) from error
