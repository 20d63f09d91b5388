"""Rules on product master data (`PMDR`). Pure: what is known of the product comes in.

Source: EMVO's published rules on master data, versions and mandatory fields; what is marked as
our choice there is marked so here.
"""

from __future__ import annotations

import re
from typing import Final

from emvs.check_digits import is_valid_gtin, is_valid_ppn
from emvs.markets import MARKETS
from emvs.obp_messages import MarketPart, ProductMessage
from emvs.scheme import Scheme
from hub.defects import Code, Defects, warning
from hub.facts import Judgement, ProductFacts, Sender
from hub.fields import FIELD_RULES, check_field, check_organisation

PACK_SIZE_MAX: Final = 1_000_000
"""Our choice."""
ATC_CODES_MAX: Final = 50
"""Our choice."""
DESIGNATED_WHOLESALERS_MAX: Final = 1_000
"""Per market; our choice."""

_COMMON_FIELDS: Final = ("name", "commonName", "pharmaceuticalForm", "strength", "packType")
_MARKET_FIELDS: Final = ("nationalCode", "article57Code")
_SCHEME_BY_LENGTH: Final = {14: Scheme.GTIN, 12: Scheme.PPN}
_CHECK_DIGITS: Final = {Scheme.GTIN: is_valid_gtin, Scheme.PPN: is_valid_ppn}
_ATC_CODE: Final = re.compile(r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?")

# The one market whose rule is published: Austria wants the PZN, seven digits, on every product.
_NATIONAL_CODE_OBLIGATORY: Final = {"AT": re.compile(r"\d{7}", re.ASCII)}


def judge_product(message: ProductMessage, known: ProductFacts | None, sender: Sender) -> Judgement:
    """Return what the rules say about a new version of a product; `known` if there is one."""
    judgement = Judgement()
    defects = judgement.defects
    scheme_of(message.productCode, message.scheme, defects, scheme_required=True)
    if known is not None:
        check_owner(known, sender, defects)
    for name in _COMMON_FIELDS:
        check_field(getattr(message, name), name, FIELD_RULES[name], defects)
    _check_pack_size(message.packSize, defects)
    _check_atc_codes(message.atcCodes, defects)
    _check_markets(message.markets, sender, defects)
    if defects:
        return judgement
    judgement.markets = [part.market for part in message.markets if part.market]
    judgement.product_version = known.latest_version + 1 if known else 1
    _warn_of_withdrawal(message, known, judgement)
    _warn_of_strength(message, judgement)
    return judgement


def scheme_of(
    product_code: str | None, scheme: str | None, defects: Defects, *, scheme_required: bool
) -> Scheme | None:
    """Return the coding scheme of a product code, None if there is a defect."""
    if scheme is None and scheme_required:
        defects.add(Code.A16, "scheme", None, "absent", "scheme is absent")
    if scheme is not None and scheme not in Scheme.__members__:
        defects.add(Code.I1, "scheme", scheme, "unknown_scheme", "scheme is GTIN or PPN")
        scheme = None
    if product_code is None:
        defects.add(Code.A16, "productCode", None, "absent", "productCode is absent")
        return None
    found = _SCHEME_BY_LENGTH.get(len(product_code))
    if found is None or not (product_code.isascii() and product_code.isdigit()):
        text = "a product code is a GTIN of 14 digits or a PPN of 12"
        defects.add(Code.I1, "productCode", product_code, "format", text)
        return None
    if scheme is not None and scheme != found:
        text = f"{len(product_code)} digits are a {found}, not a {scheme}"
        defects.add(Code.A16, "scheme", scheme, "scheme_mismatch", text)
        return None
    if not _CHECK_DIGITS[found](product_code):
        text = "the check digit is wrong"
        defects.add(Code.A16, "productCode", product_code, "check_digit", text)
        return None
    return found


def check_is_named(value: str | None, path: str, defects: Defects) -> None:
    """Add a defect if an identifier is absent or empty."""
    if not value:
        rule, code = ("absent", Code.A16) if value is None else ("empty", Code.I1)
        defects.add(code, path, value, rule, f"{path.rpartition('.')[2]} is {rule}")


def check_owner(known: ProductFacts, sender: Sender, defects: Defects) -> None:
    """Add a defect if the product is another organisation's: each touches only its own."""
    if known.organisation_id != sender.organisation_id:
        text = "the product belongs to another organisation"
        defects.add(Code.A16, "productCode", known.product_code, "other_owner", text)


def check_market(
    market: str | None, path: str, sender: Sender, seen: set[str], defects: Defects
) -> None:
    """Add what is wrong with the market at `path`; `seen` are those before it in the list."""
    if not market:
        defects.add(Code.A16, path, market, "absent", "the market is absent")
    elif market not in MARKETS:
        text = "no market of the EMVS has this code"
        defects.add(Code.A16, path, market, "unknown_market", text)
    elif market in seen:
        defects.add(Code.A16, path, market, "duplicate", "the market is listed twice")
    elif not sender.reaches(market):
        text = "the market's national system is not connected to this hub"
        defects.add(Code.A16, path, market, "market_not_connected", text)
    if market:
        seen.add(market)


def _check_pack_size(pack_size: int | None, defects: Defects) -> None:
    if pack_size is None:
        defects.add(Code.A16, "packSize", None, "absent", "packSize is absent")
    elif not 1 <= pack_size <= PACK_SIZE_MAX:
        text = f"packSize is from 1 to {PACK_SIZE_MAX}"
        defects.add(Code.A16, "packSize", str(pack_size), "range", text)


def _check_atc_codes(atc_codes: list[str], defects: Defects) -> None:
    if len(atc_codes) > ATC_CODES_MAX:
        text = f"{len(atc_codes)} ATC codes, at most {ATC_CODES_MAX} are taken"
        defects.add(Code.I1, "atcCodes", None, "too_many", text)
        return
    for position, atc_code in enumerate(atc_codes):
        if not _ATC_CODE.fullmatch(atc_code):
            text = "an ATC code is like N02BE01, or the start of one"
            defects.add(Code.I1, f"atcCodes[{position}]", atc_code, "format", text)


def _check_markets(parts: list[MarketPart], sender: Sender, defects: Defects) -> None:
    if not parts:
        text = "a product is placed on at least one market"
        defects.add(Code.A16, "markets", None, "absent", text)
    if len(parts) > len(MARKETS):
        text = f"{len(parts)} markets, there are {len(MARKETS)}"
        defects.add(Code.I1, "markets", None, "too_many", text)
        return
    seen: set[str] = set()
    for position, part in enumerate(parts):
        path = f"markets[{position}]"
        check_market(part.market, f"{path}.market", sender, seen, defects)
        _check_market_part(part, path, defects)
        _check_holder(part, path, sender, defects)


def _check_holder(part: MarketPart, path: str, sender: Sender, defects: Defects) -> None:
    # Published: an OBP may upload for entities of its own corporate structure alone. Which those
    # are is in its account, if it has said so.
    holder = part.marketingAuthorisationHolder
    if not (sender.holders and holder and holder.name):
        return
    if holder.name.casefold() not in sender.holders:
        where = f"{path}.marketingAuthorisationHolder.name"
        text = "the organisation's account does not name this holder"
        defects.add(Code.A16, where, holder.name, "other_holder", text)


def _check_market_part(part: MarketPart, path: str, defects: Defects) -> None:
    for name in _MARKET_FIELDS:
        check_field(getattr(part, name), f"{path}.{name}", FIELD_RULES[name], defects)
    obligatory = _NATIONAL_CODE_OBLIGATORY.get(part.market or "")
    if obligatory and not part.nationalCode:
        text = f"{part.market} wants the national code on every product"
        defects.add(Code.A16, f"{path}.nationalCode", None, "national_code_obligatory", text)
    elif obligatory and part.nationalCode and not obligatory.fullmatch(part.nationalCode):
        text = f"the national code of {part.market} does not look like this"
        defects.add(Code.A16, f"{path}.nationalCode", part.nationalCode, "format", text)
    holder = part.marketingAuthorisationHolder
    check_organisation(holder, f"{path}.marketingAuthorisationHolder", defects, required=True)
    # The list itself is optional: the system cannot know whether a contract exists.
    wholesalers = part.designatedWholesalers
    if len(wholesalers) > DESIGNATED_WHOLESALERS_MAX:
        text = f"{len(wholesalers)} wholesalers, at most {DESIGNATED_WHOLESALERS_MAX} are taken"
        defects.add(Code.I1, f"{path}.designatedWholesalers", None, "too_many", text)
        return
    for position, wholesaler in enumerate(wholesalers):
        where = f"{path}.designatedWholesalers[{position}]"
        check_organisation(wholesaler, where, defects, required=True)


def _warn_of_withdrawal(
    message: ProductMessage, known: ProductFacts | None, judgement: Judgement
) -> None:
    withdrawn = known.withdrawn if known else ()
    for position, part in enumerate(message.markets):
        if part.market in withdrawn:
            path = f"markets[{position}].market"
            text = "the product is withdrawn there for good: no batch of this version goes there"
            judgement.warnings.append(warning(path, part.market, "market_withdrawn", text))


def _warn_of_strength(message: ProductMessage, judgement: Judgement) -> None:
    # EMVO's data quality check: the strength stands in the name, and is the same there.
    name, strength = message.name or "", message.strength or ""
    if "".join(strength.split()).casefold() not in "".join(name.split()).casefold():
        text = "the strength does not stand in the name, or differs there"
        judgement.warnings.append(warning("name", name, "strength_not_in_name", text))
