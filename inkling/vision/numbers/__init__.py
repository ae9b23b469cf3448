"""Numbers in a picture: its lines, the digits in them, and every way to divide strokes that touch into digits."""
