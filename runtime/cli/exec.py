"""``wakeward exec --agent ID -- CMD...``: run one command for one agent, and show what its exit wakes."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, Final, final

import click
import trio
from attrs import Factory, define, field

from ...protocols.config import HostConfig, agent_id_of
from ...protocols.jobs.exit import Exit
from ...protocols.jobs.notice import exit_label
from ...protocols.sessions.route import main_session_key
from ...protocols.wakes.decision import Decision, DecisionKind
from ...protocols.wakes.turn import Ran
from ...protocols.wakes.wake import Source
from ..config.file import load_config
from ..host.agent_spec import AgentSpec
from ..host.host import Host
from ..host.open import open_host
from ..host.turn import Turn
from ..jobs.handle import JobHandle
from .narration import Narrator, show_wait

_TAIL_INTERVAL: Final = 0.05
# Both as a shell has them.
_NOT_FOUND: Final = 127
_SIGNALLED: Final = 128


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--agent", "agent_id", required=True, metavar="ID", help="The agent that owns the command.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="A configuration file with this agent: its handler takes the turn. Without it, an empty handler does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: exit, output, notice and turn.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(agent_id: str, file: Path | None, command: tuple[str, ...], *, as_json: bool) -> int:
    """Run CMD in the background for an agent's main session, in a host of its own.

    The command's output goes to standard output. The event that its exit became, and the turn that followed, go to
    standard error. The exit status is the command's own: 128 plus the number of a signal, 127 if it could not be
    started.
    """
    # In its canonical form, in which the host lists its agents.
    agent_id = agent_id_of(agent_id)
    config = HostConfig() if file is None else load_config(file)
    report = trio.run(_exec, config, agent_id, command, None if as_json else sys.stdout.buffer)
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        report.say()
    return _status(report.exit)


def _status(ended: Exit) -> int:
    if ended.exit_signal is not None:
        return _SIGNALLED + getattr(signal, ended.exit_signal, 0)
    # Without a signal and without a code there was no process. A shell returns 127 for that.
    return _NOT_FOUND if ended.exit_code is None else ended.exit_code


async def _exec(config: HostConfig, agent_id: str, command: tuple[str, ...], output: BinaryIO | None) -> _Report:
    async with open_host(config) as host:
        _only(host, agent_id)
        report = _Report(agent_id, command)
        # Watched before the command starts, so that no decision about it is missed.
        with host.ledger.watch(report.note), tempfile.TemporaryDirectory() as folder:
            spill = Path(folder) / "output"
            job = await host.exec(
                main_session_key(agent_id, config.main_key),
                command,
                background=True,
                notify_on_empty_success=True,  # the turn is what this command shows, also after a silent success
                silence_notice=None,  # a person is watching
                spill=spill,
            )
            await _tail(job, spill, output)
            # The output first, then the turn: a handler may take long after the command has ended.
            await report.turn_ended.wait()
        assert job.exit is not None, job.state
        report.exit, report.output = job.exit, job.text()
        return report


def _only(host: Host, agent_id: str) -> None:
    """Leave only this agent in the host, so that no heartbeat of another one starts a turn meanwhile."""
    # Without a file there is no agent yet. With one, an unknown name is most likely mistyped.
    if not host.agents:
        host.add_agent(AgentSpec(agent_id, _empty_handler))
    elif agent_id not in host.agents:
        raise click.BadParameter(f"{agent_id!r} is none of {', '.join(host.agents)}", param_hint="--agent")
    # After the host has opened, because the configuration names them all.
    for other in set(host.agents) - {agent_id}:
        host.remove_agent(other)


async def _empty_handler(turn: Turn) -> Ran:
    del turn
    await trio.lowlevel.checkpoint()
    return Ran()


async def _tail(job: JobHandle, spill: Path, output: BinaryIO | None) -> None:
    """Copy the command's output as it comes, until the command has ended.

    It reads the spill file and does not poll the handle: a poll shows the exit, and an exit that was shown wakes no
    agent.
    """
    position = 0
    while True:
        ended = job.exit is not None  # asked before the copy, so that the last bytes are copied too
        if output is not None:
            position = _copy_from(position, spill, output)
        if ended:
            return
        await trio.sleep(_TAIL_INTERVAL)


def _copy_from(position: int, spill: Path, output: BinaryIO) -> int:
    # The child is started in a thread, which makes the file just before.
    if not spill.exists():
        return position
    # Opened each time: it is read to its end, and a moment later there can be more.
    with spill.open("rb") as file:
        file.seek(position)
        shutil.copyfileobj(file, output)
        output.flush()
        return file.tell()


_ENDS: Final = (DecisionKind.RAN, DecisionKind.FAILED, DecisionKind.SKIPPED, DecisionKind.REFUSED)


@final
@define(eq=False)
class _Report:
    """What happened to the command, and the decisions that followed."""

    agent_id: str
    command: tuple[str, ...]
    exit: Exit = field(init=False)
    output: str = ""
    decisions: list[Decision] = Factory(list[Decision])
    end: Decision | None = None
    turn_ended: trio.Event = Factory(trio.Event)

    def note(self, decision: Decision) -> None:
        """Take one decision of the host's ledger."""
        # The agent can have turns of other sources meanwhile, such as a heartbeat. They are not shown.
        if decision.source is Source.EXEC_EVENT:
            self.decisions.append(decision)
            # A busy turn is deferred after it started. Its next try may be far away: this command does not wait for it.
            is_busy = decision.kind is DecisionKind.DEFERRED and self._first(DecisionKind.STARTED) is not None
            if is_busy or decision.kind in _ENDS:
                self.end = self.end or decision  # the first turn; this command does not wait for its retries
                self.turn_ended.set()

    def say(self) -> None:
        """Print it for people, on standard error."""
        ended = self.exit
        how = ended.detail or exit_label(ended.exit_code, ended.exit_signal)
        # On standard error: standard output has the bytes of the command alone, so it can be piped on.
        print(f"exit     {how}, after {show_wait(ended.duration_ms)}", file=sys.stderr)
        # Instants count from the first decision: a person asks how long after the exit the turn came.
        narrator = Narrator(lambda at_ms: show_wait(at_ms - self.decisions[0].at_ms))
        for line in filter(None, map(narrator.line, self.decisions)):
            print(f"{line.what:<8} {line.who}: {line.why}", file=sys.stderr)

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        notice, turn = self._first(DecisionKind.EVENT), self.end
        return {
            "agent": self.agent_id,
            "command": list(self.command),
            "exit": {
                "reason": self.exit.reason.value,
                "code": self.exit.exit_code,
                "signal": self.exit.exit_signal,
                "duration_ms": self.exit.duration_ms,
                "detail": self.exit.detail,
            },
            "output": self.output,
            "notice": notice and {"session_key": notice.session_key, "text": notice.text},
            "turn": turn and {"session_key": turn.session_key, "source": turn.source, "outcome": turn.kind.value},
        }

    def _first(self, kind: DecisionKind) -> Decision | None:
        return next((each for each in self.decisions if each.kind is kind), None)
