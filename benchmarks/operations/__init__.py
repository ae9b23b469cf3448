"""The service in operation, as its clients see it: killed workers, a proxy, and restarts under load."""
