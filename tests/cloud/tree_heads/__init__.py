"""Tests of signed tree heads and their time stamps."""
