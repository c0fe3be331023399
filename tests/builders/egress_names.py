"""Name servers of a test's own, with fixed or changing addresses."""

from collections.abc import Sequence

from cloud.foundation.egress import NameUnresolved

PUBLIC = "93.184.215.14"


class Names:
    """A resolver that maps names to addresses; with several lists, each query gets the next, up to the last."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        lists = self._answers.get(host)
        if not lists:
            raise NameUnresolved
        return lists.pop(0) if len(lists) > 1 else lists[0]
