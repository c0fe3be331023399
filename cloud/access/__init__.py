"""Who may do what: tenants, identities, apps, OAuth, tokens, and the audit of what was done."""
