"""Delete batches and what was unpacked from them when their retention periods are over."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, retention="kinds:KINDS")
