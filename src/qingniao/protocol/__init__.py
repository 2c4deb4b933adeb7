"""WIRE. Frames, codec, session state machine, codes. No I/O and no clock in here."""
