"""`python -m tests.bluez [STORY,…]`: build the guest's kernel if it is absent, boot the guest, run the stories (test
cases in the guest) and print their observations.

It needs the packages bluez, dbus and udev. It also needs root, since the guest uses the host's files with the rights of
the user who starts it.
"""

import os
import sys
from pathlib import Path

from tests.bluez.guest import boot
from tests.bluez.kernel import KernelUnavailable, kernel
from tests.bluez.stage import BLUETOOTHD, UDEVD


def main() -> int:
    missing = [program for program in (BLUETOOTHD, UDEVD, "/usr/bin/dbus-daemon") if not Path(program).exists()]
    if os.geteuid() != 0 or missing:
        print(
            f"test-bluez needs root and {', '.join(missing) or 'nothing else'}: apt-get install bluez dbus udev",
            file=sys.stderr,
        )
        return 2
    try:
        program = kernel(lambda said: print(said, flush=True))
    except KernelUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    keep = os.environ.get("ARGUS_BLUEZ_LOGS")
    ended = boot(program, sys.argv[1:], lambda line: print(line, flush=True), keep=Path(keep) if keep else None)
    if ended.code is None or ended.code:
        print(ended.errors[-8000:], file=sys.stderr)
    if ended.code is None:
        print("the guest did not come to its end", file=sys.stderr)
        return 1
    return ended.code


if __name__ == "__main__":
    sys.exit(main())
