"""Bots: whoever answers a visitor that is not a person. The port is `bots.base`."""
