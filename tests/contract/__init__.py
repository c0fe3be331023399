"""The contract from outside: samples replayed, strangers' clients, isolation over every row, the bare socket."""
