"""The contestants: each module is a server, `python -m benchmarks.servers.NAME PORT`. None of them imports `app`."""
