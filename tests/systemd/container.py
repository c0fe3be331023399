"""A booted container: a copy of the Debian root under `systemd-nspawn`, with its own loopback network.

It needs no systemd on the host. `close` removes everything that it makes there: the copy, the control groups and
nspawn's folders. If the program that started it is killed, nspawn shuts the container down.
"""

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.harness.eventually import eventually

BOOT_S_MAX = 60.0
RUN_S_MAX = 60.0
"""Timeout of one command in the container."""
_CGROUP_MOUNTS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
"""The folder of systemd's control groups, in the mixed or in the unified layout."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Finished:
    """Exit code and output of a command that ran in the container."""

    code: int
    out: str
    err: str


class CommandFailed(AssertionError):
    """A command inside ended with an exit code that was not expected."""


class Container:
    """A container with systemd. `root` is its root folder on the host; files may be written there while it runs."""

    def __init__(self, debian_root: Path) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="argus-booted-", dir="/var/tmp"))
        self.name = f"argus-booted-{os.getpid()}"
        self.root = self._scratch / "root"
        self.console = self._scratch / "console"
        self._groups: list[Path] = []
        self._nspawn: asyncio.subprocess.Process | None = None
        self._leader = 0
        subprocess.run(("cp", "-a", "--reflink=auto", str(debian_root), str(self.root)), check=True)

    async def boot(self) -> str:
        """Boot, wait until every enabled unit was started, and return systemd's state: "running" or "degraded" (a unit
        failed)."""
        assert self._nspawn is None
        self._groups = self._make_groups()
        join = " ".join(f"echo $$ >{shlex.quote(str(group))}/cgroup.procs;" for group in self._groups)
        with self.console.open("ab") as console:
            self._nspawn = await asyncio.create_subprocess_exec(
                "sh", "-c", join + ' exec setpriv --pdeathsig TERM "$@"', "sh",
                "systemd-nspawn", "--quiet", "--boot", "--keep-unit", "--register=no", "--private-network",
                "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=read-only",
                # Reading the kernel's clock is tested. Setting it stays forbidden: CAP_SYS_TIME is not given.
                "--system-call-filter=adjtimex clock_adjtime",
                f"--machine={self.name}", f"--directory={self.root}",
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        await eventually(self._has_leader, within_s=BOOT_S_MAX, what="the container has a first process")

        async def booted() -> str:
            assert self._running, self.console.read_text(errors="replace")[-4000:]
            done = await self.run("systemctl", "is-system-running", "--wait", any_code=True)
            return done.out.strip() if done.out.strip() in {"running", "degraded"} else ""

        return await eventually(booted, within_s=BOOT_S_MAX, poll_s=0.2, what="the container is booted")

    async def cut_power(self) -> None:
        """Kill every process in the container at once, as a power cut does."""
        nspawn, self._nspawn = self._nspawn, None
        leader, self._leader = self._leader, 0
        if leader:
            # The kernel ends a namespace's processes with its first process. Killing nspawn would leave them running.
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)
        if nspawn is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(nspawn.wait(), 10 if leader else 0.1)
            if nspawn.returncode is None:
                nspawn.kill()
                await nspawn.wait()
        await self._remove_groups()

    async def close(self) -> None:
        """Kill every process in the container, and remove everything that was made for the container on the host."""
        await self.cut_power()
        kept = Path("/run/systemd/nspawn")
        for folder in (kept / "propagate" / self.name, kept / "unix-export" / self.name):
            umount = await asyncio.create_subprocess_exec("umount", "--quiet", "--recursive", str(folder))
            await umount.wait()
            with suppress(OSError):
                folder.rmdir()
        about = self.root.stat()
        (kept / "locks" / f"inode-{about.st_dev}:{about.st_ino}").unlink(missing_ok=True)
        shutil.rmtree(self._scratch)

    async def run(self, *command: str | Path, any_code: bool = False, within_s: float = RUN_S_MAX) -> Finished:
        """Run a command in the container as root, and return its result.

        Raise CommandFailed if the command takes longer than `within_s`, or, without `any_code`, if its exit code is not
        0.
        """
        assert self._running, "the container has ended"
        process = await asyncio.create_subprocess_exec(
            "nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--wdns=/", "--",
            "env", "-i", f"PATH={_PATH}", "LANG=C.UTF-8", "COLUMNS=200", *map(str, command),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(within_s):
                out, err = await process.communicate()
        except TimeoutError:
            raise CommandFailed(f"`{shlex.join(map(str, command))}` did not end within {within_s} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        done = Finished(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        if done.code and not any_code:
            words = shlex.join(map(str, command))
            raise CommandFailed(f"`{words}` ended with {done.code}:\n{done.out[-3000:]}{done.err[-3000:]}")
        return done

    def path(self, inside: str | Path) -> Path:
        """Return the path on the host of a file in the container. Files in /run, /tmp and /dev are not visible on the
        host."""
        return self.root / str(inside).lstrip("/")

    def write(self, inside: str | Path, text: str, mode: int = 0o644) -> None:
        """Write a file in the container, owned by root; create missing folders."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    @property
    def _running(self) -> bool:
        return self._nspawn is not None and self._nspawn.returncode is None

    def _has_leader(self) -> bool:
        assert self._nspawn is not None
        assert self._running, self.console.read_text(errors="replace")[-4000:]
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # nspawn has helpers while it prepares; the container's own first process is 1 in its namespace.
        for child in children:
            with suppress(OSError):
                namespaced = Path(f"/proc/{child}/status").read_text().partition("NSpid:")[2].split("\n")[0].split()
                if namespaced[1:] == ["1"]:
                    self._leader = int(child)
        return bool(self._leader)

    def _make_groups(self) -> list[Path]:
        groups = []
        for mount in map(Path, _CGROUP_MOUNTS):
            if (mount / "cgroup.procs").exists():
                group = mount / self.name
                group.mkdir(exist_ok=True)
                groups.append(group)
        return groups

    async def _remove_groups(self) -> None:
        """Remove the container's control groups, which the kernel allows once their last process has ended; wait at
        most 10 s."""
        deadline_s = time.monotonic() + 10
        for group in self._groups:
            folders = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
            for folder in folders:
                while folder.exists():
                    try:
                        folder.rmdir()
                    except OSError:
                        if time.monotonic() > deadline_s:
                            raise
                        await asyncio.sleep(0.05)
        self._groups = []
