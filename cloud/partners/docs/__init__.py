"""Pages about the interface for people: the index on the docs host, and what each kind of problem means."""

from cloud.partners.docs.handlers import DocsHandlers
from cloud.partners.docs.routes import routes

__all__ = ["DocsHandlers", "routes"]
