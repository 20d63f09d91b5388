"""Valid messages that a test spoils in one place, and what the hub knows beforehand."""

from __future__ import annotations

import pytest

from emvs.obp_messages import (
    MarketPart,
    PacksMessage,
    PostalOrganisation,
    ProductMessage,
    RecallMessage,
    WithdrawalMessage,
)
from hub.facts import BatchFacts, ProductFacts, Sender

GTIN = "09506000134376"


def make_address() -> PostalOrganisation:
    """Return a company whose every element is as it must be."""
    return PostalOrganisation(
        id="MAH1",
        name="Example Pharma",
        street="High Street 1",
        street2="",
        city="Dublin",
        postCode="D01",
        country="IE",
    )


@pytest.fixture
def sender() -> Sender:
    """An organisation at a hub that three national systems are connected to."""
    return Sender("10001", frozenset({"IE", "DE", "BE", "AT"}))


@pytest.fixture
def product_message() -> ProductMessage:
    """A product for Ireland and Germany."""
    return ProductMessage(
        transactionId="",
        scheme="GTIN",
        productCode=GTIN,
        name="Examplol 10 mg tablets",
        commonName="examplol",
        pharmaceuticalForm="tablet",
        strength="10 mg",
        packType="blister",
        packSize=30,
        atcCodes=["N02BE01"],
        markets=[
            MarketPart(market=market, marketingAuthorisationHolder=make_address())
            for market in ("IE", "DE")
        ],
    )


@pytest.fixture
def packs_message() -> PacksMessage:
    """Three packs of a batch."""
    return PacksMessage(
        transactionId="",
        productCode=GTIN,
        batchId="LOT1",
        expiry="301200",
        manufacturer=make_address(),
        serialNumbers=["A1", "A2", "A3"],
    )


@pytest.fixture
def recall_message() -> RecallMessage:
    """A recall in Ireland."""
    return RecallMessage("", GTIN, "LOT1", "broken blisters", ["IE"])


@pytest.fixture
def withdrawal_message() -> WithdrawalMessage:
    """A withdrawal from Ireland."""
    return WithdrawalMessage("", GTIN, "no longer sold", ["IE"])


@pytest.fixture
def known_product() -> ProductFacts:
    """The product in two versions; the second has left Germany."""
    return ProductFacts(GTIN, "10001", {1: ("IE", "DE"), 2: ("IE",)}, frozenset())


@pytest.fixture
def known_batch() -> BatchFacts:
    """A batch of the first version."""
    return BatchFacts("LOT1", "301200", 1, frozenset())
