"""Schedules: heartbeats and active hours."""
