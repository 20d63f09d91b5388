"""A valid message turned into what each national system is told. No rule, no I/O.

A system that serves two markets is told once: of its own market's part, or the first there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from emvs.interconnect import ProductDelivery, RecallDelivery, Wholesaler, WithdrawalDelivery
from emvs.markets import MARKETS
from emvs.obp_messages import (
    LinkMessage,
    MarketPart,
    PacksMessage,
    PostalOrganisation,
    ProductMessage,
    RecallMessage,
)
from hub.facts import Judgement
from hub.store.deliveries import NewDelivery
from hub.uploads import CatalogueMessage

_ARTICLE_MEMBERS: Final = ("pharmaceuticalForm", "strength", "packType", "packSize")


def deliveries_of(
    message: CatalogueMessage | LinkMessage, judgement: Judgement
) -> list[NewDelivery]:
    """Return one delivery for each national system of the judgement's markets."""
    if isinstance(message, LinkMessage):  # It stays in the hub.
        return []
    kind = _kind_of(message)
    return [
        NewDelivery(system, markets, kind, _body(message, judgement, system))
        for system, markets in _by_system(judgement.markets).items()
    ]


def with_serials(body: bytes, serials: bytes) -> list[bytes]:
    """Return the pieces of a packs delivery's complete body.

    Serial numbers were encoded once, and are the same bytes for all markets.
    """
    return [body[:-1] + b',"serialNumbers":', serials, b"}"]


def _kind_of(message: CatalogueMessage) -> str:
    if isinstance(message, ProductMessage):
        return "products"
    if isinstance(message, PacksMessage):
        return "packs"
    return "recalls" if isinstance(message, RecallMessage) else "withdrawals"


def _by_system(markets: Sequence[str]) -> dict[str, list[str]]:
    by_system: dict[str, list[str]] = {}
    for market in markets:
        by_system.setdefault(MARKETS[market].system, []).append(market)
    return by_system


def _body(message: CatalogueMessage, judgement: Judgement, system: str) -> bytes:
    product_code = message.productCode or ""
    if isinstance(message, ProductMessage):
        return msgspec.json.encode(_product(message, judgement, system))
    if isinstance(message, PacksMessage):
        # The members of `emvs.interconnect.PacksDelivery` but the serial numbers.
        return msgspec.json.encode(
            {
                "productCode": product_code,
                "productVersion": judgement.product_version,
                "batchId": message.batchId,
                "expiry": message.expiry,
            }
        )
    reason = message.reason or ""
    if isinstance(message, RecallMessage):
        return msgspec.json.encode(RecallDelivery(product_code, message.batchId or "", reason))
    return msgspec.json.encode(WithdrawalDelivery(product_code, reason))


def _product(message: ProductMessage, judgement: Judgement, system: str) -> ProductDelivery:
    part = _part_of(message, system)
    fields = {name: str(getattr(message, name)) for name in _ARTICLE_MEMBERS}
    if message.atcCodes:
        fields["atcCodes"] = ",".join(message.atcCodes)
    if part.article57Code:
        fields["article57Code"] = part.article57Code
    holder = part.marketingAuthorisationHolder
    if holder is not None and holder.name:
        fields["marketingAuthorisationHolder"] = holder.name
    return ProductDelivery(
        scheme=message.scheme or "",
        productCode=message.productCode or "",
        version=judgement.product_version or 0,
        name=message.name or "",
        commonName=message.commonName or "",
        nationalCode=part.nationalCode,
        articleFields=fields,
        markets=[part.market for part in message.markets if part.market],
        holderId=holder.id if holder is not None else None,
        holderName=holder.name if holder is not None else None,
        wholesalers=[_wholesaler(each) for each in part.designatedWholesalers],
    )


def _wholesaler(organisation: PostalOrganisation) -> Wholesaler:
    return Wholesaler(
        organisation.name or "",
        organisation.id,
        organisation.street,
        organisation.street2,
        organisation.city,
        organisation.postCode,
        organisation.country,
    )


def _part_of(message: ProductMessage, system: str) -> MarketPart:
    parts = [part for part in message.markets if MARKETS[part.market or ""].system == system]
    return next((part for part in parts if part.market == system), parts[0])
