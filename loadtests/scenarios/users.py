"""The Locust users: lanes of pharmacies, hospitals and wholesalers, and one manufacturer.

A user of the first three kinds is no single till but a lane: it carries whatever its kind has to
do next, one request at a time. The number of users bounds how many requests are under way; the rate
comes from the plan. With the closed model each user is one till, which waits for each answer and
then pauses, as Locust's users usually do.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar, Final

import gevent
from locust import FastHttpUser, task
from locust.user.task import LOCUST_STATE_RUNNING

from loadtests.scenarios.arrivals import Arrival, Errand
from loadtests.scenarios.generator import Generator
from loadtests.scenarios.manufacturer import Message, plan_messages
from loadtests.scenarios.mix import CLUSTER_SHARES, PAUSE_S, Operation, Role
from loadtests.scenarios.process import PROCESS
from loadtests.scenarios.samples import Flag, Verdict

_IDLE_S: Final = 0.5
_POLL_S: Final = 0.5
_DISTRIBUTION_S_MAX: Final = 600.0
_UNUSED_HOST: Final = "http://localhost"
"""Locust wants an address; those of the systems are in the plan."""


class _Lane(FastHttpUser):
    """Carries the errands of one role."""

    abstract = True
    host = _UNUSED_HOST
    role: ClassVar[Role]

    def on_start(self) -> None:
        """Wait until everything is prepared; tills of the closed model do not begin as one."""
        PROCESS.lanes[self.role] += 1
        PROCESS.ready.wait()
        if PROCESS.plan is not None and PROCESS.plan.model == "closed":
            gevent.sleep(random.uniform(0.0, PAUSE_S[1]))  # noqa: S311 - made-up traffic.

    @task
    def work(self) -> None:
        """Do one errand (open model), or serve one prescription (closed model)."""
        generator = PROCESS.generator
        if generator is None:
            gevent.sleep(_IDLE_S)
        elif generator.plan.model == "closed":
            self._serve()
        else:
            # One task for the whole run: Locust's way from task to task costs as much as a request.
            while self._state == LOCUST_STATE_RUNNING and generator.carry(self.role):
                pass
            gevent.sleep(_IDLE_S)

    def _serve(self) -> None:
        generator = PROCESS.generator
        assert generator is not None, "the run has begun"
        sites = [site.number for site in generator.plan.sites if site.role is self.role]
        if not sites or _is_over(generator):
            gevent.sleep(_IDLE_S)
            return
        site = random.choice(sites)  # noqa: S311 - made-up traffic.
        sizes = range(1, len(CLUSTER_SHARES) + 1)
        for _ in range(random.choices(sizes, CLUSTER_SHARES)[0]):  # noqa: S311
            if _is_over(generator):
                return
            generator.busy_lanes += 1
            generator.do(Arrival(generator.now(), 0, Errand.SCAN, site), waited=True)
            generator.busy_lanes -= 1
            gevent.sleep(random.uniform(*PAUSE_S))  # noqa: S311


def _is_over(generator: Generator) -> bool:
    return generator.is_stopped or generator.now() > generator.plan.duration_s


class CommunityPharmacy(_Lane):
    """Prescriptions of one to six packs; deliveries in the morning."""

    role = Role.PHARMACY
    weight = 8


class Hospital(_Lane):
    """Wards are supplied, often many packs at once."""

    role = Role.HOSPITAL
    weight = 2


class Wholesaler(_Lane):
    """Verifies deliveries, in the evening many packs at once."""

    role = Role.WHOLESALER
    weight = 2


class Manufacturer(FastHttpUser):
    """Uploads batches and recalls some; the only one of the run."""

    host = _UNUSED_HOST
    fixed_count = 1
    network_timeout = 60.0

    def on_start(self) -> None:
        """Make the batches before the run begins: later that would cost others their time."""
        PROCESS.planned.wait()
        plan = PROCESS.plan
        self._messages: list[Message] = []
        if plan is not None and plan.maker is not None:
            self._messages = plan_messages(plan, plan.maker)
        PROCESS.ready.wait()

    @task
    def send(self) -> None:
        """Send the next message at its moment."""
        generator = PROCESS.generator
        if generator is None or not self._messages:
            gevent.sleep(_IDLE_S)
            return
        message = self._messages.pop(0)
        waited = message.at > generator.now()
        if waited:
            gevent.sleep(message.at - generator.now())
        gevent.spawn(self._send, message, waited)

    def _send(self, message: Message, waited: bool) -> None:
        generator = PROCESS.generator
        assert generator is not None, "the run has begun"
        maker = generator.plan.maker
        assert maker is not None, "there is a manufacturer"
        sent_at = generator.now()
        headers = {"Authorization": f"Bearer {maker.token}"}
        url = f"{maker.hub_url}/obp/v1"
        operation = Operation.RECALL if message.message_type == "RCBR" else Operation.UPLOAD
        with self.client.post(
            f"{url}/{message.message_type}",
            data=message.document,  # type: ignore[arg-type] # Bytes go out as they are.
            headers=headers | {"Content-Type": "application/json"},
            name=f"hub {operation.label}",
            catch_response=True,
        ) as response:
            status = response.status_code or 0
            if status != 202:
                response.failure(f"HTTP {status}")
        self._keep(message, sent_at, operation, status, f"HTTP {status}", waited=waited)
        if status == 202 and operation is Operation.UPLOAD:
            self._follow(message, sent_at, f"{url}/requests/{message.transaction_id}")

    def _follow(self, message: Message, sent_at: float, url: str) -> None:
        """Wait until every market has the packs."""
        generator = PROCESS.generator
        assert generator is not None, "the run has begun"
        assert generator.plan.maker is not None, "there is a manufacturer"
        headers = {"Authorization": f"Bearer {generator.plan.maker.token}"}
        while generator.now() - sent_at < _DISTRIBUTION_S_MAX:
            gevent.sleep(_POLL_S)
            response = self.client.get(url, headers=headers, name="hub status")
            steps = _steps(response)
            if {"STDS", "STDF", "STIV"} & steps:
                status = 200 if "STDS" in steps else 500
                self._keep(
                    message, sent_at, Operation.DISTRIBUTION, status, max(steps), waited=True
                )
                return

    def _keep(
        self,
        message: Message,
        sent_at: float,
        operation: Operation,
        status: int,
        code: str,
        *,
        waited: bool,
    ) -> None:
        generator = PROCESS.generator
        assert generator is not None, "the run has begun"
        number = next(
            (site.number for site in generator.plan.sites if site.market == message.market), 0
        )
        verdict = Verdict.EXPECTED if status in {200, 202} else Verdict.ERROR
        generator.keep_row(
            (message.at, max(sent_at - message.at, 0.0), generator.now() - sent_at, 0),
            (min(message.serials, 65_535), number, status),
            (operation, 0, Flag.WAITED * waited, verdict),
            code,
        )


def _steps(response: Any) -> set[str]:
    try:
        return {entry["status"] for entry in response.json()["history"]}
    except (ValueError, KeyError, TypeError):
        return set()
