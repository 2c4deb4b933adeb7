"""The HTTP interface: `docs/reference/http.md`, word for word.

Owns requests and answers; refuses business rules, which belong to the rooms behind `Services`.
Rule: whoever may not see a thing is told that it does not exist.
"""
