"""The host: agents, their router and their children, assembled and alive.

    async with open_host() as host:
        host.add_agent(AgentSpec("ops", handler))
        await host.notify("agent:ops:main", "deploy finished", source="hook", intent="immediate")
        await host.wait_idle()

Entering starts everything, leaving drains it. What a host is made of: a :class:`~.kernel.system.ActorSystem`, in which the
router, the agents and the exec supervisor live; the turn runner; the process shell; the ledger. They meet here and
nowhere else.
"""

from __future__ import annotations
