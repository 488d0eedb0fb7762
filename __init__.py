"""Wakeward: an actor-model runtime on Trio for hosts that run many agents. One wake, one agent."""
