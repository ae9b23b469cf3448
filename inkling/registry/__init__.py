"""The registry: training runs, versions and promotions in one SQL database."""
