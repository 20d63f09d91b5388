"""Jobs in line: organisations take turns slice by slice, and so do the locations of each.

Jobs of one location follow one another, as it may have sent the second because of the first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from nmvs.bulk.jobs import SLICE_COUNT_MAX, Job


@dataclass(slots=True)
class Progress:
    """How far a job has come."""

    job: Job
    next_slice: int = 0
    in_doubt: bool = False
    """Whether packs of the next slice may have been done: after a start or a failure."""

    @property
    def items_left(self) -> int:
        """Items without a stored result."""
        return max(0, self.job.item_count - self.next_slice * SLICE_COUNT_MAX)


class FairQueue:
    """Jobs that wait to be worked through."""

    def __init__(self) -> None:
        self._organisations: OrderedDict[str, OrderedDict[int, deque[Progress]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._organisations)

    def items_until(self, progress: Progress) -> int:
        """Return about how many items are worked through until a job is done."""
        locations = self._organisations[progress.job.organisation]
        count = 0
        for other in locations[progress.job.location_number]:
            count += other.items_left
            if other is progress:
                break
        return count * len(locations) * len(self._organisations)

    def add(self, progress: Progress) -> None:
        """Put a job in line behind its location's others."""
        job = progress.job
        locations = self._organisations.setdefault(job.organisation, OrderedDict())
        locations.setdefault(job.location_number, deque()).append(progress)

    def take_turn(self) -> Progress:
        """Return the job whose turn it is; it stays in line, its organisation goes to the end."""
        organisation, locations = next(iter(self._organisations.items()))
        location, jobs = next(iter(locations.items()))
        self._organisations.move_to_end(organisation)
        locations.move_to_end(location)
        return jobs[0]

    def remove(self, progress: Progress) -> None:
        """Take a job out of the line."""
        job = progress.job
        locations = self._organisations[job.organisation]
        jobs = locations[job.location_number]
        jobs.remove(progress)
        if not jobs:
            del locations[job.location_number]
        if not locations:
            del self._organisations[job.organisation]
