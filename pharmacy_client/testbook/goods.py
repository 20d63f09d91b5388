"""The packs of a run: made and loaded at the stand, or taken from what the user names."""

from __future__ import annotations

import asyncio
import random
import secrets
from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from emvs.check_digits import gtin_check_digit
from emvs.obp_messages import (
    MarketPart,
    PacksMessage,
    ProductMessage,
    RecallMessage,
    WithdrawalMessage,
)
from emvs.scan import parse_scan
from emvs.serial_numbers import UNMISTAKABLE, generate_serial_numbers
from emvs.state_messages import StateUpdateMessage
from pharmacy_client.endpoints import read_file
from pharmacy_client.errors import ProfileError
from pharmacy_client.testbook.book import Case, Pack, PackSpec, Purpose
from pharmacy_client.testbook.stand import COMPANY, NotOfferedByStandError, Stand

_SHELF_LIFE_YEARS: Final = 3
_SERIAL_LENGTH: Final = 12
_RUN_LENGTH: Final = 6
_NATIONAL_CODE: Final = "2800123"

PackName: TypeAlias = tuple[str, str]
"""Number of a case, name of a pack in it."""


class _Row(NamedTuple):
    """Where packs of a purpose are loaded."""

    product: str
    batch: str


_LOADED: Final = {
    Purpose.ACTIVE: _Row("main", "TBA"),
    Purpose.EXPIRED: _Row("main", "TBE"),
    Purpose.RECALLED: _Row("main", "TBR"),
    Purpose.CHECKED_OUT: _Row("main", "TBC"),
    Purpose.WITHDRAWN: _Row("withdrawn", "TBW"),
    Purpose.INTERMARKET: _Row("foreign", "TBF"),
}


@dataclass(slots=True)
class Stock:
    """The packs of a run."""

    run_id: str
    packs: dict[PackName, Pack] = field(default_factory=dict)
    missing: dict[PackName, str] = field(default_factory=dict)
    """Why there is no such pack."""
    non_fmd_codes: list[str] = field(default_factory=list)


def new_run_id() -> str:
    """Return what tells the goods of this run from those of others."""
    return "".join(secrets.choice(UNMISTAKABLE) for _ in range(_RUN_LENGTH))


def new_product_code() -> str:
    """Return a GTIN out of GS1's range for demonstrations, which nobody is likely to have."""
    first_13 = f"0952{secrets.randbelow(10**9):09}"
    return first_13 + gtin_check_digit(first_13)


def named_packs(path: Path) -> dict[Purpose, list[Pack]]:
    """Return the packs of a file: scans in lists, by purpose. Raises ProfileError or ScanError."""
    try:
        by_purpose = msgspec.json.decode(read_file(path), type=dict[Purpose, list[str]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        purposes = ", ".join(Purpose)
        raise ProfileError(f"{path}: lists of scans are wanted, by {purposes}: {error}") from error
    return {purpose: [read_pack(scan) for scan in scans] for purpose, scans in by_purpose.items()}


def read_pack(scan_text: str) -> Pack:
    """Return the pack of a scan. Raises ScanError."""
    scan = parse_scan(scan_text)
    return Pack(scan.product_code, scan.serial_number, scan.batch_id or "", scan.expiry or "")


async def provide_stock(
    cases: Sequence[Case], stand: Stand, given: Mapping[Purpose, Sequence[Pack]]
) -> Stock:
    """Return the packs that the cases need; what the stand can load is loaded. Raises StandError.

    `given` are packs of the user's, taken first come, first served where the stand can't load.
    """
    wanted = {(case.number, name): spec for case in cases for name, spec in case.packs.items()}
    stock = Stock(new_run_id())
    for pack_name, spec in wanted.items():
        if spec.purpose is Purpose.UNKNOWN_PRODUCT:
            stock.packs[pack_name] = _made_up(new_product_code())
    if stand.lacks_management is None:
        await _list_non_fmd(wanted, stand, stock)
    if stand.lacks_loading is None:
        await _Loading(stand, stock).load(wanted)
    _take_given(wanted, stand, given, stock)
    return stock


def _made_up(product_code: str) -> Pack:
    serial_number = generate_serial_numbers(1, rng=random.SystemRandom(), length=_SERIAL_LENGTH)[0]
    return Pack(product_code, serial_number, "TBX1", "351231")


async def _list_non_fmd(wanted: Mapping[PackName, PackSpec], stand: Stand, stock: Stock) -> None:
    names = [name for name, spec in wanted.items() if spec.purpose is Purpose.NON_FMD]
    if not names:
        return
    code = new_product_code()
    try:
        await stand.list_non_fmd(code)
    except NotOfferedByStandError as error:
        stock.missing |= dict.fromkeys(names, str(error))
        return
    stock.non_fmd_codes.append(code)
    stock.packs |= {name: _made_up(code) for name in names}


def _take_given(
    wanted: Mapping[PackName, PackSpec],
    stand: Stand,
    given: Mapping[Purpose, Sequence[Pack]],
    stock: Stock,
) -> None:
    left = {purpose: list(packs) for purpose, packs in given.items()}
    for name, spec in wanted.items():
        if name in stock.packs or name in stock.missing:
            continue
        is_rule = spec.purpose is Purpose.NON_FMD
        reason = stand.lacks_management if is_rule else stand.lacks_loading
        if spec.serial_number is None and left.get(spec.purpose):
            stock.packs[name] = left[spec.purpose].pop(0)
        elif spec.serial_number is not None:
            stock.missing[name] = f"no pack with such a serial number: {reason}"
        else:
            stock.missing[name] = f"no {spec.purpose.replace('_', ' ')} pack: {reason}"


class _Loading:
    """Loads packs through the hub."""

    def __init__(self, stand: Stand, stock: Stock) -> None:
        self._stand = stand
        self._stock = stock
        self._products = {row.product: new_product_code() for row in _LOADED.values()}

    async def load(self, wanted: Mapping[PackName, PackSpec]) -> None:
        """Load what can be loaded; the rest is noted as missing."""
        today = (await self._stand.hub_now()).date()
        batches: defaultdict[tuple[str, str, str], list[tuple[PackName, str]]] = defaultdict(list)
        specs = {name: spec for name, spec in wanted.items() if spec.purpose in _LOADED}
        serial_numbers = iter(
            generate_serial_numbers(len(specs), rng=random.SystemRandom(), length=_SERIAL_LENGTH)
        )
        for name, spec in specs.items():
            reason = self._lack(spec.purpose)
            if reason is not None:
                self._stock.missing[name] = reason
                continue
            row = _LOADED[spec.purpose]
            # Odd serial numbers would make others of their batch look misread.
            special = "S" if spec.serial_number else ""
            batch_id = spec.batch_id or f"{row.batch}{special}{self._stock.run_id}"
            years = -1 if spec.purpose is Purpose.EXPIRED else _SHELF_LIFE_YEARS
            key = (row.product, batch_id, last_day_of_month(today, years))
            batches[key].append((name, spec.serial_number or next(serial_numbers)))
        products = {product for product, _, _ in batches}
        await asyncio.gather(*(self._send_product(product) for product in sorted(products)))
        await asyncio.gather(*(self._send_batch(*key, packs) for key, packs in batches.items()))
        for purpose in sorted({spec.purpose for spec in specs.values()}):
            try:
                await self._spoil(purpose)
            except NotOfferedByStandError as error:
                for name in [name for name, spec in specs.items() if spec.purpose is purpose]:
                    self._stock.packs.pop(name, None)
                    self._stock.missing.setdefault(name, str(error))

    def _lack(self, purpose: Purpose) -> str | None:
        if purpose is Purpose.INTERMARKET:
            return self._stand.lacks_other_market
        return self._stand.lacks_distributor if purpose is Purpose.CHECKED_OUT else None

    async def _send_product(self, product: str) -> None:
        stand = self._stand
        market = stand.other_market if product == "foreign" else stand.market
        message = ProductMessage(
            transactionId="",
            scheme="GTIN",
            productCode=self._products[product],
            name=f"Testbookol 10 mg tablets ({product})",
            commonName="testbookol",
            pharmaceuticalForm="Tablet",
            strength="10 mg",
            packType="Box",
            packSize=30,
            atcCodes=["N02BE01"],
            markets=[
                MarketPart(
                    market=market,
                    nationalCode=_NATIONAL_CODE,
                    marketingAuthorisationHolder=COMPANY,
                )
            ],
        )
        await stand.send("PMDR", message)

    async def _send_batch(
        self, product: str, batch_id: str, expiry: str, packs: list[tuple[PackName, str]]
    ) -> None:
        product_code = self._products[product]
        message = PacksMessage(
            transactionId="",
            scheme="GTIN",
            productCode=product_code,
            batchId=batch_id,
            expiry=expiry,
            manufacturer=COMPANY,
            serialNumbers=[serial_number for _, serial_number in packs],
        )
        await self._stand.send("PPDC", message)
        for name, serial_number in packs:
            self._stock.packs[name] = Pack(product_code, serial_number, batch_id, expiry)

    async def _spoil(self, purpose: Purpose) -> None:
        """Recall, withdraw or check out what was loaded for that."""
        stand, market = self._stand, self._stand.market
        row = _LOADED[purpose]
        batch_id = row.batch + self._stock.run_id
        serial_numbers = [
            pack.serial_number for pack in self._stock.packs.values() if pack.batch_id == batch_id
        ]
        if not serial_numbers:
            return
        product_code = self._products[row.product]
        if purpose is Purpose.RECALLED:
            recall = RecallMessage(
                transactionId="",
                productCode=product_code,
                batchId=batch_id,
                reason="Test book: tablets of the wrong strength",
                markets=[market],
            )
            await stand.send("RCBR", recall)
        elif purpose is Purpose.WITHDRAWN:
            withdrawal = WithdrawalMessage(
                transactionId="",
                productCode=product_code,
                reason="Test book: authorisation withdrawn",
                markets=[market],
            )
            await stand.send("WDPR", withdrawal)
        elif purpose is Purpose.CHECKED_OUT:
            check_out = StateUpdateMessage(
                transactionId="",
                productCode=product_code,
                batchId=batch_id,
                markets=[market],
                serialNumbers=serial_numbers,
            )
            await stand.send("PSURP", check_out, await stand.distributor())


def last_day_of_month(today: date, years_later: int) -> str:
    """Return the last day of this month in another year, as YYMMDD."""
    year = today.year + years_later
    return f"{year % 100:02}{today.month:02}{monthrange(year, today.month)[1]:02}"
