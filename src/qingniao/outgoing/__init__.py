"""The one way out: HTTP to other machines, past one guard. Rooms above speak their own wire."""
