"""The measurements and events of one encounter, as integrators read them."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
