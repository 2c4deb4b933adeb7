"""INTAKE. The one way into a conversation's log: bounded, ordered, stored before told."""
