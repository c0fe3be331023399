"""A name resolver for tests, with fixed or changing addresses."""

from collections.abc import Sequence

from cloud.foundation.egress import NameUnresolved

PUBLIC = "93.184.215.14"


class Names:
    """A resolver with given addresses for each name. An underscore in a keyword stands for a dot in the name.

    With several lists of addresses for a name, each query returns the next list, and the last list is repeated. `asked`
    are the queried names.
    """

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        lists = self._answers.get(host)
        if not lists:
            raise NameUnresolved
        return lists.pop(0) if len(lists) > 1 else lists[0]
