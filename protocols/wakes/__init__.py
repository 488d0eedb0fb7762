"""Wakes, events and turns: the messages about them, and every decision that is made of them."""
