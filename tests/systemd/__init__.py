"""The shipped units on a booted Debian 13: its own systemd, installed by the commands of the operator's guide."""
