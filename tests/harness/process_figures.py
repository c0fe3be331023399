"""The kernel's figures about a process: its processor time, its memory, its descriptors."""

import os
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def processor_s(pid: int) -> float:
    """Return the seconds of processor time of all threads so far, in user space and in the kernel."""
    # The name may contain blanks; it ends at the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def resident_bytes(pid: int | str = "self") -> int:
    """Return the resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def descriptors(pid: int | str = "self") -> int:
    """Return the number of open files, sockets and pipes; for ourselves, the one used for this query included."""
    return len(os.listdir(f"/proc/{pid}/fd"))
