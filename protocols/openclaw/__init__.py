"""Rules recorded from OpenClaw that are not ours. The vectors check them; each module says why it is here."""
