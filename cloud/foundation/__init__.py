"""Mechanisms without business logic, such as database, HTTP, events, pages and observability."""
