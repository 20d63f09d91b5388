"""What `pharmacy testbook` does: finds the system, runs the book, writes the reports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from emvs.markets import MARKETS, Dialect
from pharmacy_client.errors import ProfileError
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.profile import Profile
from pharmacy_client.profile_choice import DEFAULT_ENDPOINTS, Choice, find_profile
from pharmacy_client.testbook.book import Actor, Pack, Purpose, Role, Setting, WrongUsageError
from pharmacy_client.testbook.chapters import choose_cases
from pharmacy_client.testbook.goods import named_packs, read_pack
from pharmacy_client.testbook.own_system import own_system
from pharmacy_client.testbook.report import BookResult, Verdict, result_object
from pharmacy_client.testbook.report_html import html_report
from pharmacy_client.testbook.report_text import summary_lines, text_report
from pharmacy_client.testbook.runner import Plan, Progress, run_book
from pharmacy_client.testbook.stand import Stand, StandAddresses, read_addresses

MARKET: Final = "GR"
"""The market whose book this is."""
_OWN_MARKETS: Final = "GR,IE"
_TILLS_MAX: Final = 3


class Screen(Progress, Protocol):
    """Progress that can also print."""

    def lines(self, lines: list[str]) -> None:
        """Print lines that stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    self_contained: bool = False
    endpoints: Path | None = None
    profile: Path | None = None
    market: str | None = None
    participant: int = 0
    packs: Path | None = None
    role: Role = Role.PHARMACY
    cases: tuple[str, ...] = ()
    repeat_limit: int | None = None
    keep_clock: bool = False
    json_file: Path | None = None
    html_file: Path | None = None
    text_file: Path | None = None


def run_command(options: Options, screen: Screen) -> ExitCode:
    """Run the book as the options say; return the exit code. Raises EmvsError."""
    if not options.self_contained:  # A run of its own takes nothing from its surroundings.
        options = _completed(options, os.environ)
    _check(options)
    result = asyncio.run(run_options(options, screen))
    _write_reports(options, result)
    screen.lines(summary_lines(result))
    if result.verdict is Verdict.NOT_APPLICABLE:
        raise WrongUsageError("no step could be run against this system; the reasons stand above")
    return ExitCode.OK if result.verdict is Verdict.PASS else ExitCode.REFUSED


def _completed(options: Options, environment: Mapping[str, str]) -> Options:
    """Return the options with what variables say about the system, where nothing else does."""
    if options.market is None and environment.get("PHARMACY_MARKET"):
        options = replace(options, market=environment["PHARMACY_MARKET"])
    if options.endpoints is not None or options.profile is not None:
        return options
    named = {name: environment.get(f"PHARMACY_{name.upper()}") for name in ("endpoints", "profile")}
    if named["endpoints"]:
        return replace(options, endpoints=Path(named["endpoints"]))
    return replace(options, profile=Path(named["profile"])) if named["profile"] else options


def _check(options: Options) -> None:
    """Raise WrongUsageError before anything is started."""
    if options.self_contained and (options.endpoints or options.profile):
        raise WrongUsageError("--self-contained brings its own system: name no other one")
    market = (options.market or MARKET).upper()
    if market not in MARKETS:
        raise WrongUsageError(f"there is no market {market}")
    choose_cases(_setting(options, market), options.cases)
    for file in (options.json_file, options.html_file, options.text_file):
        if file is not None and not file.parent.is_dir():
            raise WrongUsageError(f"there is no folder {file.parent} to write {file.name} into")


async def run_options(options: Options, screen: Screen) -> BookResult:
    """Find the system, run the book, return the result. Raises PharmacyClientError."""
    async with _endpoints(options, screen) as endpoints:
        addresses = StandAddresses() if endpoints is None else read_addresses(endpoints)
        market = _market(options, endpoints, addresses)
        setting = _setting(options, market)
        plan = Plan(
            profile=_profile(options, endpoints, market),
            setting=setting,
            cases=choose_cases(setting, options.cases),
            chosen=bool(options.cases),
            others=_other_profiles(options, endpoints, market),
            given=_given_packs(options, addresses, market),
            keep_clock=options.keep_clock,
        )
        async with Stand(addresses, market) as stand:
            return await run_book(plan, stand, screen, lambda: datetime.now(UTC))


@asynccontextmanager
async def _endpoints(options: Options, screen: Screen) -> AsyncIterator[Path | None]:
    """Yield the `endpoints.json` of the stand, if there is one."""
    if options.self_contained:
        markets = _OWN_MARKETS
        if options.market is not None:
            partner = "IE" if options.market.upper() != "IE" else "FI"
            markets = f"{options.market.upper()}:rest,{partner}:rest"
        async with own_system(markets, screen.preparing) as endpoints:
            yield endpoints
    elif options.endpoints is not None:
        yield options.endpoints
    elif options.profile is None and DEFAULT_ENDPOINTS.is_file():
        yield DEFAULT_ENDPOINTS
    else:
        yield None


def _market(options: Options, endpoints: Path | None, addresses: StandAddresses) -> str:
    if options.market is not None:
        return options.market.upper()
    if endpoints is None or MARKET in addresses.markets:
        return MARKET
    for code in addresses.markets:
        with suppress(ProfileError):
            Profile.from_endpoints(endpoints, code, options.role, dialect=Dialect.REST)
            return code
    raise ProfileError(f"{endpoints} has no market with the REST interface.")


def _setting(options: Options, market: str) -> Setting:
    rules = MARKETS[market].rules if market in MARKETS else MARKETS[MARKET].rules
    if options.repeat_limit is not None:
        rules = replace(rules, supply_repeat_tolerance=options.repeat_limit)
    return Setting(market, options.role, rules)


def _profile(options: Options, endpoints: Path | None, market: str) -> Profile:
    choice = Choice(
        options.profile,
        endpoints,
        None if endpoints is None else market,
        options.role,
        options.participant,
        Dialect.REST,
    )
    environment: Mapping[str, str] = {} if options.self_contained else os.environ
    return find_profile(
        choice, environment=environment, directory=Path.cwd(), home=Path("~").expanduser()
    )


def _other_profiles(options: Options, endpoints: Path | None, market: str) -> dict[Actor, Profile]:
    """Return logins at other locations that the file names; there may be none."""
    others: dict[Actor, Profile] = {}
    if endpoints is None:
        return others
    for actor, kind in ((Actor.OTHER, Role.PHARMACY), (Actor.WHOLESALER, Role.WHOLESALER)):
        for number in range(_TILLS_MAX):
            if kind is options.role and number == options.participant:
                continue
            with suppress(ProfileError):
                others[actor] = Profile.from_endpoints(
                    endpoints, market, kind, number, Dialect.REST
                )
                break
    return others


def _given_packs(
    options: Options, addresses: StandAddresses, market: str
) -> dict[Purpose, list[Pack]]:
    """Return the packs of the user's file, and behind them the active ones of the stand's."""
    given = {} if options.packs is None else named_packs(options.packs)
    active = given.setdefault(Purpose.ACTIVE, [])
    active += [read_pack(pack.scan) for pack in addresses.packs if pack.market == market]
    return given


def _write_reports(options: Options, result: BookResult) -> None:
    """Write the reports that were asked for. Raises WrongUsageError if a file cannot be written."""
    contents: dict[Path, bytes] = {}
    if options.json_file is not None:
        packed = msgspec.json.encode(result_object(result))
        contents[options.json_file] = msgspec.json.format(packed)
    if options.html_file is not None:
        contents[options.html_file] = html_report(result).encode()
    if options.text_file is not None:
        contents[options.text_file] = text_report(result).encode()
    for file, content in contents.items():
        try:
            file.write_bytes(content)
        except OSError as error:
            raise WrongUsageError(f"{file} cannot be written: {error.strerror}") from error
