"""The guest's kernel: User-Mode Linux, built once from Debian's source and kept in the user's cache.

Debian's own `user-mode-linux` has no Bluetooth, and a module built separately does not fit it. A small kernel
(`kernel.config`) is therefore built here, in some three minutes on two cores. Its name in the cache contains a digest
of the source's version and the options, so a change of either causes a new build. An interrupted build leaves no
kernel.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

OPTIONS = Path(__file__).with_name("kernel.config")
SOURCE = "linux-source-6.12"
BUILD_S_MAX = 1800.0


class KernelUnavailable(Exception):
    """The kernel cannot be built; the text names what is missing."""


def cache_folder() -> Path:
    """Return the folder of the built kernels, under $XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base, "argus", "bluez-guest")


def kernel(said: Callable[[str], None]) -> Path:
    """Return the path of the kernel; build it if the cache has none. Raise KernelUnavailable if it cannot be built."""
    archive = Path("/usr/src", f"{SOURCE}.tar.xz")
    if not archive.exists():
        raise KernelUnavailable(
            f"{archive} is absent: apt-get install {SOURCE} gcc make flex bison bc libelf-dev xz-utils"
        )
    version = subprocess.run(
        ("dpkg-query", "-W", "-f", "${Version}", SOURCE), capture_output=True, text=True, check=False
    ).stdout
    digest = hashlib.sha256(version.encode() + b"\0" + OPTIONS.read_bytes()).hexdigest()[:16]
    built = cache_folder() / f"linux-{digest}"
    if not built.exists():
        said(f"building the guest's kernel from {SOURCE} {version}, once; some minutes")
        _build(archive, built)
    return built


def _build(archive: Path, built: Path) -> None:
    tree = built.with_suffix(".building")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    log = built.with_suffix(".log")
    steps: tuple[tuple[str, ...], ...] = (
        ("tar", "-xf", str(archive), "--strip-components=1"),
        ("make", "ARCH=um", f"KCONFIG_ALLCONFIG={OPTIONS}", "allnoconfig"),
        ("make", "ARCH=um", "olddefconfig"),
        ("make", "ARCH=um", f"-j{os.cpu_count() or 1}", "linux"),
        ("strip", "-o", "linux.stripped", "linux"),
    )
    with log.open("wb") as written:
        for step in steps:
            done = subprocess.run(step, cwd=tree, stdout=written, stderr=written, timeout=BUILD_S_MAX, check=False)
            if done.returncode:
                raise KernelUnavailable(f"building the guest's kernel failed at `{' '.join(step)}`; {log} says why")
    os.replace(tree / "linux.stripped", built)
    shutil.rmtree(tree)
