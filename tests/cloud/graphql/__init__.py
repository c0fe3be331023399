"""GraphQL: the transport, the limits of documents, and operation bundles."""
