"""Rows that hold the numerics of one channel and minute, and the job that makes them from single rows."""
