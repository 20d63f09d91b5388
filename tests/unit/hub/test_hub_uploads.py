"""Taking an upload apart, the hub's identifiers, retries, configuration, delivery bodies."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import msgspec
import pytest

from emvs.errors import BadRequestError, ConfigurationError, ForbiddenError, TooLargeError
from emvs.interconnect import (
    DeliveryResult,
    PacksDelivery,
    ProductDelivery,
    RefusedSerial,
    Wholesaler,
)
from emvs.obp_messages import (
    MarketStatus,
    PacksMessage,
    PostalOrganisation,
    ProductMessage,
)
from hub.config import HubConfig, MarketConfig, RetryConfig
from hub.delivery_messages import deliveries_of, with_serials
from hub.distribution import end_of, retry_wait_s
from hub.facts import Judgement
from hub.hub_ids import acknowledgement_of, delivery_id, request_number
from hub.organisations import Client, OrganisationKind
from hub.outbox import Outbox
from hub.reception import check_transaction_id
from hub.uploads import read_upload, stored_message

AT_MS = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1000)
OBP = Client("10001", "001", OrganisationKind.OBP)
TOKEN = "a-token-of-20-letters"
GOOD_ID = "PPDCRQM100010012026326000000000001"


def test_an_upload_comes_back_as_it_was_sent(packs_message: PacksMessage) -> None:
    body = msgspec.json.encode(packs_message)
    upload = read_upload("PPDC", body, serials_max=3)
    assert upload.serial_count == 3
    assert b"A1" not in upload.message
    assert stored_message("PPDC", upload.message, upload.serials) == packs_message


def test_the_digest_is_of_the_content_not_of_the_writing(packs_message: PacksMessage) -> None:
    body = msgspec.json.encode(packs_message)
    one = read_upload("PPDC", body, serials_max=3)
    other = read_upload("PPDC", msgspec.json.format(body), serials_max=3)
    assert one.digest == other.digest
    packs_message.serialNumbers[2] = "A4"
    changed = read_upload("PPDC", msgspec.json.encode(packs_message), serials_max=3)
    assert changed.digest != one.digest


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "the body is empty"),
        (b"[]", "object"),
        (b"[" * 100_000, "object"),
        (b'{"transactionId": ' + b'{"a":' * 50_000, ""),
        (b'{"transactionId": "x", "markets": ' + b"[" * 50_000, ""),
        (b'{"name": "x"}', "transactionId"),
        (b'{"transactionId": 5}', "$.transactionId"),
        (b'{"transactionId": "x", "name": 5}', "$.name"),
        (b'{"transactionId": "x", "packSize": "30"}', "$.packSize"),
        (b'{"transactionId": "x", "commonname": "x"}', "commonname"),
        (b'{"transactionId": "x", "markets": [{"market": 1}]}', "$.markets[0].market"),
        (b'{"transactionId": "x", "markets": [{}, {"mah": {}}]}', "$.markets[1]"),
        (
            b'{"transactionId": "x", "markets": [{"marketingAuthorisationHolder": {"Id": ""}}]}',
            "$.markets[0].marketingAuthorisationHolder",
        ),
        (b'{"transactionId": "\xff"}', ""),
        (b'{"transactionId": "\\ud800x"}', ""),
    ],
)
def test_a_malformed_body_names_what_is_wrong(body: bytes, named: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_upload("PMDR", body, serials_max=3)
    assert named in str(caught.value)


def test_too_many_serial_numbers_are_refused(packs_message: PacksMessage) -> None:
    with pytest.raises(TooLargeError, match="3 serial numbers, at most 2"):
        read_upload("PPDC", msgspec.json.encode(packs_message), serials_max=2)


@pytest.mark.parametrize("identifier", ["a\0b", "x" * 41, ""])
def test_an_identifier_that_no_column_takes_is_not_stored(identifier: str) -> None:
    message = PacksMessage("", productCode=identifier, batchId=identifier)
    upload = read_upload("PPDC", msgspec.json.encode(message), serials_max=3)
    assert (upload.product_code, upload.batch_id) == (None, None)


def test_the_hubs_identifiers_lead_back_to_the_number() -> None:
    acknowledgement = acknowledgement_of("PPDC", GOOD_ID, AT_MS, 42)
    assert acknowledgement.acknowledgementId == "PPDCAKHEUHUB0012026326000000000042"
    assert acknowledgement.hubTransactionId == "PPDCTXHEUHUB0012026326000000000042"
    assert request_number(acknowledgement.hubTransactionId) == 42
    assert request_number(GOOD_ID) is None
    assert request_number("x") is None
    assert delivery_id("PPDC", AT_MS, 42, "DE").endswith("42-DE")


@pytest.mark.parametrize(
    ("transaction_id", "error"),
    [
        (GOOD_ID, None),
        (GOOD_ID[:-1], BadRequestError),
        (GOOD_ID.replace("PPDC", "PPDM"), BadRequestError),
        (GOOD_ID.replace("RQ", "TX"), BadRequestError),
        (GOOD_ID.replace("RQM", "RQD"), BadRequestError),
        (GOOD_ID.replace("RQM", "RQH"), BadRequestError),
        (GOOD_ID.replace("10001", "10002"), ForbiddenError),
        (GOOD_ID.replace("10001001", "10001002"), ForbiddenError),
    ],
)
def test_a_transaction_id_fits_message_and_caller(
    transaction_id: str, error: type[Exception] | None
) -> None:
    if error is None:
        check_transaction_id(transaction_id, "PPDC", OBP)
        return
    with pytest.raises(error):
        check_transaction_id(transaction_id, "PPDC", OBP)


def test_a_parallel_distributor_is_actor_d() -> None:
    client = OBP._replace(kind=OrganisationKind.PARALLEL_DISTRIBUTOR)
    check_transaction_id(GOOD_ID.replace("RQM", "RQD"), "PPDC", client)


def test_waits_double_up_to_the_bound() -> None:
    retry = RetryConfig(first_wait_s=0.5, wait_s_max=4, jitter=0)
    waits = [retry_wait_s(count, retry, random.Random(1)) for count in (1, 2, 3, 4, 5, 5_000)]
    assert waits == [0.5, 1, 2, 4, 4, 4]


def test_jitter_stays_in_its_share_and_follows_the_seed() -> None:
    retry = RetryConfig(first_wait_s=1, jitter=0.2)
    draws = [retry_wait_s(1, retry, random.Random(seed)) for seed in range(200)]
    assert min(draws) >= 0.8
    assert max(draws) <= 1.2
    assert len(set(draws)) > 100
    assert retry_wait_s(1, retry, random.Random(7)) == draws[7]


def test_a_shared_system_is_told_once_of_its_own_part(product_message: ProductMessage) -> None:
    first, second = product_message.markets
    first.market, first.nationalCode = "LU", "1"
    second.market, second.nationalCode = "BE", "2"
    judgement = Judgement(markets=["LU", "BE"], product_version=4)
    (delivery,) = deliveries_of(product_message, judgement)
    assert (delivery.system, delivery.markets) == ("BE", ["LU", "BE"])
    body = msgspec.json.decode(delivery.body, type=ProductDelivery)
    assert (body.nationalCode, body.version, body.commonName) == ("2", 4, "examplol")


def test_a_market_is_told_its_own_holder_and_wholesalers(product_message: ProductMessage) -> None:
    first, second = product_message.markets
    first.market, second.market = "AT", "IE"
    second.marketingAuthorisationHolder = PostalOrganisation("MAH7", "Holder", "Way 1")
    second.designatedWholesalers = [
        PostalOrganisation("W1", "Big & Fast", "Road 1", "Yard", "Cork", "T12", "IE"),
        PostalOrganisation(None, "Small"),
    ]
    judgement = Judgement(markets=["AT", "IE"], product_version=1)
    told = {
        delivery.system: msgspec.json.decode(delivery.body, type=ProductDelivery)
        for delivery in deliveries_of(product_message, judgement)
    }
    assert (told["IE"].holderId, told["IE"].holderName) == ("MAH7", "Holder")
    assert told["IE"].wholesalers == [
        Wholesaler("Big & Fast", "W1", "Road 1", "Yard", "Cork", "T12", "IE"),
        Wholesaler("Small"),
    ]
    assert told["AT"].wholesalers == []


def test_the_pieces_of_a_packs_delivery_are_one_message(packs_message: PacksMessage) -> None:
    serials = msgspec.json.encode(packs_message.serialNumbers)
    judgement = Judgement(markets=["IE", "DE"], product_version=2)
    deliveries = deliveries_of(packs_message, judgement)
    assert [delivery.system for delivery in deliveries] == ["IE", "DE"]
    body = b"".join(with_serials(deliveries[0].body, serials))
    assert msgspec.json.decode(body, type=PacksDelivery) == PacksDelivery(
        packs_message.productCode or "", 2, "LOT1", "301200", ["A1", "A2", "A3"]
    )


def test_refused_packs_are_listed_up_to_a_bound_and_counted() -> None:
    refused = [RefusedSerial(f"S{number}\0", "NMVS_FE_SN_02") for number in range(1_500)]
    end = end_of(DeliveryResult("x", accepted=True, loadedCount=1, refusedSerials=refused))
    assert end.status is MarketStatus.DISTRIBUTED
    assert (end.refused_count, len(end.refused), len(end.further)) == (1_500, 1_000, 1_500)
    assert "\0" not in end.refused[0].serialNumber


def test_a_refusal_has_its_reason() -> None:
    end = end_of(DeliveryResult("x", accepted=False, code="NMVS_FE_LOT_02", text="other expiry"))
    assert (end.status, end.error) == (MarketStatus.REFUSED, "NMVS_FE_LOT_02: other expiry")


def test_configuration_knows_shared_systems() -> None:
    belgium = MarketConfig("http://be", TOKEN)
    config = HubConfig(dsn="", markets={"LU": belgium, "BE": belgium})
    assert config.systems() == {"BE": belgium}
    with pytest.raises(ConfigurationError, match="another address"):
        HubConfig(dsn="", markets={"BE": belgium, "LU": MarketConfig("http://lu", TOKEN)}).systems()
    with pytest.raises(ConfigurationError, match="XX"):
        HubConfig(dsn="", markets={"XX": belgium}).systems()
    with pytest.raises(ConfigurationError, match="another system"):
        HubConfig(dsn="", national_tokens={"DE": TOKEN, "FR": TOKEN}).national_systems_by_token()


@pytest.mark.parametrize("token", ["", "fifteen-letters", "sixteen letters-", "sixteen-letters-é"])
def test_a_weak_token_is_refused_by_name(token: str) -> None:
    market = MarketConfig("http://ie", token)
    with pytest.raises(ConfigurationError, match=r"markets\.IE\.token: .* 16 printable ASCII"):
        HubConfig(dsn="", markets={"IE": market}).systems()
    with pytest.raises(ConfigurationError, match=r"national_tokens\.IE: .* 16 printable ASCII"):
        HubConfig(dsn="", national_tokens={"IE": token}).national_systems_by_token()


def test_a_system_that_is_not_connected_silences_no_other() -> None:
    outbox = Outbox(["IE"], waiting_max=2)
    outbox.added(["DE", "IE"])
    assert outbox.bells["IE"].is_set()
    assert outbox.waiting == {"IE": 1, "DE": 1}
    assert outbox.stranded() == {"DE": 1}
    outbox.added(["DE"])
    outbox.refuse_if_full(["DE", "IE", "FR"])  # Nothing more is queued for DE, nor for FR.
