"""Deliveries that are claimed and wait for a slot to begin in, so that no slot waits for the database.

A claim is two commits away from the next one; a receiver answers sooner. So a worker claims some ahead, and what is
here begins the moment a slot is free, the endpoints in turn. Nothing stays long: what an endpoint has no slot for in
time goes back unsent, before its lease becomes short and before what its owner changed meanwhile could go unheard. And
nothing stays of an endpoint that has just refused, failed or dawdled: who answers 410 or 503 is not asked again.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence

from cloud.partners.webhooks.attempt import Post
from cloud.partners.webhooks.slots import SLOW_MS, Slots

WAIT_S_MAX = SLOW_MS / 1000
"""An endpoint whose slots are all taken for that long is a slow one."""


class Ready:
    """As many as were claimed, and those are bounded (slots.py). Times are those of a monotonic clock, in seconds."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._lines: OrderedDict[str, deque[tuple[float, Post]]] = OrderedDict()  # by endpoint, in order of their turn

    def add(self, posts: Sequence[Post], now_s: float) -> None:
        for post in posts:
            self._lines.setdefault(post.endpoint.id, deque()).append((now_s, post))

    def begin(self) -> Post | None:
        """The next one that may begin, with its slot taken; None while none may."""
        for webhook_id, line in self._lines.items():
            post = line[0][1]
            if self._slots.free(post.endpoint.tenant_id, webhook_id) > 0:
                break
        else:
            return None
        line.popleft()
        if line:
            self._lines.move_to_end(webhook_id)
        else:
            del self._lines[webhook_id]
        self._slots.take(post.endpoint.tenant_id, webhook_id, 1)
        return post

    def overdue(self, now_s: float) -> Sequence[Post]:
        """Take out every line whose first has waited too long."""
        late = [webhook_id for webhook_id, line in self._lines.items() if now_s - line[0][0] >= WAIT_S_MAX]
        return [post for webhook_id in late for post in self.take_out(webhook_id)]

    def take_out(self, webhook_id: str) -> Sequence[Post]:
        """Everything of one endpoint."""
        return [post for _, post in self._lines.pop(webhook_id, ())]

    def drain(self) -> Sequence[Post]:
        """Take out everything."""
        posts = [post for line in self._lines.values() for _, post in line]
        self._lines.clear()
        return posts
