"""The work of a call, counted without a clock: executed opcodes of the project's code, and bytes passed to C functions.

Opcodes are counted in frames of the four packages of the project. A method of a string, bytes object or list that is
written in C may read the whole object, so the object's length is added. Slices and sums of `CountedBytes` and
`CountedText` add the length of the result, and the results are counted types again. The counts are the same on every
machine, and they distinguish linear work from quadratic work.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

DOUBLED_MAX = 2.1
"""The highest factor for a doubled input: twice the work, and a little for the start."""

_ROOT = Path(__file__).resolve().parents[2]
_OURS = tuple(f"{_ROOT / name}/" for name in ("protocols", "gateway", "cloud", "simulators"))
_MEASURED = (str, bytes, bytearray, memoryview, list)
# These add or remove one item at an end and read no other.
_CONSTANT = frozenset({"append", "pop", "startswith", "endswith", "extend", "__len__", "clear", "popleft"})


class _Meter:
    def __init__(self) -> None:
        self.work = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the opcodes, and the bytes passed to C functions, in the `with` block."""
        profiling = sys.getprofile()
        sys.setprofile(self.profiled)
        try:
            with self._monitored() if sys.version_info >= (3, 12) else self._traced():
                yield
        finally:
            sys.setprofile(profiling)

    @contextmanager
    def _traced(self) -> Iterator[None]:
        tracing = sys.gettrace()
        sys.settrace(self.traced)
        try:
            yield
        finally:
            sys.settrace(tracing)

    @contextmanager
    def _monitored(self) -> Iterator[None]:
        """Count opcodes with `sys.monitoring` from Python 3.12 on, where `sys.settrace` reports no opcodes."""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined]  # the types are those of the oldest Python
        tool = monitoring.DEBUGGER_ID

        def count(code: Any, _offset: int) -> Any:
            if not code.co_filename.startswith(_OURS):
                return monitoring.DISABLE
            self.work += 1
            return None

        monitoring.use_tool_id(tool, "work")
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, count)
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)

    def traced(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "call":
            if not frame.f_code.co_filename.startswith(_OURS):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            self.work += 1
        return self.traced

    def profiled(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "c_call" or arg.__name__ in _CONSTANT:
            return
        owner = getattr(arg, "__self__", None)
        if isinstance(owner, _MEASURED):
            self.work += len(owner)


def assert_linear(work: Sequence[int]) -> None:
    """Check that the work grows linearly; `work` are the counts for inputs of the sizes n, 2n and 4n."""
    assert work[1] <= DOUBLED_MAX * work[0], work
    assert work[2] <= DOUBLED_MAX * work[1], work


_current: list[_Meter] = []


def work_of(call: Callable[[], object]) -> int:
    """Return how many opcodes one call executes plus how many bytes it passes to C functions; an exception of the call
    is passed on."""
    meter = _Meter()
    _current.append(meter)
    try:
        with meter.running():
            call()
    finally:
        _current.pop()
    return meter.work


def _count(length: int) -> None:
    if _current:
        _current[-1].work += length


class CountedBytes(bytes):
    """A bytes object whose slices, copies and concatenations add the length of the result to the counted work."""

    def __bytes__(self) -> bytes:
        _count(len(self))
        return self

    def __add__(self, other: Any) -> "CountedBytes":
        _count(len(self) + len(other))
        return CountedBytes(super().__add__(other))

    def __radd__(self, other: Any) -> "CountedBytes":
        if isinstance(other, bytearray):
            return NotImplemented  # it grows in place
        _count(len(self) + len(other))
        return CountedBytes(bytes(other) + bytes.__getitem__(self, slice(None)))

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, int):
            return found
        _count(len(found))
        return CountedBytes(found)


class CountedText(str):
    """A string whose slices and concatenations add the length of the result to the counted work."""

    __slots__ = ()

    def __add__(self, other: str) -> "CountedText":
        _count(len(self) + len(other))
        return CountedText(super().__add__(other))

    def __getitem__(self, key: Any) -> "CountedText":
        found = super().__getitem__(key)
        _count(len(found))
        return CountedText(found)
