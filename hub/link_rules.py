"""Rules on repackaging links (`RPLK`): which batches a parallel distributor made from which. Pure.

Source: Delegated Regulation (EU) 2016/161, Art. 35(4) - the repackager tells the batches used up
and the new batches. Codes and bounds are our choice, as is that a link is final: it decides who
hears of a recall. A source may be anybody's batch, a target is the sender's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from emvs.expiry import last_day
from emvs.limits import LINKED_BATCHES_MAX
from emvs.obp_messages import BatchName, LinkMessage
from hub.defects import Code, Defects, warning
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.product_rules import check_is_named, check_owner, scheme_of

_IDENTIFIER_LENGTH_MAX: Final = 40
"""No product code or batch id that is stored is longer."""


class BatchKey(NamedTuple):
    """A batch, by what names it."""

    product_code: str
    batch_id: str


class Link(NamedTuple):
    """One target batch made from one source batch."""

    source: BatchKey
    target: BatchKey


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What the hub knows of the batches in a message. What is not there is unknown."""

    products: Mapping[str, ProductFacts]
    batches: Mapping[BatchKey, BatchFacts]
    checked_out: frozenset[BatchKey] = field(default_factory=frozenset)
    """Batches of which the sender has checked out packs."""
    links: frozenset[Link] = field(default_factory=frozenset)
    """Those of the sender's links that exist already."""


def judge_link(message: LinkMessage, facts: LinkFacts, sender: Sender) -> Judgement:
    """Return what the rules say about a link."""
    judgement = Judgement()
    defects = judgement.defects
    sources = _check_side("sources", message.sources, facts, defects)
    targets = _check_side("targets", message.targets, facts, defects)
    for path, target in targets.items():
        product = facts.products[target.product_code]
        own = Defects()
        check_owner(product, sender, own)
        _add_under(path, own, defects)
        if target in sources.values():
            text = "the batch stands among the sources, too"
            defects.add(Code.A16, f"{path}.batchId", target.batch_id, "same_batch", text)
    if not defects:
        _warn_of_sources(sources, facts, judgement)
        _warn_of_targets(sources, targets, facts, judgement)
    return judgement


def links_of(message: LinkMessage) -> list[Link]:
    """Return the links in a message without defects: each source with each target."""
    return [
        Link(source, target)
        for source in map(_key, message.sources)
        for target in map(_key, message.targets)
    ]


def batch_keys(message: LinkMessage) -> list[BatchKey]:
    """Return what could be batches in a message that nobody has looked at, within bounds: whatever
    else stands there cannot be looked up."""
    listed = message.sources[:LINKED_BATCHES_MAX] + message.targets[:LINKED_BATCHES_MAX]
    return [
        BatchKey(_nameable(name.productCode), _nameable(name.batchId))
        for name in listed
        if _nameable(name.productCode)
    ]


def _nameable(identifier: str | None) -> str:
    """Return what can be the name of something that is stored, else nothing."""
    if identifier and len(identifier) <= _IDENTIFIER_LENGTH_MAX and identifier.isprintable():
        return identifier
    return ""


def _key(name: BatchName) -> BatchKey:
    return BatchKey(name.productCode or "", name.batchId or "")


def _check_side(
    side: str, names: list[BatchName], facts: LinkFacts, defects: Defects
) -> dict[str, BatchKey]:
    """Return the known batches of one side by the path of their elements."""
    if not names:
        defects.add(Code.A16, side, None, "absent", f"the {side} are absent")
    if len(names) > LINKED_BATCHES_MAX:
        text = f"{len(names)} {side}, at most {LINKED_BATCHES_MAX} are taken: send several messages"
        defects.add(Code.I1, side, None, "too_many", text)
        return {}
    good: dict[str, BatchKey] = {}
    seen: set[BatchKey] = set()
    for position, name in enumerate(names):
        path = f"{side}[{position}]"
        key = _key(name)
        count = defects.count
        _check_batch(name, path, facts, defects)
        if defects.count > count:
            continue
        if key in seen:
            text = "the batch is listed twice"
            defects.add(Code.A16, f"{path}.batchId", key.batch_id, "duplicate", text)
            continue
        seen.add(key)
        good[path] = key
    return good


def _check_batch(name: BatchName, path: str, facts: LinkFacts, defects: Defects) -> None:
    own = Defects()
    scheme = scheme_of(name.productCode, None, own, scheme_required=False)
    _add_under(path, own, defects)
    check_is_named(name.batchId, f"{path}.batchId", defects)
    if scheme is None:
        return
    if name.productCode not in facts.products:
        text = "the product is unknown"
        defects.add(Code.A16, f"{path}.productCode", name.productCode, "unknown_product", text)
    elif name.batchId and _key(name) not in facts.batches:
        text = "the batch is unknown"
        defects.add(Code.A16, f"{path}.batchId", name.batchId, "unknown_batch", text)


def _add_under(path: str, found: Defects, defects: Defects) -> None:
    """Add what was found in an element that stands at `path`."""
    for one in found.listed:
        defects.add(Code(one.code or ""), f"{path}.{one.field}", one.value, one.rule, one.text)


def _warn_of_sources(
    sources: Mapping[str, BatchKey], facts: LinkFacts, judgement: Judgement
) -> None:
    for path, source in sources.items():
        where = f"{path}.batchId"
        if source not in facts.checked_out:
            text = "no check-out for repackaging (PSURP) of this batch by your organisation is here"
            judgement.warnings.append(warning(where, source.batch_id, "not_checked_out", text))
        if recalled := facts.batches[source].recalled:
            text = f"the batch is recalled in {', '.join(sorted(recalled))}"
            judgement.warnings.append(warning(where, source.batch_id, "source_recalled", text))
        if withdrawn := facts.products[source.product_code].withdrawn:
            where = f"{path}.productCode"
            text = f"the product is withdrawn from {', '.join(sorted(withdrawn))}"
            found = warning(where, source.product_code, "source_withdrawn", text)
            judgement.warnings.append(found)


def _warn_of_targets(
    sources: Mapping[str, BatchKey],
    targets: Mapping[str, BatchKey],
    facts: LinkFacts,
    judgement: Judgement,
) -> None:
    earliest = min(last_day(facts.batches[source].expiry) for source in sources.values())
    for path, target in targets.items():
        if last_day(facts.batches[target].expiry) > earliest:
            # A new package makes no medicine last longer.
            text = "the batch expires later than one it was made from"
            found = warning(f"{path}.batchId", target.batch_id, "expires_later", text)
            judgement.warnings.append(found)
        if all(Link(source, target) in facts.links for source in sources.values()):
            text = "the batch is linked with all these sources already"
            found = warning(f"{path}.batchId", target.batch_id, "already_linked", text)
            judgement.warnings.append(found)
