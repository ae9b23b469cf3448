"""The calls of the HTTP API, one module per resource."""
