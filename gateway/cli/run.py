"""Command `argus-gateway run`: the process that systemd runs.

SIGTERM or SIGINT requests an orderly stop; a second signal stops the process at once. uvloop is used where it is
installed, because it costs less. Unusable settings, keys or store prevent the start.
"""

import asyncio
import gc
import signal
from collections.abc import Callable
from pathlib import Path

from gateway.app import Gateway
from gateway.cli import DEFAULT_THRESHOLDS
from gateway.cli.refusal import Refusal
from gateway.health import Notifier
from gateway.logs import configure
from gateway.settings import Settings, load


def run(config: Path) -> None:
    settings = load(config)
    configure(settings.log.level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_serve(settings))
        except asyncio.CancelledError:
            raise Refusal("stopped at once at the second signal: devices were not released in order") from None


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    assert running is not None

    def request_stop() -> None:
        if stop.is_set():
            running.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, request_stop)
    await Gateway(settings, notifier=Notifier()).run(stop, serving=_settle)


def _settle() -> None:
    """Exclude the objects made at the start (some hundred thousand) from garbage collection, because full collections
    after each burst of observations would otherwise halve the speed of decoding (tests/bench/decode.py)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*DEFAULT_THRESHOLDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
