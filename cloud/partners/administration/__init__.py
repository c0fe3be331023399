"""Web pages for a tenant's administrators on the auth host, under `/admin`. The pages call the same services as the
HTTP API and the command line.
"""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
