"""The fifteen acceptance checks: what Delegated Regulation (EU) 2016/161 and the operators' public
rules promise, one test each, `test_check_NN_…`, asked as users ask it.

Each module starts one hub with three markets; each check has a product of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from emvs.infra.embedded_postgres import EmbeddedPostgres
from tests.acceptance.several_markets import Markets, started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def europe(
    postgres: EmbeddedPostgres, request: pytest.FixtureRequest
) -> AsyncIterator[Markets]:
    """AT, IE and PL; each speaks both dialects. Clocks are moved: tokens outlive that."""
    schema_name = request.path.stem.removeprefix("test_")
    async with started(
        postgres.dsn("emvs"),
        schema_name,
        "AT",
        "IE",
        "PL",
        dialects=("soap", "rest"),
        rules={"sync_delay_s": 0.0},
        rest={"token_life_s": 10 * 366 * 86_400},
    ) as markets:
        yield markets
