"""The network in NumPy: recipe, checkpoint, forward pass, evaluation, and the attribution to pixels."""
