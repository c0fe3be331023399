"""The long stories with their full counts: `make soak`. `make test` tells the same ones with small counts."""
