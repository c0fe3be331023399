"""Telephony providers and routes."""
