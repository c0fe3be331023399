"""Mechanisms without business logic: database, HTTP edge, egress, events, pages, observability, time and ids."""
