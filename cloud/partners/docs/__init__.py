"""Pages about the interface for people: the index on the docs host, and the meaning of each kind of problem."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
