"""Access control: tenants, identities, apps, OAuth, tokens, and the audit of changes."""
