"""Pages for a tenant's administrators on the auth host, under `/admin`: apps, webhooks, users, the audit trail, keys.

Everything that they do is done by the services that the contract's routes and the console use; here are the pages only.
"""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",))
