"""Figures that are no digits: their families, each a module, and the hand that draws them."""
