"""Interfaces for integrators and administrators: webhooks, discovery, documentation, administration."""
