"""Links to devices and the pump that runs an association over one."""
