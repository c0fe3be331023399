"""The guest's kernel clock, whose state the tests set as a time service does."""

import ctypes

ADJ_MAXERROR, ADJ_ESTERROR, ADJ_STATUS = 0x0004, 0x0008, 0x0010
STA_PLL, STA_UNSYNC = 0x0001, 0x0040
MAXERROR_US = 20_000
ESTERROR_US = 2_000


class _Timex(ctypes.Structure):
    """The first fields of `struct timex` (linux/timex.h), and space for the others."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def discipline(synchronised: bool) -> None:
    """Mark the kernel's clock as synchronised, with an error of at most 20 ms, or as unsynchronised. Raise OSError if
    the kernel rejects the change."""
    status = STA_PLL if synchronised else STA_UNSYNC
    wanted = _Timex(
        modes=ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR, maxerror=MAXERROR_US, esterror=ESTERROR_US, status=status
    )
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(wanted)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex refused")
