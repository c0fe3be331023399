"""Quality indicators: their rules, their sums, and the GraphQL field that shows them."""
