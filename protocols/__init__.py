"""What is said and what is decided: messages, values, parsers and pure decisions.

Nothing here awaits, reads a clock, draws a random number or touches the outside. Time is an argument, in ``int``
milliseconds.
"""
