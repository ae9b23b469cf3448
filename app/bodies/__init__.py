"""Reading requests: bodies into arrays, the Accept header, the limits of an upload."""
