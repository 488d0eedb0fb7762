"""Rules recorded from OpenClaw that are not ours: only the conformance vectors and its clients need them."""
