"""Pictures for people, drawn by Pillow: they are served, too, so the server needs no matplotlib."""
