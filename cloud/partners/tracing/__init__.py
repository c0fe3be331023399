"""The look-up of traces by integrators. `cloud.foundation.tracing` records and stores the spans."""

from cloud.foundation.slice import Slice

SLICE = Slice(
    package=__name__,
    tags={"Traces": "The spans of a request and of the work that it caused."},
    routes=("routes:routes",),
)
