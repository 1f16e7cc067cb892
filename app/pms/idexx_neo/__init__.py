"""IDEXX Neo: the veterinary practice system of IDEXX, read through its own web application's session."""
