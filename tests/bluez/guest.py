"""One boot of the guest: the host's own files under a kernel with Bluetooth, from power-on to power-off.

No disk image is made: the guest's root is the host's root, read-only over hostfs, so the guest runs the files under
test. The output of the stories (the test cases) is printed while they run. A guest that takes longer than 15 minutes is
killed, and its output so far is returned.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MEMORY_MB = 512
BOOT_AND_STORIES_S_MAX = 900.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a boot: the exit code, the observations, and the errors. `code` is None if the test cases did not
    finish."""

    code: int | None
    observed: str
    errors: str


def boot(kernel: Path, stories: Sequence[str], said: Callable[[str], None], *, keep: Path | None = None) -> Ended:
    """Boot a new guest and run the test cases with these names, or all if none is named. Pass each line of output to
    `said`.

    `keep` is a folder for the guest's logs, which are otherwise removed.
    """
    with tempfile.TemporaryDirectory(prefix="argus-bluez-") as scratch:
        results = keep or Path(scratch, "results")
        results.mkdir(parents=True, exist_ok=True)
        for name in ("observed.txt", "errors.txt", "code"):
            Path(results, name).unlink(missing_ok=True)
        console = Path(results, "console.txt")
        with console.open("wb") as written:
            guest = subprocess.Popen(
                _command(kernel, results, Path(scratch), stories),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,
            )
            try:
                _follow(guest, results / "observed.txt", said)
            finally:
                if guest.poll() is None:
                    os.killpg(guest.pid, 9)
                    guest.wait()
        code = Path(results, "code")
        return Ended(
            int(code.read_text()) if code.exists() else None,
            _text(results / "observed.txt"),
            _text(results / "errors.txt") or _text(console),
        )


def _command(kernel: Path, results: Path, scratch: Path, stories: Sequence[str]) -> list[str]:
    """Return the command that starts the guest: the kernel and its options. The kernel passes options that it does not
    know to the first process, as environment variables."""
    return [
        str(kernel), f"mem={MEMORY_MB}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
        f"init={Path(__file__).with_name('init.sh')}", "con=null", "con0=null,fd:1", f"uml_dir={scratch}/uml",
        # Two USB sockets.
        "dummy_hcd.num=2",
        f"ARGUS_RESULTS={results}", f"ARGUS_PROJECT={PROJECT}", f"ARGUS_PYTHON={sys.executable}",
        f"ARGUS_STORIES={','.join(stories)}",
    ]  # fmt: skip


def _follow(guest: "subprocess.Popen[bytes]", observed: Path, said: Callable[[str], None]) -> None:
    """Pass each line of the test cases' output to `said`, until the guest has ended or its time is over."""
    deadline_s, at = time.monotonic() + BOOT_AND_STORIES_S_MAX, 0
    while True:
        running = guest.poll() is None
        text = _text(observed)
        whole = text.rfind("\n") + 1
        for line in text[at:whole].splitlines():
            said(line)
        at = max(at, whole)
        if not running or time.monotonic() >= deadline_s:
            return
        time.sleep(_POLL_S)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
