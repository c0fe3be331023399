"""Pages for a tenant's administrators on the auth host, under `/admin`: apps, webhooks, users, the audit trail, keys.

They call the same services as the contract's routes and the console.
"""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
