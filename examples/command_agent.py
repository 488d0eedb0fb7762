"""An agent as a program: it reads the turn as JSON from standard input, and prints its reply to standard output.

It needs nothing but Python. Exit status 0: the turn ran. 75: not now, try again. Any other: the turn failed.
"""

from __future__ import annotations

import json
import sys

turn = json.load(sys.stdin)
print(f"{turn['agent_id']}: turn {turn['turn_id']}, woken by {turn['source']}")
for event in turn["events"]:
    print(f"- {event['text']}")
