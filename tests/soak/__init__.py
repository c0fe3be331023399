"""The long stories with their full counts: `make soak`. `make test` runs the same ones with small counts."""
