"""FLOWS. What happens to a visitor's message, drawn as a graph and run as a pure function.

`step(plan, state, event) -> (state, effects)`: effects are values that a worker carries out, so any
run can be replayed from its history. No I/O, no clock, no driver.
"""
