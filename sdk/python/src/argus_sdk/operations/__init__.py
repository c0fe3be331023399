"""The operations of the API in groups, one method for each; their types are generated from the OpenAPI document.

A POST with an `idempotency_key` may be repeated with the same key within 24 hours, also by another process: the service
executes it once. Without a key it is sent once. A method that returns an iterator requests further pages as needed.
"""
