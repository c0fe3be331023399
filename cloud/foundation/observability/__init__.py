"""How the cloud tells what it does: structured logs."""
