"""The cloud service, one folder per capability."""
