from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.jobs.env_guard import (
    blocked_why,
    check_overrides,
    inspect_overrides,
    is_blocked,
    is_blocked_inherited,
    is_blocked_override,
    override_env_name,
    sanitize_env,
)

SOME_NAMES = ["PATH", "HOME", "LD_PRELOAD", "GIT_CONFIG_COUNT", "FOO", "foo", "PAGER", "HTTPS_PROXY", "CC", "A(1)"]
envs = st.dictionaries(st.sampled_from(SOME_NAMES) | st.text(max_size=4), st.text(max_size=4))


def env_of(base: dict[str, str], overrides: dict[str, str] | None = None) -> dict[str, str]:
    return sanitize_env(base, overrides, marker=None).env


def test_a_child_inherits_what_does_not_steer_it() -> None:
    base = {"HOME": "/h", "TERM": "xterm", "LD_PRELOAD": "/evil.so", "NODE_OPTIONS": "-r x", "NPM_TOKEN": "t"}
    assert env_of(base) == {"HOME": "/h", "TERM": "xterm"}


def test_the_host_chooses_its_home_and_proxy_and_the_caller_does_not() -> None:
    base = {"HOME": "/h", "HTTPS_PROXY": "p"}
    result = sanitize_env(base, {"HOME": "/evil", "https_proxy": "evil", "FOO": "1"}, marker=None)
    assert result.env == {"HOME": "/h", "HTTPS_PROXY": "p", "FOO": "1"}
    assert result.rejected.blocked == ("HOME", "HTTPS_PROXY")


def test_the_marker_is_set_last() -> None:
    assert sanitize_env({}, {"WAKEWARD_CLI": "0"}).env == {"WAKEWARD_CLI": "1"}
    assert sanitize_env({}, marker="THEIRS").env == {"THEIRS": "1"}
    assert env_of({}) == {}


def test_path_may_be_set_where_that_is_allowed() -> None:
    assert env_of({"PATH": "/bin"}, {"Path": "/evil"}) == {"PATH": "/bin"}
    allowed = sanitize_env({"PATH": "/bin"}, {"PATH": "/opt"}, block_path_overrides=False, marker=None)
    assert allowed.env == {"PATH": "/opt"}


@pytest.mark.parametrize("name", ["PAGER", "GIT_PAGER", "git_pager"])
def test_a_pager_may_be_switched_off_but_not_chosen(name: str) -> None:
    assert env_of({}, {name: "cat"}) == {name: ""}
    assert env_of({}, {name: ""}) == {name: ""}
    assert env_of({}, {name: "sh -c evil"}) == {}


@pytest.mark.parametrize(
    ("value", "tamed"),
    [("ext:https:git", "https:git"), (" ", ""), ("file", ""), ("HTTPS: ssh", "")],
)
def test_git_may_inherit_harmless_protocols_only(value: str, tamed: str) -> None:
    assert env_of({"git_allow_protocol": value}) == {"git_allow_protocol": tamed}


@pytest.mark.parametrize(
    ("value", "tamed"),
    [("1", "0"), (" Yes", "0"), ("-07", "0"), ("100", "0"), ("0", "0"), ("+00", "+00"), ("no", "no")],
)
def test_git_is_not_told_that_its_user_chose_the_protocol(value: str, tamed: str) -> None:
    assert env_of({"GIT_PROTOCOL_FROM_USER": value}) == {"GIT_PROTOCOL_FROM_USER": tamed}


@pytest.mark.parametrize("name", ["LD_ANYTHING", "dyld_x", "BASH_FUNC_ls%%", "\u017fHELL", "\ufeffENV\u00a0"])
def test_rules_judge_names_that_no_table_lists(name: str) -> None:
    assert is_blocked(name)
    assert is_blocked_inherited(name)


@pytest.mark.parametrize("name", ["TF_VAR_x", "npm_config_x", "CARGO_TARGET_X86_LINKER", "cargo_target_y_runner"])
def test_some_prefixes_are_inherited_but_not_set(name: str) -> None:
    assert is_blocked_override(name)
    assert not is_blocked_inherited(name)


@pytest.mark.parametrize("name", ["LD", "GIT_CONFIG", "CARGO_TARGET_DIR", "CARGO_TARGET_A-B_RUNNER", "X_CC", ""])
def test_rules_reach_no_further_than_they_say(name: str) -> None:
    assert [is_blocked(name), is_blocked_inherited(name), is_blocked_override(name)] == [False] * 3


@pytest.mark.parametrize("name", ["", " ", "1A", "A B", "A=B", "é", "A\nB", "(x)", "BASH_FUNC_x%%"])
def test_what_is_no_name_is_invalid(name: str) -> None:
    assert override_env_name(name) is None
    assert inspect_overrides({name: "1"}).invalid == (name.strip() or name,)


def test_check_names_each_refused_variable_and_why() -> None:
    overrides = {"ld_preload": "x", "bad name": "y", "FOO": "1", "PATH": "/", "CARGO_TARGET_X_RUNNER": "r"}
    with pytest.raises(InvalidInputError) as caught:
        check_overrides(overrides)
    text = str(caught.value)
    for name in ("LD_PRELOAD", "PATH", "CARGO_TARGET_X_RUNNER"):
        assert f"{name!r} must not be set: {blocked_why(name)}" in text
    assert "'bad name' is not a name: expected a letter" in text
    assert "FOO" not in text


def test_check_passes_what_is_allowed() -> None:
    check_overrides({"FOO": "1", "PAGER": "cat"})
    check_overrides({"PATH": "/opt"}, block_path_overrides=False)
    check_overrides(None)


@given(envs, envs)
def test_what_comes_out_was_allowed_to_come_in(base: dict[str, str], overrides: dict[str, str]) -> None:
    result = sanitize_env(base, overrides, marker=None)
    inherited = sanitize_env(base, marker=None).env
    accepted = sanitize_env({}, overrides, marker=None).env
    assert result.env == inherited | accepted
    assert not any(is_blocked_inherited(name) for name in inherited)
    harmless = {name for name in accepted if not (is_blocked(name) or is_blocked_override(name))}
    assert harmless | {"PAGER"} >= accepted.keys()


@given(envs)
def test_checking_and_sanitizing_agree(overrides: dict[str, str]) -> None:
    rejected = sanitize_env({}, overrides).rejected
    assert rejected == inspect_overrides(overrides)
    if rejected:
        with pytest.raises(InvalidInputError):
            check_overrides(overrides)
    else:
        check_overrides(overrides)
