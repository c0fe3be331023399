"""Documentation pages for people: the index on the docs host, and the meaning of each problem type."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
