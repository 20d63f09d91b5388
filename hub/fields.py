"""How each text element of an upload may be filled, as one table.

EU Hub 1.16 answers an absent, an empty, a blank and a too long element with different codes
(EMVO help centre, "Error messages for mandatory fields"). Published are the rows `commonName`,
`street` and `street2`, and of `city` the absent and empty cells; every other cell is inferred
from the nearest published row.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from emvs.obp_messages import PostalOrganisation
from hub.defects import Code, Defects


class FieldRule(NamedTuple):
    """Code of each way to fill an element wrongly; None: accepted so."""

    length_max: int
    absent: Code | None
    empty: Code | None
    blank: Code | None
    too_long: Code


_CODES: Final = {"A16": Code.A16, "I1": Code.I1, "-": None}

# P published, I inferred from a published row, D our choice.
_ROWS: Final = """
field               longest absent empty blank too_long source
commonName              255    A16    I1    I1       I1      P
name                    255    A16    I1    I1       I1      I
pharmaceuticalForm      255    A16    I1    I1       I1      I
strength                255    A16    I1    I1       I1      I
packType                255    A16    I1    I1       I1      I
nationalCode             20      -    I1    I1       I1      D
article57Code            20      -    I1    I1       I1      D
organisation.id         255      -    I1    I1       I1      D
organisation.name      1000     I1   A16   A16       I1      I
organisation.street    1000     I1   A16   A16       I1      P
organisation.street2   1000     I1     -     -       I1      P
organisation.city      1000     I1   A16   A16       I1      I
organisation.postCode  1000     I1   A16   A16       I1      I
organisation.country   1000     I1   A16   A16       I1      I
reason                 1000    A16   A16   A16       I1      D
stateReason            1000      -    I1    I1       I1      D
"""


def _read_rows(text: str) -> dict[str, FieldRule]:
    rules: dict[str, FieldRule] = {}
    for line in text.strip().splitlines()[1:]:
        name, longest, absent, empty, blank, too_long, _ = line.split()
        rules[name] = FieldRule(
            int(longest), _CODES[absent], _CODES[empty], _CODES[blank], Code(too_long)
        )
    return rules


FIELD_RULES: Final = _read_rows(_ROWS)
FIELD_SOURCES: Final = {
    line.split()[0]: line.split()[-1] for line in _ROWS.strip().splitlines()[1:]
}
"""Where each row comes from: P, I or D, as above."""
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ORGANISATION_MEMBERS: Final = ("id", "name", "street", "street2", "city", "postCode", "country")


def check_field(value: str | None, path: str, rule: FieldRule, defects: Defects) -> None:
    """Add what is wrong with the element at `path`, at most one defect."""
    code: Code | None
    if value is None:
        code, name, text = rule.absent, "absent", "is absent"
    elif not value:
        code, name, text = rule.empty, "empty", "is empty"
    elif len(value) > rule.length_max:
        code, name = rule.too_long, "too_long"
        text = f"has {len(value)} characters, at most {rule.length_max} are taken"
    elif value.isspace():
        code, name, text = rule.blank, "blank", "consists of blanks"
    elif _CONTROL_CHARACTER.search(value):
        code, name, text = Code.I1, "control_character", "holds a control character"
    else:
        return
    if code is not None:
        defects.add(code, path, value, name, f"{path.rpartition('.')[2]} {text}")


def check_organisation(
    organisation: PostalOrganisation | None, path: str, defects: Defects, *, required: bool
) -> None:
    """Add what is wrong with a company and its address.

    Name and address are mandatory since hub release 1.16.
    """
    if organisation is None:
        if required:
            name = path.rpartition(".")[2]
            defects.add(Code.I1, path, None, "absent", f"{name} is absent")
        return
    for member in _ORGANISATION_MEMBERS:
        rule = FIELD_RULES[f"organisation.{member}"]
        check_field(getattr(organisation, member), f"{path}.{member}", rule, defects)
