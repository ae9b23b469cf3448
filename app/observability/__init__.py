"""Request ids, access log and metrics around every request."""
