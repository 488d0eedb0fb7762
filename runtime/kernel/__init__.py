"""The actor kernel: cells, mailboxes, refs, supervision, timers and drain, on one Trio dispatcher."""
