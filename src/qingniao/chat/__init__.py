"""DOMAIN. The life of a conversation: who has it, what may happen next, who may see what.

No I/O, no clock, no driver: time comes in as an argument and decisions go out as values.
"""
