"""The shipped units on a booted Debian 13 with its own systemd, installed by the commands of the operator's guide."""
