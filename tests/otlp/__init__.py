"""Stories with a tracing backend that others wrote, run by `make test-otlp`."""
