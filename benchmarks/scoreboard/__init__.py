"""The scoreboard: attacks and faults against real processes, each with a figure, a limit and a verdict."""
