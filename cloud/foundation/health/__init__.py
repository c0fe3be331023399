"""Health and readiness of a process."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",), jobs="jobs:jobs")
