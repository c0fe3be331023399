"""The tree is as DESIGN and STYLE say: sizes, names, and what must not be in a commit."""
