"""The hub's counters and gauges in Prometheus' text format, read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.callbacks import Callbacks
from hub.distribution import Courier
from hub.intermarket import Intermarket
from hub.loading import Loader
from hub.outbox import Outbox
from hub.reception import Reception


class HubCollector(Collector):
    """Shows what the parts of the hub count by themselves."""

    def __init__(
        self,
        *,
        reception: Reception,
        loader: Loader,
        outbox: Outbox,
        couriers: Mapping[str, Courier],
        intermarket: Intermarket,
    ) -> None:
        self._reception = reception
        self._loader = loader
        self._outbox = outbox
        self._couriers = couriers
        self._intermarket = intermarket

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics as they are now."""
        requests = CounterMetricFamily("hub_requests", "Requests, by step.", labels=["step"])
        requests.add_metric(["accepted"], self._reception.accepted_count)
        requests.add_metric(["valid"], self._loader.valid_count)
        requests.add_metric(["invalid"], self._loader.invalid_count)
        yield requests
        waiting = GaugeMetricFamily(
            "hub_deliveries_waiting", "Deliveries that wait.", labels=["system"]
        )
        ended = CounterMetricFamily(
            "hub_deliveries_ended", "Deliveries that ended.", labels=["system", "status"]
        )
        for system, count in self._outbox.waiting.items():
            waiting.add_metric([system], count)
        for system, courier in self._couriers.items():
            for status, count in courier.ends.items():
                ended.add_metric([system, status.value], count)
        yield waiting
        yield ended
        answers = CounterMetricFamily(
            "hub_intermarket_answers", "Intermarket requests answered.", labels=["outcome"]
        )
        for outcome, count in self._intermarket.outcomes.items():
            answers.add_metric([outcome], count)
        yield answers


class CallbackCollector(Collector):
    """Shows how calls to organisations' endpoints ended."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    def collect(self) -> Iterable[Metric]:
        """Yield the metric as it is now."""
        attempts = CounterMetricFamily(
            "hub_callbacks", "Calls to organisations' endpoints, by end.", labels=["end"]
        )
        for end, count in self._callbacks.ends.items():
            attempts.add_metric([end], count)
        yield attempts
