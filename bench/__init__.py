"""Measurements with goals. Each module here is one bench; `bench.run` finds and prints them."""
