"""The documentation is correct: its commands run, its names exist, and its pictures can be made again."""
