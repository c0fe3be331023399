"""Explain why a serial port does not open: what happened, what it means for its device, and what to do about it.

The remedy depends on facts of this machine: which port the name points to, who owns the port, and which process has it
open. They are looked up only when a port fails to open.
"""

import errno
import grp
import os
import pwd
import stat
import termios
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_BUSY = frozenset({errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOTDIR})


class TroubleKind(StrEnum):
    """Kinds of reasons for which a port does not open."""

    ABSENT = "absent"
    """The name does not exist."""
    STALE = "stale"
    """The name leads to a port that is not there any more."""
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    NO_PORT = "no_port"
    """The name exists, and it is no serial port."""
    SPEED = "speed"
    """The port does not accept the configured baud."""
    FAILED = "failed"
    """Any other error of the kernel."""


@dataclass(frozen=True, slots=True)
class PortTrouble:
    """The reason that one port does not open. `sentence` is for the operator and names the port."""

    kind: TroubleKind
    sentence: str


def trouble_of(path: str, baud: int, error: Exception, setting: str = "[[serial]]") -> PortTrouble:
    """Explain an error of opening the port; a ValueError means an unsupported speed. `setting`: where the path is
    configured."""
    number = _number(error)
    if number in _GONE or not os.path.lexists(path):
        return _absent(path, setting)
    if number in _FORBIDDEN:
        return PortTrouble(TroubleKind.FORBIDDEN, _forbidden(path))
    if number in _BUSY:
        return PortTrouble(TroubleKind.BUSY, _busy(path))
    if number == errno.ENOTTY or not _is_character_device(path):
        return PortTrouble(
            TroubleKind.NO_PORT,
            f"{path} is no serial port: no device can connect over it; correct the path in {setting} "
            "(argus-gateway ports shows what there is)",
        )
    if isinstance(error, ValueError):
        return PortTrouble(
            TroubleKind.SPEED,
            f"{path} does not take {baud} baud: its device cannot connect; set baud in {setting} to the rate in the "
            "device's manual, or use an adapter that can do it",
        )
    why = os.strerror(number) if number else str(error)
    return PortTrouble(
        TroubleKind.FAILED,
        f"{path} cannot be opened ({why}): its device cannot connect; unplug the adapter and plug it in again, "
        "then look at the kernel's log",
    )


def _number(error: BaseException | None) -> int | None:
    """Return the errno of an error, or None. Where pyserial wraps an error, the errno is only in the context."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, termios.error) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None if error is None else _number(error.__context__)


def _absent(path: str, setting: str) -> PortTrouble:
    if os.path.islink(path):
        return PortTrouble(
            TroubleKind.STALE,
            f"{path} leads to {os.path.realpath(path)}, which is not there: its device cannot connect; plug it in, or "
            "correct the name (argus-gateway ports shows what there is)",
        )
    return PortTrouble(
        TroubleKind.ABSENT,
        f"{path} is not there: its device cannot connect; plug it in, or correct the path in {setting} "
        "(argus-gateway ports shows what there is)",
    )


def _forbidden(path: str) -> str:
    user = _user_name(os.geteuid())
    try:
        found = Path(path).stat()
    except OSError:
        return f"{path} may not be opened by the user {user}: its device cannot connect; let that user into its folder"
    owner, group = _user_name(found.st_uid), _group_name(found.st_gid)
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o060 == 0o060 and found.st_gid != 0:
        remedy = f"add the user to that group (usermod -aG {group} {user}) and start the gateway again"
    else:
        remedy = "install systemd/70-argus-serial.rules, which gives serial adapters to the group dialout"
    return (
        f"{path} belongs to {owner} and the group {group} (mode {mode:04o}), and the user {user} may not open it: "
        f"its device cannot connect; {remedy}"
    )


def _busy(path: str) -> str:
    holders = holders_of(path)
    others = [pid for pid in holders if pid != os.getpid()]
    if holders and not others:
        return (
            f"{path} is held by this process already, under another name: a port has one reader; two [[serial]] "
            "sections lead to the same port, remove one (argus-gateway ports shows their names)"
        )
    who = ", ".join(f"{program_name(pid)} (process {pid})" for pid in others) or "another process"
    return (
        f"{path} is held by {who}: its device cannot connect, since two readers would each get a part of every "
        "message; end that program"
    )


def holders_of(path: str) -> list[int]:
    """Return the ids of the processes that have the port open, as far as this user may see them."""
    node = os.path.realpath(path)
    return sorted({pid for pid in _processes() if _has_open(pid, node)})


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _has_open(pid: int, node: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)
    except OSError:  # another user's, or it has just ended
        return False
    return any(_target(f"{folder}/{each}") == node for each in descriptors)


def _target(link: str) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


def program_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"


def _is_character_device(path: str) -> bool:
    """Return whether a path is a character device. True also where the path cannot be read."""
    try:
        return stat.S_ISCHR(Path(path).stat().st_mode)
    except OSError:
        return True


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
