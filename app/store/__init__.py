"""The tables, and the questions asked of them. Every question names the practice it is asked for."""
