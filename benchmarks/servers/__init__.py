"""The contestants: each module is a server of its own, `python -m benchmarks.servers.NAME PORT`."""
