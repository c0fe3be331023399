"""The parts of the container: a Debian 13 root with its own systemd, and the wheels that our packages need.

Each part is built once and kept in the user's cache, under a name with a digest of its inputs: changed inputs cause a
new build, and an interrupted build leaves nothing. The container has no network, so pip inside it installs from the
wheels.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SUITE = "trixie"
NEWER = PROJECT / ".venv-3.13" / "bin" / "python"
"""The version of Python that Debian 13 has, from the environment of `make test-python313`. pip fetches the wheels with
it, since pip chooses requirements by the version that it runs on."""
PACKAGES = (
    # Packages that every Debian server has and the smallest root lacks.
    *("systemd-sysv", "dbus", "udev", "procps", "ca-certificates", "curl"),
    # Packages that the guide lists for installation.
    *("python3-venv", "mosquitto"),
    # For pseudo-terminals in place of a serial line.
    "socat",
)
BUILD_S_MAX = 600.0
_FOLDERS = {"/var/log/journal": "so that logs outlive a power cut", "/usr/src/argus": "for the release"}


class DebianUnavailable(Exception):
    """The root or the wheels cannot be made; the text explains why."""


def debian_root(said: Callable[[str], None]) -> Path:
    """Return the folder of the Debian root; build it if the cache has none. Raise DebianUnavailable if that fails."""
    hooks = [f'--customize-hook=mkdir -p "$1{folder}"' for folder in _FOLDERS]
    options = ["--variant=minbase", f"--include={','.join(PACKAGES)}", *hooks]
    root = _cache_folder() / f"root-{_digest(SUITE, *options)}"
    if not root.exists():
        said(f"making the root of a Debian {SUITE}, once; half a minute")
        _make(root, lambda making: _build(making, "mmdebstrap", *options, SUITE, str(making)))
    return root


def wheels(said: Callable[[str], None]) -> Path:
    """Return the folder of the wheels that our packages and their build need; download them if the cache has none.

    Raise DebianUnavailable if that fails.
    """
    needed = [PROJECT / "requirements" / name for name in ("gateway.txt", "cloud.txt")]
    folder = _cache_folder() / f"wheels-{_digest(NEWER.parts[-3], *(file.read_text() for file in needed))}"
    if not folder.exists():
        if not NEWER.exists():
            raise DebianUnavailable("Python 3.13 is not installed (apt-get install python3.13)")
        said("fetching our packages for Python 3.13, once")
        _make(
            folder,
            lambda making: _build(
                making,
                *(str(NEWER), "-m", "pip", "download", "-q", "--disable-pip-version-check", "-d", str(making)),
                *("--only-binary=:all:", "--require-hashes", *(word for file in needed for word in ("-r", str(file)))),
            ),
        )
    return folder


def _cache_folder() -> Path:
    """Return the folder of the built roots and wheels, under $XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base, "argus", "booted-debian")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _make(made: Path, build: Callable[[Path], None]) -> None:
    """Build in a temporary folder, remove earlier builds of the same kind, and rename the folder to `made`.

    A folder with the final name is therefore always a complete build.
    """
    making = made.with_suffix(f".making-{os.getpid()}")
    kind = made.name.partition("-")[0]
    try:
        build(making)
        for older in made.parent.glob(f"{kind}-*"):
            if older != making and not older.name.partition(".")[2]:
                shutil.rmtree(older, ignore_errors=True)
        making.rename(made)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _build(making: Path, *command: str) -> None:
    making.parent.mkdir(parents=True, exist_ok=True)
    log = making.parent / f"{making.name.partition('-')[0]}.log"
    with log.open("wb") as written:
        done = subprocess.run(
            command,
            stdout=written,
            stderr=written,
            timeout=BUILD_S_MAX,
            # apt checks signatures as another user, who needs a writable folder for temporary files.
            env={**os.environ, "TMPDIR": "/var/tmp"},
            check=False,
        )
    if done.returncode:
        raise DebianUnavailable(f"`{command[0]}` ended with {done.returncode}; {log} says why")
