"""A group of operations, and the keys that make a POST repeatable."""

import uuid

from argus_sdk.api import Api


def new_idempotency_key() -> str:
    """Return a key for one change. Store it with the change before you send it, to repeat it after a crash."""
    return str(uuid.uuid4())


class Group:
    """A group of operations on one host."""

    def __init__(self, api: Api) -> None:
        self._api = api
