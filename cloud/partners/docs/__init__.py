"""Pages about the interface for people: the index on the docs host, and what each kind of problem means."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
