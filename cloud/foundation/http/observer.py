"""The interface through which the HTTP layer counts requests. The metrics implement it."""

from typing import Protocol


class Observer(Protocol):
    """Counts requests. Its methods are called on the event loop, so they must not block."""

    def request_began(self, host: str) -> None: ...

    def request_ended(self, host: str, method: str, route: str | None, status: int, seconds: float) -> None: ...

    def parser_refused(self, status: int) -> None: ...

    def rate_limited(self, host: str, rate_class: str) -> None: ...


class NullObserver:
    """An observer that counts nothing."""

    def request_began(self, host: str) -> None: ...

    def request_ended(self, host: str, method: str, route: str | None, status: int, seconds: float) -> None: ...

    def parser_refused(self, status: int) -> None: ...

    def rate_limited(self, host: str, rate_class: str) -> None: ...
