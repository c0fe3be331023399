"""Long-running tests. `make soak` runs them with their full counts, `make test` with small counts."""
