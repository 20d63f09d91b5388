"""A repackaged batch from link to recall: whom it reaches, and what pharmacies may still supply."""

from __future__ import annotations

from tests.acceptance.several_markets import SUPPLIED, started
from tests.integration.hub.callback_stand import OUR_CODE, call
from tests.integration.hub.stand import CODE, Obp, packs, product, register
from tests.integration.receiver_process import receiving

SECRET = "secret-of-the-distributor"
RECALLED = "51221000"


async def test_the_distributor_hears_of_the_recall_and_its_own_batch_stays_good(
    dsn: str, schema_name: str
) -> None:
    async with started(dsn, schema_name, "IE") as markets, receiving("--secret", SECRET) as desk:
        assert markets._hub is not None
        token = await register(
            markets.http,
            markets._hub.management,
            organisationId="30003",
            kind="parallel_distributor",
            token="token-of-the-distributor-1",
        )
        ours = Obp(markets.obp.url, markets.http, organisation_id="30003", token=token, actor="D")
        await markets.upload("A1", "A2")
        for kind, message in (
            ("PMDR", product("IE", code=OUR_CODE)),
            ("PPDC", packs(["B1", "B2"], productCode=OUR_CODE, batchId="T1")),
        ):
            assert (await ours.ended(await ours.send(kind, **message)))["status"] == "STDS"
        subscription = {
            "transactionId": ours.transaction_id("SBPS"),
            "url": f"{desk.url}callbacks",
            "secret": SECRET,
        }
        assert (await call(ours, "POST", "SBPS", **subscription))[0] == 201
        link = await ours.ended(
            await ours.send(
                "RPLK",
                sources=[{"productCode": CODE, "batchId": "LOT1"}],
                targets=[{"productCode": OUR_CODE, "batchId": "T1"}],
            )
        )
        assert link["status"] == "STDS", link
        steps = [(await desk.line()).split()[1] for _ in range(3)]
        assert steps == ["STVA", "STLD", "STDS"]
        assert (await markets.ask("IE", "A1", "Supplied")).code == SUPPLIED

        recall = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["IE"]}
        sent = await markets.obp.send("RCBR", **recall)
        told = await desk.line()
        assert f'RCBR batch recall: {CODE} LOT1 in IE, "glass"; your batches: {OUR_CODE} T1' in told
        assert (await markets.obp.ended(sent))["status"] == "STDS"
        assert (await markets.ask("IE", "A2", "Supplied")).code == RECALLED
        supplied = await markets.tills["IE"].supply(OUR_CODE, "B1", "T1", "301231")
        assert supplied.code == SUPPLIED
