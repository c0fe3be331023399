"""The contract from outside: samples replayed, third-party clients, isolation over every row, the bare socket."""
