"""LOAD. Many connections at a set pace: what a server can take, measured without flattering it."""
