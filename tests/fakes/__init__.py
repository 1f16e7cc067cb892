"""Stand-ins for what the engine talks to, and a furnished practice to try it on."""
