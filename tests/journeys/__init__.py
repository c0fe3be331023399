"""Stories of several people and machines, played with the real processes of the product."""
