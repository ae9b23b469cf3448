"""The limits on connections: bytes, requests and seconds that a client may take, and the order in which they stop."""
