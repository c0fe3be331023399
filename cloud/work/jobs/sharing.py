"""Divide the free slots of a worker among the tenants whose jobs are due.

Tenants with the fewest running jobs come first, in all workers together. Among equal ones, the tenant comes first that
this worker has served longest ago. So one tenant's queue, however long, does not delay another tenant's only job, and
tenants that are more than the slots take turns.

Jobs with long steps get all slots of a worker but one at most, whatever tenants they belong to: they cannot give up a
slot before the end of their steps, so a job with short steps would wait for minutes. Those of one tenant get all slots
but two at most, so that a slot is free at once for a job with long steps of another tenant.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloud.work.jobs.lease_store import DueTenant

REMEMBERED_MAX = 20_000
"""Tenants whose last claim is remembered: twice as many as one query returns."""


@dataclass(frozen=True, slots=True)
class SplitClaim:
    """The numbers of jobs to claim of each tenant: of `any_kind`, and in addition `short` ones without long steps."""

    any_kind: Mapping[str, int]
    short: Mapping[str, int]


def split_claim(counts: Mapping[str, int], rooms: Mapping[str, int], long_free: int) -> SplitClaim:
    """Divide the jobs to claim of each tenant, so that at most `long_free` of them have long steps, and at most
    `rooms[tenant_id]` of a tenant. Tenants take turns in the order of `counts`."""
    most = {tenant_id: min(count, rooms[tenant_id]) for tenant_id, count in counts.items()}
    if most == counts and long_free >= sum(counts.values()):
        return SplitClaim(counts, {})
    any_kind, left = dict[str, int](), max(0, long_free)
    for turn in range(max(most.values(), default=0)):
        for tenant_id, count in most.items():
            if turn < count and left:
                any_kind[tenant_id] = turn + 1
                left -= 1
    short = {tenant_id: count - any_kind.get(tenant_id, 0) for tenant_id, count in counts.items()}
    return SplitClaim(any_kind, {tenant_id: count for tenant_id, count in short.items() if count})


def in_batches(counts: Mapping[str, int], most: int) -> Sequence[Mapping[str, int]]:
    """Divide the jobs to claim of each tenant into claims of at most `most` jobs."""
    if sum(counts.values()) <= most:
        return [counts] if counts else []
    batches, batch, room = list[Mapping[str, int]](), dict[str, int](), most
    for tenant_id, count in counts.items():
        while count:
            batch[tenant_id] = part = min(count, room)
            count, room = count - part, room - part
            if not room:
                batches.append(batch)
                batch, room = {}, most
    return [*batches, batch] if batch else batches


class FairShares:
    """Chooses how many jobs of each tenant a worker with `slots` slots claims. A tenant gets at most all slots but one,
    so that a slot is free at once for other tenants, even beside steps that take minutes."""

    def __init__(self, slots: int) -> None:
        self._most = max(1, slots - 1)
        self._turns = itertools.count(1)
        self._served: dict[str, int] = {}

    def divide(self, due: Iterable[DueTenant], here: Counter[str], free: int) -> dict[str, int]:
        """Return the number of jobs to claim of each tenant, `free` together at most. `here` is the number of jobs of
        each tenant that this worker has now."""
        queue = [
            (one.running, self._served.get(one.tenant_id, 0), one.due_at_us, one.tenant_id)
            for one in due
            if here[one.tenant_id] < self._most
        ]
        heapq.heapify(queue)
        counts: dict[str, int] = {}
        while free and queue:
            running, served, due_at_us, tenant_id = queue[0]
            counts[tenant_id] = counts.get(tenant_id, 0) + 1
            free -= 1
            if here[tenant_id] + counts[tenant_id] < self._most:
                heapq.heapreplace(queue, (running + 1, served, due_at_us, tenant_id))
            else:
                heapq.heappop(queue)
        return counts

    def note(self, tenant_ids: Iterable[str]) -> None:
        """Note that these tenants got a slot now."""
        for tenant_id in tenant_ids:
            self._served.pop(tenant_id, None)  # the dictionary stays in the order of the last turns
            self._served[tenant_id] = next(self._turns)
        while len(self._served) > REMEMBERED_MAX:
            del self._served[next(iter(self._served))]
