"""An agent as a program: a turn comes as JSON on standard input, the reply goes to standard output.

It needs nothing but Python. Exit status 0: the turn ran. 75: not now, try again soon. Anything else: the turn failed.
"""

from __future__ import annotations

import json
import sys

turn = json.load(sys.stdin)
print(f"{turn['agent_id']}: turn {turn['turn_id']}, woken by {turn['source']}")
for event in turn["events"]:
    print(f"- {event['text']}")
