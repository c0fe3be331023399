"""Work: jobs that run in the background, and the kinds of job that tenants enqueue."""
