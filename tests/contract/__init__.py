"""Tests of the API contract from outside, with real HTTP requests to a running cloud.

They replay the contract's samples, use third-party clients, check isolation on every route, and send malformed
requests.
"""
