"""Exports: a version of the network as files that run without Inkling."""
