"""Outages of the registry's database, and wrong clocks: what predictions and training runs lose."""
