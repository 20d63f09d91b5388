"""Rules on pack data (`PPDC` makes a batch, `PPDM` adds packs to one). Pure.

Sources: EMVO's published rules on batches and versions, and the national systems' return codes
for uploads. The hub keeps no serial numbers, so that one is loaded already is found by the
national systems, pack by pack.
"""

from __future__ import annotations

from datetime import date

from emvs.character_sets import is_ifa_batch, is_set82
from emvs.expiry import last_day, parse_expiry
from emvs.obp_messages import PacksMessage
from emvs.scheme import Scheme
from hub.defects import Code, Defects, market_defect, warning
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.fields import check_organisation
from hub.product_rules import check_is_named, check_owner, scheme_of
from hub.serial_rules import Note, check_serials, ignore

CREATE = "PPDC"
MODIFY = "PPDM"


async def judge_packs(
    message_type: str,
    message: PacksMessage,
    product: ProductFacts | None,
    batch: BatchFacts | None,
    *,
    sender: Sender,
    today: date,
    note: Note = ignore,
) -> Judgement:
    """Return what the rules say about packs of one batch; `batch` if it is known already.

    Lets the event loop run in between, as there may be a quarter of a million, and tells `note` how
    many it has looked at.
    """
    judgement = Judgement()
    defects = judgement.defects
    scheme = scheme_of(message.productCode, message.scheme, defects, scheme_required=False)
    _check_batch_id(message.batchId, scheme, defects)
    _check_expiry(message.expiry, defects)
    check_organisation(
        message.manufacturer, "manufacturer", defects, required=message_type == CREATE
    )
    await check_serials(message.serialNumbers, scheme or Scheme.GTIN, defects, note)
    if scheme is None:
        return judgement
    if product is None:
        text = "the product is unknown: send its master data first"
        defects.add(Code.A16, "productCode", message.productCode, "unknown_product", text)
        return judgement
    if product.organisation_id != sender.organisation_id:
        # Nothing more is told of another organisation's product (Art. 38).
        check_owner(product, sender, defects)
        return judgement
    version = _check_version(message, product, batch, defects)
    _check_batch(message_type, message, batch, defects)
    if defects or message.expiry is None:
        return judgement
    judgement.product_version = version
    judgement.expiry = message.expiry
    _choose_markets(message, product, batch, sender, judgement)
    if last_day(message.expiry) < today:
        text = "the batch has expired"
        judgement.warnings.append(warning("expiry", message.expiry, "expired", text))
    return judgement


def _check_batch_id(batch_id: str | None, scheme: Scheme | None, defects: Defects) -> None:
    if not batch_id:
        check_is_named(batch_id, "batchId", defects)
    elif not (is_ifa_batch if scheme is Scheme.PPN else is_set82)(batch_id):
        characters = "digits, capitals, - and _" if scheme is Scheme.PPN else "of GS1 set 82"
        text = f"a batch id is 1 to 20 characters: {characters}"
        defects.add(Code.I1, "batchId", batch_id, "format", text)


def _check_expiry(expiry: str | None, defects: Defects) -> None:
    if not expiry:
        check_is_named(expiry, "expiry", defects)
    elif parse_expiry(expiry) is None:
        text = "an expiry date is YYMMDD as in the barcode; DD may be 00"
        defects.add(Code.I1, "expiry", expiry, "format", text)


def _check_version(
    message: PacksMessage, product: ProductFacts, batch: BatchFacts | None, defects: Defects
) -> int:
    """Return the version of the product that the batch belongs to, if there is no defect."""
    version = message.productVersion
    if version is None:
        return batch.product_version if batch else product.latest_version
    if version not in product.markets_by_version:
        text = f"the product has versions 1 to {product.latest_version}"
        defects.add(Code.A16, "productVersion", str(version), "unknown_version", text)
    elif batch is not None and batch.product_version != version:
        # A batch belongs to exactly one version and cannot be moved.
        text = f"the batch belongs to version {batch.product_version}"
        defects.add(Code.A16, "productVersion", str(version), "other_version", text)
    return version


def _check_batch(
    message_type: str, message: PacksMessage, batch: BatchFacts | None, defects: Defects
) -> None:
    if batch is None:
        if message_type == MODIFY:
            text = "the batch is unknown: make it with PPDC"
            defects.add(Code.A16, "batchId", message.batchId, "unknown_batch", text)
        return
    if message_type == CREATE:
        text = "the batch exists: add packs with PPDM"
        defects.add(Code.A16, "batchId", message.batchId, "batch_exists", text)
    if message.expiry and message.expiry != batch.expiry:
        text = f"the batch has the expiry date {batch.expiry}"
        defects.add(Code.A16, "expiry", message.expiry, "other_expiry", text)


def _choose_markets(
    message: PacksMessage,
    product: ProductFacts,
    batch: BatchFacts | None,
    sender: Sender,
    judgement: Judgement,
) -> None:
    assert judgement.product_version is not None
    for market in product.markets_by_version[judgement.product_version]:
        if market in product.withdrawn:
            text = f"the product is withdrawn in {market}"
            judgement.rejected.append(
                market_defect(market, "productCode", message.productCode, "withdrawn", text)
            )
        elif batch is not None and market in batch.recalled:
            text = f"the batch is recalled in {market}"
            judgement.rejected.append(
                market_defect(market, "batchId", message.batchId, "recalled", text)
            )
        elif not sender.reaches(market):
            # It was when the product was placed there: a hub can be started with fewer markets.
            text = f"the national system of {market} is not connected to this hub"
            judgement.rejected.append(
                market_defect(
                    market, "productCode", message.productCode, "market_not_connected", text
                )
            )
        else:
            judgement.markets.append(market)
    if not judgement.markets:
        text = "no market takes these packs: each is named with its reason"
        judgement.defects.add(Code.A16, "productCode", message.productCode, "no_market", text)
