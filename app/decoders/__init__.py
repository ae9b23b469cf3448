"""The decoder processes: small children of the server that decode and normalize pictures, and can be killed."""
