"""Before a run: logins for its sites, products and packs at the hub, and the plan of it all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from emvs.errors import UsageError
from emvs.infra.launch.client_certificates import open_package
from emvs.infra.launch.errors import LaunchError
from emvs.infra.launch.goods import Batch, Product, last_day_of_month, product_code
from emvs.infra.launch.http_calls import HttpCalls
from emvs.infra.launch.manufacturer import Manufacturer
from emvs.markets import MARKETS, Dialect
from loadtests.run.options import MarketWish, RunOptions, neighbour_of, packs_needed
from loadtests.run.systems import Systems
from loadtests.scenarios.curves import total
from loadtests.scenarios.mix import PAUSE_S, Role
from loadtests.scenarios.packs import MarketPacks, divide
from loadtests.scenarios.plan import Maker, Plan, RestLogin, Site, SoapLogin
from loadtests.scenarios.presets import make_streams

_PRODUCT_NUMBERS: Final = 700_000_000
"""From here on they are those of load tests."""
_FOREIGN_PACKS: Final = 2_000
_CONCURRENT_MAX: Final = 4
_BATCHES_AT_ONCE: Final = 4
_UPLOAD_S_MAX: Final = 300.0
_MARKET_NUMBERS: Final = {code: number for number, code in enumerate(MARKETS)}

Progress = Callable[[str, int, int], None]
"""What, how much of it is done, how much there is."""


async def prepare(
    options: RunOptions, systems: Systems, *, generators: int, progress: Progress
) -> Plan:
    """Return the plan of a run whose packs and logins are there. Raises LaunchError, UsageError."""
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    run_id = f"{seed:06}"
    streams = make_streams(options.preset, duration_s=options.duration_s, rate=options.rate)
    transactions = total(streams.scans, options.duration_s)
    if options.model == "closed":  # Tills set the pace: each scans as often as its pauses let it.
        tills = options.lanes * options.processes
        transactions = tills * options.duration_s / (sum(PAUSE_S) / 2)
    needed = options.packs or packs_needed(
        options, transactions=transactions, bulk_peak=max(rate for _, rate in streams.bulk)
    )
    async with HttpCalls(timeout_s=_UPLOAD_S_MAX) as calls:
        clock = await calls.get(f"{systems.endpoints['hub']['management']}/clock")
        now = datetime.fromisoformat(clock["now"])
        packs = [
            _market_packs(
                wish.code,
                max(1, round(needed * wish.share)),
                run_id,
                now,
                generators,
                recalled=-(-options.preset.recalls // len(options.markets)),
            )
            for wish in options.markets
        ]
        neighbour = neighbour_of(options, list(systems.endpoints["markets"]))
        foreign = (
            _market_packs(neighbour, _FOREIGN_PACKS, run_id, now, generators) if neighbour else None
        )
        maker = _maker(systems, packs)
        await _upload(calls, maker, [*packs, *([foreign] if foreign else [])], now, progress)
        sites = await _register(calls, options, systems, progress)
        ca = None if options.plain else (systems.data / systems.endpoints["ca"]).read_text()
    markets = systems.endpoints["markets"]
    preset = options.preset
    return Plan(
        preset=preset.name,
        seed=seed,
        duration_s=options.duration_s,
        model=options.model,
        client=options.client,
        scans=streams.scans,
        goods_in=streams.goods_in,
        bulk=streams.bulk,
        uploads=streams.uploads,
        market_shares={wish.code: wish.share for wish in options.markets},
        role_shares=preset.role_shares,
        alerts=preset.alerts,
        intermarket=preset.intermarket,
        manual=preset.manual,
        duplicates=preset.duplicates,
        bulk_share=preset.bulk,
        recalls=preset.recalls,
        recall_share=preset.recall_share,
        pauses=preset.pauses,
        pace=streams.pace,
        lanes=options.lanes,
        sites=sites,
        packs=packs,
        foreign=foreign,
        maker=maker,
        ca=ca,
        timeout_s=options.timeout_s,
        managements={wish.code: markets[wish.code]["management"] for wish in options.markets},
        processes=systems.processes,
    )


def _market_packs(
    market: str, packs: int, run_id: str, now: datetime, generators: int, *, recalled: int = 0
) -> MarketPacks:
    try:
        shards, each = divide(packs, generators=generators, recalled=recalled)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return MarketPacks(
        market=market,
        product_code=product_code(_PRODUCT_NUMBERS + _MARKET_NUMBERS[market]),
        run_id=run_id,
        expiry=last_day_of_month(now.date(), 3),
        shards=shards,
        shard_packs=each,
    )


def _maker(systems: Systems, packs: list[MarketPacks]) -> Maker:
    login = next(who["hub"] for who in systems.endpoints["participants"] if who["kind"] == "obp")
    return Maker(
        hub_url=systems.endpoints["hub"]["url"],
        token=login["token"],
        organisation_id=login["organisation_id"],
        client_id=login["client_id"],
        products={one.market: one.product_code for one in packs},
    )


async def _upload(
    calls: HttpCalls,
    maker: Maker,
    packs: list[MarketPacks],
    now: datetime,
    progress: Progress,
) -> None:
    """Return when every market has its packs."""
    manufacturer = Manufacturer(calls, maker.hub_url, maker.token, now=now)
    products = {
        one.market: Product(
            one.product_code, f"Loadol 10 mg ({one.market})", "loadol", "N02BE01", (one.market,)
        )
        for one in packs
    }
    await manufacturer.send_products(list(products.values()))
    count, done = sum(one.count for one in packs), 0
    shards = [(one, shard) for one in packs for shard in range(one.shards)]

    def distributed(number: int) -> None:
        nonlocal done
        done += number
        progress("packs in the markets", done, count)

    # Some at a time, so that memory holds few of them.
    for start in range(0, len(shards), _BATCHES_AT_ONCE):
        batches = [
            Batch("load", products[one.market], one.batch_id(shard), one.expiry, one.serials(shard))
            for one, shard in shards[start : start + _BATCHES_AT_ONCE]
        ]
        try:
            await manufacturer.send_batches(
                batches, uploaded=lambda _: None, distributed=distributed
            )
        except LaunchError as error:
            raise LaunchError(
                f"{error}. If this seed was used on these systems before, its packs are there"
                " already: take another --seed, or leave it out"
            ) from error


async def _register(
    calls: HttpCalls, options: RunOptions, systems: Systems, progress: Progress
) -> list[Site]:
    """Return the sites after registering each with its market."""
    slots = asyncio.Semaphore(_CONCURRENT_MAX)
    wanted = [
        (wish, role, number)
        for wish in options.markets
        for role, count in zip(Role, options.sites, strict=True)
        for number in range(1, count + 1)
    ]
    done = 0

    async def register(place: int, wish: MarketWish, role: Role, number: int) -> Site:
        nonlocal done
        async with slots:
            site = await _register_site(calls, options, systems, place, wish, role, number)
        done += 1
        progress("sites", done, len(wanted))
        return site

    return list(await asyncio.gather(*(register(place, *row) for place, row in enumerate(wanted))))


async def _register_site(  # noqa: PLR0917 - the members of one row.
    calls: HttpCalls,
    options: RunOptions,
    systems: Systems,
    place: int,
    wish: MarketWish,
    role: Role,
    number: int,
) -> Site:
    market = systems.endpoints["markets"][wish.code]
    location = f"{wish.code}-load-{role}-{number}"
    login = f"{wish.code}LOAD{role[:4].upper()}{number:03}"
    registration: dict[str, Any] = {
        "kind": str(role),
        "name": f"Load {role} {number} ({wish.code})",
        "location": location,
    }
    soap = rest = None
    if wish.dialect is Dialect.SOAP:
        soap = SoapLogin(login, "USER0001", f"Load-Pass-{number:03}")
        registration["soap"] = {
            "client_login_id": soap.client_login_id,
            "user_id": soap.user_id,
            "password": soap.password,
            "expires": False,
        }
    else:
        rest = RestLogin(location, f"load-secret-{location}")
        registration["rest"] = {"client_id": rest.client_id, "client_secret": rest.client_secret}
    await calls.post(f"{market['management']}/participants", registration)
    certificate = None
    if soap and not options.plain:
        url = f"{market['management']}/certificates"
        answer = await calls.post(url, {"client_login_id": soap.client_login_id})
        certificate = open_package(answer).decode()
    address = urlsplit(market["plain" if options.plain else "secure"][wish.dialect])
    return Site(
        number=place,
        market=wish.code,
        role=role,
        location=location,
        base=f"{address.scheme}://{address.netloc}",
        soap=soap,
        rest=rest,
        certificate=certificate,
    )
