"""The events that tell of assignments. Keyed by device, so that its moves are heard in order."""

ASSIGNMENT_ADDED = "assignment.added"
ASSIGNMENT_CLOSED = "assignment.closed"
ASSIGNMENT_MOVED = "assignment.moved"
