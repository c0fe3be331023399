"""The cloud service. Each room (the folders access, clinical, vehicles and partners) has one subfolder per capability,
called a slice.
"""
