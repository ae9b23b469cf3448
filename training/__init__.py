"""The network and how it learns. Knows nothing of HTTP."""
