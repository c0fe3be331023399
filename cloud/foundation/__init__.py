"""Mechanisms without business logic: database, HTTP edge, guarded HTTP client, events, pages, observability, time and
ids.
"""
