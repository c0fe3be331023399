"""Tenants, organisations and vehicles, and who is looking at what they own."""
