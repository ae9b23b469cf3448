"""Admission: the rules that a request passes before any route sees it, and the headers of every answer."""
