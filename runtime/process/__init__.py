"""Child processes of the operating system under structured supervision. Linux."""

from .shell import ProcessShell, open_process_shell

__all__ = ["ProcessShell", "open_process_shell"]
