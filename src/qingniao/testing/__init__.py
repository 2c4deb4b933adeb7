"""Faults on purpose: people who write down everything, networks, disks and signals that misbehave,
and the checker that compares what everybody was told with the log. Nothing of the server uses it.
"""
