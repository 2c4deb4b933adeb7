"""WORK. What happens after a message is stored: answering, assigning, closing, delivering.

Work items are hints: a worker reads what is new for itself, and a repeated item does no harm.
"""
