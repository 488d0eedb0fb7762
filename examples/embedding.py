import trio
from wakeward import AgentSpec, CooldownPolicy, Ran, Turn, open_host


async def ops(turn: Turn) -> Ran:
    for event in turn.events:
        print(f"{turn.session_key} was told: {event.text}")
    if turn.source == "manual":
        await turn.exec_background("sleep 0.2; echo 3 targets built")  # its exit wakes this session, and no other
    return Ran(reply="done")


async def main() -> None:
    async with open_host() as host:
        host.add_agent(AgentSpec("ops", ops, cooldown=CooldownPolicy(min_spacing="1s")))
        await host.notify("agent:ops:main", "deploy finished", source="hook", intent="immediate")
        outcome = await host.wake_and_wait("agent:ops:main", source="manual", intent="manual")
        print(outcome)
        await host.wait_idle()


trio.run(main)
