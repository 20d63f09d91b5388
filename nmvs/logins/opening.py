"""Loading logins and terms at start."""

from __future__ import annotations

from collections.abc import Callable

from emvs.infra.clock import Clock
from emvs.infra.database import Database
from emvs.login_rules import LoginRules
from nmvs.logins.registry import Logins
from nmvs.logins.store import LoginStore
from nmvs.logins.terms import TermsOnFile
from nmvs.participants import Participant


async def load_logins(
    database: Database,
    clock: Clock,
    rules: LoginRules,
    *,
    admitted: Callable[[int], Participant | None],
    hash_cost_log2: int,
) -> Logins:
    """Return the logins of a market's SOAP services; `admitted` returns who may work now by the
    number of a location."""
    store = LoginStore(database)
    terms = TermsOnFile(store)
    logins = Logins(
        store=store,
        clock=clock,
        terms=terms,
        rules=rules,
        admitted=admitted,
        hash_cost_log2=hash_cost_log2,
    )
    await terms.load()
    await logins.load()
    return logins
