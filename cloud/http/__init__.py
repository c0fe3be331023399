"""HTTP mechanism that every slice's routes share."""
