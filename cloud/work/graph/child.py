"""The process that makes one analysis: it reads the graph from its standard input and writes a JSON object to its
standard output.

It is a process of its own, so that a large graph neither delays the requests and leases of the worker nor stays in its
memory, and so that a cancelled job ends at once. It ends with the worker that started it, also when that is killed.
"""

import ctypes
import os
import resource
import signal
import sys
from typing import Any

import orjson

MEMORY_BYTES_MAX = 2 << 30
"""Address space of the process. The largest graph needs about a third of it."""
CPU_S_MAX = 600
"""Processor time of one analysis. The largest graph needs less than a minute."""
TOO_LARGE = 3
"""Exit code when the memory does not suffice."""
ORPHANED = 4
"""Exit code when the worker has ended before the process could follow it."""
PR_SET_PDEATHSIG = 1
"""The option of prctl(2) that sets the signal which the kernel sends at the end of the parent."""


def limit_resources() -> None:
    """Limit the memory and the processor time of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would have the graph


def end_with(parent: int) -> bool:
    """Let the kernel kill this process when the thread that started it ends: that of the worker's event loop. Return
    whether the process `parent` still is the parent. If not, it ended before the call, and no signal will come.

    The end of the standard input would not suffice: it also ends when the graph is complete, and an analysis keeps the
    interpreter busy for minutes."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    return os.getppid() == parent


def analyse(request: dict[str, Any]) -> dict[str, Any]:
    """Read the graph from the standard input, and return the requested analysis of it."""
    from cloud.work.graph.analysis import Graph  # after the limits are set

    graph = Graph(line.rstrip("\n") for line in sys.stdin)
    match request["analysis"]:
        case "components":
            return graph.components()
        case "centrality":
            return graph.centrality(request["top"])
        case "shortest_paths":
            return graph.shortest_paths(request["between"])
        case "communities":
            return graph.communities()
        case "counts":
            return graph.counts()
        case other:
            raise ValueError(f"there is no analysis {other}")


def main() -> int:
    """Make the analysis of the request in the first argument; the second one is the process id of the worker."""
    if not end_with(int(sys.argv[2])):
        return ORPHANED
    limit_resources()
    try:
        sys.stdout.buffer.write(orjson.dumps(analyse(orjson.loads(sys.argv[1]))))
    except MemoryError:
        return TOO_LARGE
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
