"""Observe a transaction of either database: the time that it takes, and whether it met damaged data."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.trace import SpanTimer

Entered = TypeVar("Entered")


class ObservedBlock(AbstractAsyncContextManager[Entered], Generic[Entered]):
    """Runs `block` as a span of the trace, and counts in `damage` the errors of damaged data, also those of its
    beginning and its end."""

    # Not a generator, which would take a tenth of the event loop's time of a small transaction.
    __slots__ = ("_block", "_damage", "_span")

    def __init__(
        self, name: str, attributes: Mapping[str, Any], damage: DamageNotes, block: AbstractAsyncContextManager[Entered]
    ) -> None:
        self._span = SpanTimer(name, "client", attributes)
        self._damage = damage
        self._block = block

    async def __aenter__(self) -> Entered:
        self._span.__enter__()
        try:
            return await self._block.__aenter__()
        except BaseException as failure:
            self._end(failure)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            is_handled = await self._block.__aexit__(kind, error, trace)
        except BaseException as failure:
            self._end(failure)
            raise
        self._end(error)
        return is_handled

    def _end(self, error: BaseException | None) -> None:
        kind = None if error is None else type(error)
        self._damage.__exit__(kind, error, None)
        self._span.__exit__(kind, error, None)
