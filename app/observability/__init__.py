"""Around every request: its id, the limit on its body's bytes, the access log, the metrics."""
