"""Pages for a tenant's administrators on the auth host, under `/admin`: apps, webhooks, users, the audit trail, keys.

Everything that they do is done by the services that the contract's routes and the console use; here are the pages only.
"""

from cloud.partners.administration.routes import routes

__all__ = ["routes"]
