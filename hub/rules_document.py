"""`python -m hub.rules_document` prints docs/hub-rules.md: the hub's rules, read off its tables."""

from __future__ import annotations

import sys
from typing import Final

from emvs.rules_document import table
from hub.fields import FIELD_RULES, FIELD_SOURCES
from hub.rule_catalogue import RULES

_SOURCES: Final = {"P": "published", "I": "inferred", "D": "ours"}
_CHAPTERS: Final = """\
# The hub's rules on messages of manufacturers

Made from the code by `python -m hub.rules_document > docs/hub-rules.md`; a test holds that it is up
to date. *Published* rules are those of EMVO's help pages and of the national systems' code lists,
*inferred* ones follow from something published, the rest is *ours*.

A message is valid or invalid as a whole (`STVA`, `STIV`): one answer lists all its defects, each
with code, field, value and rule. A rule on a *market* keeps the message from that market alone, one
on a *pack* that pack; a *remark* keeps nothing from anywhere.

`A16` is a data validation error, `I1` an invalid format.

## How an element may be filled

Which code an absent, an empty, a blank and a too long element gets, as published for hub release
1.16. `-`: taken so.

{fields}
`organisation` is whatever has an address: `marketingAuthorisationHolder`, `manufacturer`,
`designatedWholesalers[]`. `reason` is that of recalls and withdrawals, `stateReason` that of state
updates. Beyond these, `scheme`, `productCode`, `packSize`, `market`, `batchId`, `expiry`,
`serialNumbers`, `markets` get `A16` where they are absent, `batchId` and `expiry` `I1` where they
are empty.

## All rules

{rules}"""


def rules_document() -> str:
    """Return the whole document."""
    return _CHAPTERS.format(fields=_fields(), rules=_rules())


def _fields() -> str:
    header = ("element", "longest", "absent", "empty", "blank", "too long", "source")
    return table(
        header,
        (
            (
                f"`{name}`",
                str(rule.length_max),
                *(code or "-" for code in (rule.absent, rule.empty, rule.blank)),
                rule.too_long,
                _SOURCES[FIELD_SOURCES[name]],
            )
            for name, rule in FIELD_RULES.items()
        ),
    )


def _rules() -> str:
    header = ("rule", "code", "messages", "refuses", "broken when", "source")
    return table(
        header,
        (
            (
                f"`{name}`",
                rule.code or "-",
                rule.messages,
                rule.scope,
                rule.text,
                _SOURCES[rule.source],
            )
            for name, rule in RULES.items()
        ),
    )


if __name__ == "__main__":
    sys.stdout.write(rules_document())
