"""Run work in a fork of this process, which needs no new start of Python and may be killed."""

import asyncio
import os
import traceback
from collections.abc import Callable, Coroutine
from typing import Any


def run_forked(make: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run one child; return its exit status, which is negative after a signal."""
    child = os.fork()
    if not child:
        try:
            asyncio.run(make())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
