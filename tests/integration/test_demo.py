"""``wakeward demo``, at a quarter of its time: the same host, agents and children, held against what its end says."""

from __future__ import annotations

import io
import json

import pytest
import trio
from attrs import evolve
from rich.console import Console
from wakeward import HostStatistics
from wakeward.runtime.cli.demo import play_demo
from wakeward.runtime.cli.demo_report import DemoReport
from wakeward.runtime.cli.demo_show import DemoShow
from wakeward.runtime.cli.demo_story import AGENTS, Witness
from wakeward.runtime.statistics import AgentStatistics, ExecStatistics
