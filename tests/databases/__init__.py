"""Database files of earlier releases, kept so that each release opens what every earlier one wrote."""
