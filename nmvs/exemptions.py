"""Products outside the scope of verification, and exempted batches: what the NMVO lists.

Packs released without safety features stay saleable (Delegated Regulation (EU) 2016/161, Art. 48),
and an authority may exempt a batch that was uploaded wrongly. Such a pack is not looked for and
raises no alert, whatever is asked of it. A listed product counts whether or not it was uploaded
here; a listed batch counts where a request names it. In memory; stored when it changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from emvs.character_sets import is_set82
from emvs.check_digits import is_valid_gtin, is_valid_ppn
from emvs.errors import BadRequestError, ConfigurationError
from emvs.infra.clock import Clock
from emvs.limits import EXEMPTIONS_MAX
from emvs.outcomes import Outcome
from nmvs.store import Store


class Exemptions:
    """The lists of one market."""

    def __init__(self, store: Store, clock: Clock, configured: Iterable[str] = ()) -> None:
        """`configured`: product codes outside the scope that the configuration lists."""
        self._store = store
        self._clock = clock
        self._configured = frozenset(configured)
        if wrong := sorted(code for code in self._configured if not _is_product_code(code)):
            raise ConfigurationError(f"non_fmd_product_codes: {wrong[0]!r} is no product code")
        self.product_codes: set[str] = set(self._configured)
        self.batches: set[tuple[str, str]] = set()

    async def load(self) -> None:
        """Read what is stored."""
        self.product_codes.update(await self._store.non_fmd_products())
        self.batches.update(await self._store.exempted_batches())

    def outcome(self, product_code: str, batch_id: str | None) -> Outcome | None:
        """Return what a request about such a pack comes to, None if it is to be looked for."""
        if product_code in self.product_codes:
            return Outcome.NON_FMD_PRODUCT
        if self.batches and batch_id is not None and (product_code, batch_id) in self.batches:
            return Outcome.BATCH_EXEMPTED
        return None

    async def list_product(self, product_code: str) -> None:
        """Put a product outside the scope."""
        _check(product_code, len(self.product_codes))
        await self._store.put_non_fmd_product(product_code, self._clock.now())
        self.product_codes.add(product_code)

    async def unlist_product(self, product_code: str) -> None:
        """Take a product off the list. One of the configuration stays."""
        if product_code in self._configured:
            raise BadRequestError(f"{product_code} is listed by the configuration")
        await self._store.delete_non_fmd_product(product_code)
        self.product_codes.discard(product_code)

    async def list_batch(self, product_code: str, batch_id: str) -> None:
        """Exempt a batch."""
        _check(product_code, len(self.batches))
        if not is_set82(batch_id):
            raise BadRequestError(f"{batch_id!r} is no batch identifier")
        await self._store.put_exempted_batch(product_code, batch_id, self._clock.now())
        self.batches.add((product_code, batch_id))

    async def unlist_batch(self, product_code: str, batch_id: str) -> None:
        """End a batch's exemption."""
        await self._store.delete_exempted_batch(product_code, batch_id)
        self.batches.discard((product_code, batch_id))


def _is_product_code(product_code: str) -> bool:
    return is_valid_gtin(product_code) or is_valid_ppn(product_code)


def _check(product_code: str, listed_count: int) -> None:
    if not _is_product_code(product_code):
        raise BadRequestError(f"{product_code!r} is no product code: its check digit is wrong")
    if listed_count >= EXEMPTIONS_MAX:
        raise BadRequestError(f"at most {EXEMPTIONS_MAX} can be listed")
