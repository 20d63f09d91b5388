"""The client against a real national system on a real database, in both dialects."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from emvs.scan import Scan, build_scan_text, parse_scan
from emvs.scheme import Scheme
from emvs.states import State
from pharmacy_client import (
    Category,
    Colour,
    LoginRefusedError,
    NotOfferedError,
    PharmacyClient,
    Profile,
)
from tests.integration.running import RunningSystem

DIALECTS = ("rest", "soap")


class Town(NamedTuple):
    """A national system with two pharmacies and some packs."""

    system: RunningSystem
    endpoints: Path
    packs: list[str]

    def profile(self, dialect: str, number: int = 0, **changed: str) -> Profile:
        environment = {f"PHARMACY_{name.upper()}": value for name, value in changed.items()}
        return Profile.from_endpoints(
            self.endpoints, "IE", number=number, dialect=dialect, environment=environment
        )

    def client(self, dialect: str, number: int = 0, **changed: str) -> PharmacyClient:
        return PharmacyClient(self.profile(dialect, number, **changed))

    def scan(self, number: int = 0, **changed: Any) -> Scan:
        fields = {
            "scheme": Scheme.GTIN,
            "product_code": self.system.product_code,
            "serial_number": self.packs[number],
            "batch_id": self.system.batch_id,
            "expiry": self.system.expiry,
        }
        return Scan(**(fields | changed))

    def text(self, number: int = 0, **changed: Any) -> str:
        scan = self.scan(number, **changed)
        return build_scan_text(
            scheme=scan.scheme,
            product_code=scan.product_code,
            serial_number=scan.serial_number,
            batch_id=scan.batch_id,
            expiry=scan.expiry,
        )


@pytest.fixture
async def town(national_system: RunningSystem, tmp_path: Path) -> Town:
    packs = await national_system.load_packs(20)
    participants = []
    for number in (1, 2):
        login = await national_system.register("pharmacy", number)
        participants.append({"market": "IE", **login})
    service = national_system.service
    endpoints = tmp_path / ".emvs" / "endpoints.json"
    endpoints.parent.mkdir()
    endpoints.write_text(
        json.dumps(
            {
                "ca": None,
                "hub": {"url": "http://127.0.0.1:1", "management": "http://127.0.0.1:1"},
                "markets": {
                    "IE": {
                        "soap": service,
                        "rest": f"{service}/verification",
                        "token": f"{service}/identity/connect/token",
                        "management": national_system.management,
                    }
                },
                "participants": participants,
                "packs": [],
            }
        )
    )
    return Town(national_system, endpoints, packs)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_life_of_a_pack(town: Town, dialect: str) -> None:
    text = town.text()
    async with town.client(dialect) as here, town.client(dialect, 1) as elsewhere:
        verified = await here.verify(text)
        assert (verified.category, verified.state) == (Category.ACTIVE, State.ACTIVE)
        assert verified.advice.colour is Colour.GREEN

        supplied = await here.supply(text)
        assert (supplied.category, supplied.state) == (Category.DONE, State.SUPPLIED)
        repeated = await here.supply(text)
        assert repeated.category is Category.TOLERATED
        assert repeated.alert_id is None

        refused = await elsewhere.supply(text)
        assert refused.category is Category.REFUSED
        assert refused.alert_id
        assert refused.alert_code == "A7"
        assert refused.advice.colour is Colour.RED

        seen = await elsewhere.verify(text)
        assert (seen.ok, seen.category, seen.state) == (False, Category.REFUSED, State.SUPPLIED)

        undone = await here.undo(text)
        assert (undone.category, undone.state) == (Category.DONE, State.ACTIVE)
        again = await here.undo(text)
        assert again.category is Category.TOLERATED
        assert again.alert_id is None


async def test_both_dialects_see_the_same_pack(town: Town) -> None:
    async with town.client("rest") as rest, town.client("soap") as soap:
        assert (await rest.supply(town.scan())).category is Category.DONE
        assert (await soap.verify(town.scan())).state is State.SUPPLIED
        # The same location by another interface: a repeat, no falsification.
        assert (await soap.supply(town.scan())).category is Category.TOLERATED


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_undo_after_ten_days_is_refused(town: Town, dialect: str) -> None:
    async with town.client(dialect) as client:
        await client.supply(town.scan())
        await town.system.advance_clock(241 * 3600)
        late = await client.undo(town.scan())
    assert (late.category, late.advice.colour) == (Category.REFUSED, Colour.RED)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("changed", "category", "alert_code"),
    [
        ({"product_code": "04150037528643"}, Category.UNKNOWN, None),
        ({"serial_number": "NEVER1SEEN"}, Category.UNKNOWN, "A3"),
        ({"serial_number": "NEVER1SEEN", "batch_id": "NOLOT"}, Category.UNKNOWN, "A2"),
        ({"batch_id": "NOLOT"}, Category.UNKNOWN, "A68"),
        ({"expiry": "311231"}, Category.UNKNOWN, "A52"),
        ({"product_code": "09876543210980"}, Category.INVALID, None),
        ({"serial_number": "A#B"}, Category.INVALID, None),
        ({"expiry": "301331"}, Category.INVALID, None),
    ],
)
async def test_wrong_data(
    town: Town, dialect: str, changed: dict[str, Any], category: Category, alert_code: str | None
) -> None:
    async with town.client(dialect) as client:
        result = await client.verify(town.scan(**changed))
    assert result.category is category
    assert result.alert_code == alert_code
    assert (result.alert_id is not None) is (alert_code is not None)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("serial", ["A/B+C%2F", "\"&'<>%", "?x=1&y=2", ".", "..", "a;b:c,d=_!*()"])
async def test_every_character_arrives(town: Town, dialect: str, serial: str) -> None:
    await town.system.deliver(
        "packs",
        f"special-{dialect}",
        productCode=town.system.product_code,
        productVersion=1,
        batchId="L/+&%",
        expiry="301200",
        serialNumbers=[serial],
    )
    scan = town.scan(serial_number=serial, batch_id="L/+&%", expiry="301200")
    async with town.client(dialect) as client:
        result = await client.verify(scan)
    assert result.category is Category.ACTIVE, result


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_manual_entry_needs_product_code_and_serial_only(town: Town, dialect: str) -> None:
    scan = town.scan(batch_id=None, expiry=None)
    async with town.client(dialect) as client:
        assert (await client.verify(scan, manual=True)).category is Category.ACTIVE
        assert (await client.supply(scan, manual=True)).category is Category.DONE
        assert (await client.undo(scan, manual=True)).category is Category.DONE
        # Not declared as typed in, the same data are incomplete.
        assert (await client.verify(scan)).category is Category.INVALID


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_other_decommissions_and_their_undo(town: Town, dialect: str) -> None:
    async with town.client(dialect) as client:
        for number, state in enumerate((State.SAMPLE, State.FREE_SAMPLE, State.LOCKED)):
            scan = town.scan(number)
            assert (await client.decommission(scan, state)).state is state
            assert (await client.verify(scan)).state is state
            assert (await client.undo(scan, state)).state is State.ACTIVE
        for number, state in enumerate((State.DESTROYED, State.STOLEN), start=3):
            assert (await client.decommission(town.scan(number), state)).state is state
        exported = await client.decommission(town.scan(9), State.EXPORTED)
        assert exported.category is Category.NOT_PERMITTED
        with pytest.raises(NotOfferedError):
            await client.decommission(town.scan(9), State.RECALLED)


async def test_soap_undo_by_reference(town: Town) -> None:
    async with town.client("soap") as client:
        supplied = await client.supply(town.scan())
        wrong = await client.undo(town.scan(), reference="NOT-THIS-ONE")
        assert wrong.category is Category.REFUSED
        right = await client.undo(town.scan(), reference=supplied.client_transaction_id)
        assert right.category is Category.DONE


async def test_soap_version_four(town: Town) -> None:
    async with town.client("soap", soap_version="4.0") as client:
        assert (await client.verify(town.scan())).category is Category.ACTIVE


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_ping(town: Town, dialect: str) -> None:
    async with town.client(dialect) as client:
        assert (await client.ping()).dialect == dialect


@pytest.mark.parametrize(
    ("dialect", "wrong"), [("rest", {"client_secret": "no"}), ("soap", {"password": "Wrong-Pass"})]
)
async def test_wrong_login(town: Town, dialect: str, wrong: dict[str, Any]) -> None:
    async with town.client(dialect, **wrong) as client:
        with pytest.raises(LoginRefusedError) as caught:
            await client.supply(town.scan())
    assert caught.value.return_code
    assert not caught.value.may_have_acted


async def test_token_that_ends_early_is_renewed(town: Town) -> None:
    """The system's clock is moved: its tokens end, the client's clock says otherwise."""
    async with town.client("rest") as client:
        assert (await client.verify(town.scan())).ok
        await town.system.advance_clock(100 * 3600)
        assert (await client.verify(town.scan())).ok


async def test_scan_may_be_text_or_parsed(town: Town) -> None:
    async with town.client("rest") as client:
        assert (await client.verify(parse_scan(town.text()))).ok
