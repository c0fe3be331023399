"""The kernel's measurements of a process: its processor time, its memory, its descriptors, what it wrote to disks; and
of the machine: the processor time that it did not get."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def processor_s(pid: int) -> float:
    """Return the processor time of all threads of a process so far, in user space and in the kernel, in seconds."""
    # The name may contain blanks; it ends at the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def tree_processor_s(pid: int) -> float:
    """Return the processor time of a process, its ended children and its living descendants, in seconds."""
    children_s = 0.0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended: the process has its time
            children_s += tree_processor_s(int(child))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_A_SECOND + children_s


def stolen_s() -> float:
    """Return the processor time of all cores that the host of this virtual machine gave to other guests so far, in
    seconds (proc(5), "steal"); 0 on a machine of its own."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()
    return int(fields[8]) / _TICKS_A_SECOND


def pin_tree(pid: int, cores: set[int]) -> None:
    """Let all threads of a process and of its living descendants use only these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread or a child may have ended since the folder was listed.
        with suppress(ProcessLookupError, FileNotFoundError):
            children = (task / "children").read_text().split()
            os.sched_setaffinity(int(task.name), cores)
            for child in children:
                pin_tree(int(child), cores)


def resident_bytes(pid: int | str = "self") -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def descriptors(pid: int | str = "self") -> int:
    """Return the number of open descriptors of a process; for "self", this includes the descriptor of this query."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def written_bytes(pid: int | str = "self") -> int:
    """Return the bytes that a process and its descendants have caused to be written to disks so far. Linux adds those
    of a child that has ended to the process that waited for it."""
    while True:
        try:
            return _written_by_tree(pid)
        except (FileNotFoundError, ProcessLookupError):  # a child has ended meanwhile
            if not Path(f"/proc/{pid}").exists():
                raise


def _written_by_tree(pid: int | str) -> int:
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    children = [
        child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return int(fields["write_bytes"]) + sum(map(_written_by_tree, children))


def written_by_checkpoint(database: Path) -> int:
    """Write the write-ahead log of an SQLite database back to its file, as its own process does now and then; return
    the bytes that this process caused to be written."""
    before = written_bytes("self")
    with closing(sqlite3.connect(database, timeout=10.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return written_bytes("self") - before
