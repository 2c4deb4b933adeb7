"""Qingniao."""
