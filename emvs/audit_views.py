"""Which part of an audit trail each kind of participant may read: a table.

Source: Delegated Regulation (EU) 2016/161, Art. 38: each party sees only the data it generated
itself; who operates the system looks into the trail only to investigate flagged events (Art. 37),
so an alert that nobody looks into yet, or any more, opens nothing; Art. 39: authorities may see
everything for supervision.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from emvs.roles import Role


class AuditView(Enum):
    """A part of an audit trail."""

    OWN_ENTRIES = "entries of one location, without what others did to the same packs"
    OWN_PRODUCTS = "entries about one product, without who made them"
    INVESTIGATED_PACKS = "entries about packs of which an alert is under investigation"
    EVERYTHING = "all entries"


AUDIT_VIEWS: Final = {
    Role.PHARMACY: AuditView.OWN_ENTRIES,
    Role.HOSPITAL: AuditView.OWN_ENTRIES,
    Role.WHOLESALER: AuditView.OWN_ENTRIES,
    Role.OBP: AuditView.OWN_PRODUCTS,
    Role.PARALLEL_DISTRIBUTOR: AuditView.OWN_ENTRIES,
    Role.NMVO: AuditView.INVESTIGATED_PACKS,
    Role.NCA: AuditView.EVERYTHING,
}
assert AUDIT_VIEWS.keys() == set(Role), "every role has its view"
