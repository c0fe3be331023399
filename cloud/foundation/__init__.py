"""Mechanism that knows no capability: database, HTTP edge, egress, events, pages, observability, time and ids."""
