"""Drills: every failure of a cluster, on purpose, under load. One file for each kind of fault, a
table of all of them, and one runner that does several on one cluster.

Rule: a drill only breaks and mends; what was lost, repeated or held up others say.
"""
