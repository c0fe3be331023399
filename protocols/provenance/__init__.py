"""Evidence by which a third party can check a record without trusting us."""
