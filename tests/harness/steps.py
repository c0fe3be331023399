"""Steps at which a process is killed: statements and commits of transactions, and changes of files."""

import os
import random
import signal
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloud.foundation.objects import LocalObjects, StoredObject


class Steps:
    """Counts steps, and kills the process in place of step number `at`."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.subject = ""
        """First part of the name of the object that is put or removed."""

    def passed(self, name: str = "") -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def in_database(self, what: str) -> None:
        """A step of a `PlacedDatabase`; its name has the function that takes it."""
        self.passed(f"{what} {_place_in_cloud()}")


class NamedSteps(Steps):
    """Counts the steps of one name, and kills the process in place of number `at` of them. The file `path` gets the
    names of all steps, one a line; the last line is the step at which the process was killed."""

    def __init__(self, name: str, at: int, path: Path) -> None:
        super().__init__(at)
        self._name = name
        self._path = path
        self._names: list[str] = []

    def passed(self, name: str = "") -> None:
        self._names.append(name)
        if name == self._name:
            if self._left == 1:
                self.note()
            super().passed(name)

    def note(self) -> None:
        self._path.write_text("\n".join(self._names))


class StepPlan:
    """Chooses the step at which the next child is killed, among the names of the steps that children have passed: one
    that was chosen least often, so that each is hit, in a random place."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._most: dict[str, int] = {}
        """The most steps of one child that have this name."""
        self._chosen: Counter[str] = Counter()

    def choose(self) -> tuple[str, int]:
        """Return the name of a step and the number among those of this name; the first child passes all steps. Every
        other time it is the first one, since only some children have more."""
        if not self._most:
            return "", 0
        name = min(self._most, key=lambda one: (self._chosen[one], self._chance.random()))
        self._chosen[name] += 1
        return name, 1 if self._chosen[name] % 2 else self._chance.randint(1, self._most[name])

    def learn(self, names: Sequence[str]) -> None:
        """Note the steps of a child."""
        for name, count in Counter(names).items():
            self._most[name] = max(count, self._most.get(name, 0))


class SteppedObjects(LocalObjects):
    """An object store whose removals are steps. It notes which object the steps of files are for."""

    def __init__(self, root: Path, steps: Steps) -> None:
        super().__init__(root)
        self._steps = steps

    async def put(self, name: str, data: bytes) -> StoredObject:
        self._steps.subject = name.partition("/")[0]
        return await super().put(name, data)

    async def remove(self, name: str) -> None:
        self._steps.subject = name.partition("/")[0]
        self._steps.passed(f"remove {self._steps.subject}")
        await super().remove(name)


def file_steps(steps: Steps) -> None:
    """Make every flush and rename of a file a step."""
    flush, rename = os.fsync, Path.rename

    def stepped_flush(fd: Any) -> None:
        what = "folder of" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file of"
        steps.passed(f"flush {what} {steps.subject}")
        flush(fd)

    def stepped_rename(self: Path, target: Path) -> Path:
        steps.passed(f"rename file of {steps.subject}")
        return rename(self, target)

    os.fsync = stepped_flush
    Path.rename = stepped_rename  # type: ignore[method-assign,assignment]


def _place_in_cloud() -> str:
    """Return the name of the function of a slice that takes the step, the innermost one."""
    frame = sys._getframe(1)
    while True:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("cloud.") and not module.startswith("cloud.foundation."):
            return frame.f_code.co_qualname
        if frame.f_back is None:
            return ""
        frame = frame.f_back
