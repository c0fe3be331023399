"""Database files of older releases, kept so that each release opens what each earlier one wrote."""
