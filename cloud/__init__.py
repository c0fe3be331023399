"""The cloud service. Each room (access, clinical, vehicles, partners) has one folder per capability, called a slice."""
