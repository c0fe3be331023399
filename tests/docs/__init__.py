"""The documents keep what they promise: their commands run, their names exist, their pictures can be made again."""
