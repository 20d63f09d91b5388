"""Each rule of the catalogue is broken by a message of its own, and the code has no other rules."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from emvs.obp_messages import (
    BatchName,
    LinkMessage,
    MarketPart,
    PacksMessage,
    ProductMessage,
    RecallMessage,
    WithdrawalMessage,
)
from emvs.state_messages import StateUpdateMessage
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.fields import FIELD_RULES
from hub.link_rules import BatchKey, Link, LinkFacts, judge_link
from hub.pack_rules import judge_packs
from hub.product_rules import judge_product
from hub.recall_rules import judge_recall, judge_withdrawal
from hub.rule_catalogue import RULES
from hub.rules_document import rules_document
from hub.state_rules import judge_packs_of_batch
from tests.unit.hub.conftest import GTIN, make_address

HUB = Path(__file__).parents[3] / "hub"
PAGE = HUB.parent / "docs" / "hub-rules.md"
SENDER = Sender("10001", frozenset({"IE", "DE", "BE", "AT"}))
OTHER = "09506000134352"
ELSEWHERE = {"not_storable", "rolled_back", "NMVS_FE_SN_02"}
"""Found by database, captures and markets: test_hub_hostile, test_hub_epcis, test_hub_requests."""
Outcome = tuple[str | None, str, str]
"""Code, field and market of what is found."""


@dataclasses.dataclass
class World:
    """A valid message of each kind and what the hub knows, for a row to spoil in one place."""

    message_type: str = "PPDM"
    sender: Sender = SENDER
    product: ProductFacts | None = dataclasses.field(
        default_factory=lambda: ProductFacts(
            GTIN, "10001", {1: ("IE", "DE"), 2: ("IE",)}, frozenset()
        )
    )
    batch: BatchFacts | None = dataclasses.field(
        default_factory=lambda: BatchFacts("LOT1", "301200", 1, frozenset())
    )
    links: LinkFacts = dataclasses.field(
        default_factory=lambda: LinkFacts(
            {
                GTIN: ProductFacts(GTIN, "30003", {1: ("IE",)}, frozenset()),
                OTHER: ProductFacts(OTHER, "10001", {1: ("IE",)}, frozenset()),
            },
            {
                BatchKey(GTIN, "S"): BatchFacts("S", "301231", 1, frozenset()),
                BatchKey(OTHER, "T"): BatchFacts("T", "301231", 1, frozenset()),
            },
            frozenset({BatchKey(GTIN, "S")}),
        )
    )

    def message(self) -> Any:
        """Return a valid message."""
        if self.message_type == "PMDR":
            return ProductMessage(
                "",
                "GTIN",
                GTIN,
                "Examplol 10 mg tablets",
                "examplol",
                "tablet",
                "10 mg",
                "blister",
                30,
                ["N02BE01"],
                [MarketPart("IE", marketingAuthorisationHolder=make_address())],
            )
        if self.message_type == "RCBR":
            return RecallMessage("", GTIN, "LOT1", "glass", ["IE"])
        if self.message_type == "WDPR":
            return WithdrawalMessage("", GTIN, "sold no more", ["IE"])
        if self.message_type == "RPLK":
            return LinkMessage("", [BatchName(GTIN, "S")], [BatchName(OTHER, "T")])
        if self.message_type.startswith("PSU"):
            state = {"PSUDC": "Locked", "PSURP": "CheckedOut"}[self.message_type]
            return StateUpdateMessage("", None, GTIN, "LOT1", state, None, [], ["A1"])
        return PacksMessage("", None, GTIN, None, "LOT1", "301200", make_address(), ["A1", "A2"])

    def judge(self, message: Any) -> Judgement:
        """Have the message judged."""
        kind, product, batch, sender = self.message_type, self.product, self.batch, self.sender
        if kind == "PMDR":
            return judge_product(message, product, sender)
        if kind == "RCBR":
            return judge_recall(message, product, batch, sender)
        if kind == "WDPR":
            return judge_withdrawal(message, product, sender)
        if kind == "RPLK":
            return judge_link(message, self.links, sender)
        if kind.startswith("PSU"):
            return asyncio.run(judge_packs_of_batch(kind, message, product, batch, sender))
        today = date(2026, 11, 22)
        return asyncio.run(judge_packs(kind, message, product, batch, sender=sender, today=today))


def holder(message: Any) -> Any:
    return message.markets[0].marketingAuthorisationHolder


def put(path: str, value: Any) -> Callable[[World, Any], None]:
    """Set a member of the message, or of what the hub knows if the path starts with `@`."""

    def spoil(world: World, message: Any) -> None:
        target: Any = message
        *parents, last = path.lstrip("@").split(".")
        if path.startswith("@"):
            target = getattr(world, parents[0])
            setattr(world, parents[0], dataclasses.replace(target, **{last: value}))
            return
        for parent in parents:
            target = holder(target) if parent == "holder" else getattr(target, parent)
        setattr(target, last, value)

    return spoil


def put_first(name: str, **members: Any) -> Callable[[World, Any], None]:
    """Set members of the first element of a list."""

    def spoil(_: World, message: Any) -> None:
        for member, value in members.items():
            setattr(getattr(message, name)[0], member, value)

    return spoil


def forget(name: str) -> Callable[[World, Any], None]:
    """The hub does not know the product or batch."""
    return lambda world, _: setattr(world, name, None)


def source(**changes: Any) -> Callable[[World, Any], None]:
    """The source of a link is changed."""

    def spoil(world: World, _: Any) -> None:
        batches = dict(world.links.batches)
        key = BatchKey(GTIN, "S")
        batches[key] = dataclasses.replace(batches[key], **changes)
        world.links = dataclasses.replace(world.links, batches=batches)

    return spoil


def source_withdrawn(world: World, _: Any) -> None:
    products = dict(world.links.products)
    products[GTIN] = dataclasses.replace(products[GTIN], withdrawn=frozenset({"IE"}))
    world.links = dataclasses.replace(world.links, products=products)


IE = "markets[0].market"
MAH = "markets[0].marketingAuthorisationHolder"
LINKED = frozenset({Link(BatchKey(GTIN, "S"), BatchKey(OTHER, "T"))})
BOTH_GONE = frozenset({"IE", "DE"})
# Rule, message type, what is spoiled, code, field; market where it is one market's.
ROWS: list[tuple[str, str, Callable[[World, Any], None], str | None, str, str | None]] = [
    ("absent", "PMDR", put("commonName", None), "A16", "commonName", None),
    ("absent", "PMDR", put("holder.street", None), "I1", f"{MAH}.street", None),
    ("absent", "PMDR", put("scheme", None), "A16", "scheme", None),
    ("absent", "PMDR", put("packSize", None), "A16", "packSize", None),
    ("absent", "PMDR", put("markets", []), "A16", "markets", None),
    ("absent", "PMDR", put_first("markets", market=None), "A16", "markets[0].market", None),
    ("absent", "PMDR", put_first("markets", marketingAuthorisationHolder=None), "I1", MAH, None),
    ("absent", "PPDM", put("productCode", None), "A16", "productCode", None),
    ("absent", "PPDM", put("batchId", None), "A16", "batchId", None),
    ("absent", "PPDM", put("expiry", None), "A16", "expiry", None),
    ("absent", "PPDM", put("serialNumbers", []), "A16", "serialNumbers", None),
    ("absent", "RCBR", put("batchId", None), "A16", "batchId", None),
    ("absent", "RCBR", put("reason", None), "A16", "reason", None),
    ("absent", "WDPR", put("markets", []), "A16", "markets", None),
    ("absent", "PSUDC", put("state", None), "A16", "state", None),
    ("absent", "RPLK", put("sources", []), "A16", "sources", None),
    ("empty", "PMDR", put("commonName", ""), "I1", "commonName", None),
    ("empty", "PMDR", put("holder.street", ""), "A16", f"{MAH}.street", None),
    ("empty", "PPDM", put("batchId", ""), "I1", "batchId", None),
    ("empty", "PPDM", put("expiry", ""), "I1", "expiry", None),
    ("empty", "RCBR", put("batchId", ""), "I1", "batchId", None),
    ("empty", "PSUDC", put("batchId", ""), "I1", "batchId", None),
    ("empty", "RPLK", put_first("targets", batchId=""), "I1", "targets[0].batchId", None),
    ("blank", "PMDR", put("name", "  "), "I1", "name", None),
    ("blank", "PSUDC", put("reason", " "), "I1", "reason", None),
    ("too_long", "PMDR", put("strength", "1" * 256), "I1", "strength", None),
    ("control_character", "PMDR", put("packType", "a\tb"), "I1", "packType", None),
    ("unknown_scheme", "PMDR", put("scheme", "EAN"), "I1", "scheme", None),
    ("scheme_mismatch", "PMDR", put("scheme", "PPN"), "A16", "scheme", None),
    ("format", "PMDR", put("productCode", "123"), "I1", "productCode", None),
    ("format", "PMDR", put("atcCodes", ["x"]), "I1", "atcCodes[0]", None),
    ("format", "PPDM", put("batchId", "LOT 1"), "I1", "batchId", None),
    ("format", "PPDM", put("expiry", "300230"), "I1", "expiry", None),
    ("check_digit", "PMDR", put("productCode", "09506000134375"), "A16", "productCode", None),
    ("range", "PMDR", put("packSize", 0), "A16", "packSize", None),
    ("too_many", "PMDR", put("atcCodes", ["N02BE01"] * 51), "I1", "atcCodes", None),
    ("too_many", "RCBR", put("markets", ["IE"] * 99), "I1", "markets", None),
    ("too_many", "RPLK", put("sources", [BatchName(GTIN, "S")] * 51), "I1", "sources", None),
    ("duplicate", "RCBR", put("markets", ["IE", "IE"]), "A16", "markets[1]", None),
    ("duplicate", "PPDM", put("serialNumbers", ["A", "A"]), "A16", "serialNumbers[1]", None),
    ("unknown_market", "PMDR", put_first("markets", market="XX"), "A16", "markets[0].market", None),
    ("market_not_connected", "RCBR", put("markets", ["FR"]), "A16", "markets[0]", None),
    (
        "market_not_connected",
        "PPDM",
        put("@sender.systems", frozenset({"IE"})),
        "A16",
        "productCode",
        "DE",
    ),
    (
        "national_code_obligatory",
        "PMDR",
        put_first("markets", market="AT"),
        "A16",
        "markets[0].nationalCode",
        None,
    ),
    ("other_owner", "PMDR", put("@sender.organisation_id", "20002"), "A16", "productCode", None),
    ("other_owner", "PPDM", put("@sender.organisation_id", "20002"), "A16", "productCode", None),
    ("other_holder", "PMDR", put("@sender.holders", frozenset({"x"})), "A16", f"{MAH}.name", None),
    ("unknown_product", "PPDM", forget("product"), "A16", "productCode", None),
    ("unknown_product", "WDPR", forget("product"), "A16", "productCode", None),
    ("unknown_version", "PPDM", put("productVersion", 3), "A16", "productVersion", None),
    ("other_version", "PPDM", put("productVersion", 2), "A16", "productVersion", None),
    ("unknown_batch", "PPDM", forget("batch"), "A16", "batchId", None),
    ("unknown_batch", "RCBR", forget("batch"), "A16", "batchId", None),
    ("unknown_batch", "PSUDC", forget("batch"), "A16", "batchId", None),
    ("batch_exists", "PPDC", lambda _, __: None, "A16", "batchId", None),
    ("other_expiry", "PPDM", put("expiry", "301231"), "A16", "expiry", None),
    ("serial_format", "PPDM", put("serialNumbers", ["a b"]), "I1", "serialNumbers[0]", None),
    ("serial_format", "PSUDC", put("serialNumbers", ["1" * 21]), "I1", "serialNumbers[0]", None),
    ("other_market", "RCBR", put("markets", ["BE"]), "A16", "markets[0]", None),
    ("already_recalled", "RCBR", put("@batch.recalled", {"IE"}), "A16", "markets[0]", None),
    ("already_withdrawn", "WDPR", put("@product.withdrawn", {"IE"}), "A16", "markets[0]", None),
    ("withdrawn", "PPDM", put("@product.withdrawn", {"DE"}), "A16", "productCode", "DE"),
    ("withdrawn", "PSUDC", put("@product.withdrawn", {"DE"}), "A16", "productCode", "DE"),
    ("recalled", "PPDM", put("@batch.recalled", {"DE"}), "A16", "batchId", "DE"),
    ("recalled", "PSUDC", put("@batch.recalled", {"DE"}), "A16", "batchId", "DE"),
    ("no_market", "PPDM", put("@product.withdrawn", BOTH_GONE), "A16", "productCode", None),
    ("unknown_state", "PSUDC", put("state", "Eaten"), "I1", "state", None),
    ("other_state", "PSUDC", put("state", "Exported"), "A16", "state", None),
    ("not_permitted", "PSURP", lambda _, __: None, "A16", "transactionId", None),
    (
        "shared_system",
        "WDPR",
        put("@product.markets_by_version", {1: ("BE", "LU")}),
        "A16",
        "markets[0]",
        None,
    ),
    ("strength_not_in_name", "PMDR", put("name", "Examplol"), None, "name", None),
    (
        "market_withdrawn",
        "PMDR",
        put("@product.withdrawn", {"IE"}),
        None,
        "markets[0].market",
        None,
    ),
    ("expired", "PPDM", put("@batch.expiry", "250100"), None, "expiry", None),
    ("same_batch", "RPLK", put_first("targets"), "A16", "targets[0].batchId", None),
    ("not_checked_out", "RPLK", put("@links.checked_out", set()), None, "sources[0].batchId", None),
    ("source_recalled", "RPLK", source(recalled={"IE"}), None, "sources[0].batchId", None),
    ("source_withdrawn", "RPLK", source_withdrawn, None, "sources[0].productCode", None),
    ("expires_later", "RPLK", source(expiry="301130"), None, "targets[0].batchId", None),
    ("already_linked", "RPLK", put("@links.links", LINKED), None, "targets[0].batchId", None),
]
EXTRA: dict[tuple[str, str], Callable[[World, Any], None]] = {
    ("shared_system", "WDPR"): put("markets", ["BE"]),
    ("expired", "PPDM"): put("expiry", "250100"),
    ("same_batch", "RPLK"): lambda world, message: (
        put("targets", message.sources)(world, message),
        put("@sender.organisation_id", "30003")(world, message),
    ),
}
"""What has to be changed besides."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}-{row[4]}")
def test_each_rule_is_broken_by_one_change(row: Any) -> None:
    rule, message_type, spoil, code, field, market = row
    world = World(message_type)
    untouched = world.judge(world.message())
    assert rule not in {found.rule for found in [*untouched.warnings, *untouched.rejected]}
    message = world.message()
    spoil(world, message)
    EXTRA.get((rule, message_type), lambda _, __: None)(world, message)
    judgement = world.judge(message)
    found = [*judgement.defects.listed, *judgement.rejected, *judgement.warnings]
    named = [(one.code, one.field, one.market) for one in found if one.rule == rule]
    assert (code, field, market) in named
    told = RULES[rule]
    assert (code or "") in told.code.split(", ")
    assert message_type in told.messages.replace("all", message_type).replace(
        "PSU..", "PSUDC PSURP"
    )
    if code is None:
        assert not judgement.defects


def test_no_rule_of_the_catalogue_is_without_a_row() -> None:
    assert {row[0] for row in ROWS} | ELSEWHERE == set(RULES)


def test_the_code_has_no_other_rules() -> None:
    used: set[str] = set()
    for file in HUB.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            place = {"add": 3, "market_defect": 3, "warning": 2}.get(name)
            if place is None or len(node.args) != place + 2:
                continue
            told = node.args[place]
            if isinstance(told, ast.Constant):
                used.add(told.value)
    assert len(used) > 25
    assert used <= set(RULES)


def test_the_published_matrix_is_in_the_table() -> None:
    published = {
        "commonName": (255, "A16", "I1", "I1", "I1"),
        "organisation.street": (1000, "I1", "A16", "A16", "I1"),
        "organisation.street2": (1000, "I1", None, None, "I1"),
    }
    assert {name: tuple(FIELD_RULES[name]) for name in published} == published
    assert tuple(FIELD_RULES["organisation.city"])[1:3] == ("I1", "A16")


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == rules_document(), "python -m hub.rules_document > docs/hub-rules.md"
