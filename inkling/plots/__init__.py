"""The heat map and the plot of predictions.

Drawn with Pillow: the server draws heat maps and does not install Matplotlib.
"""
