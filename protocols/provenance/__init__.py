"""What makes a record checkable by someone who does not trust us."""
