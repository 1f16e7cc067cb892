"""What a run sheet means. Pure: no I/O, no clock, no database; a caller hands in the facts and the time."""
