"""Which environment variables a command that an agent runs may inherit, and which it may set.

An environment variable is often code: the loader, the shell, every interpreter and every build tool read some that
make them run, load or trust something else. An agent that may freely choose the environment of a command can do more
than run the command. So there are three sets, and prefixes and patterns beside them:

- *never*: neither inherited nor set. It must not act inside a child, even when the host was started with it.
- *not to set*: refused as an override. Redirections and credentials that would turn a harmless command into
  another.
- of those, *inherited all the same*: the host's own choice (its home, its proxy, its certificates) is inherited, and
  only the agent's choice is refused.

Names are compared in upper case, because a name that differs in case only is a mistake or an attempt. The
sets are those of OpenClaw's host environment policy; the reasons are what a refusal tells the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from ..errors import InvalidInputError
from ..values.ecmascript import es_trim


@frozen
class RejectedOverrides:
    """What was wrong with a set of overrides.

    Attributes:
        blocked: Upper-case names that must not be set, sorted, each once.
        invalid: Names that are no environment variable's name, sorted, each once.
    """

    blocked: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.blocked or self.invalid)


@frozen
class SanitizedEnv:
    """The environment a child gets, and which overrides it does not get."""

    env: dict[str, str]
    rejected: RejectedOverrides


def sanitize_env(
    base: Mapping[str, str],
    overrides: Mapping[str, str] | None = None,
    *,
    block_path_overrides: bool = True,
    marker: str | None = "WAKEWARD_CLI",
) -> SanitizedEnv:
    """Make the environment of a child: what it may inherit of ``base``, and the overrides that are allowed.

    Args:
        base: The host's environment.
        overrides: What the caller wants set. A refused name is left out, and keeps its inherited value if
            it has one.
        block_path_overrides: Whether ``PATH`` may not be set.
        marker: A variable set to ``1``, by which a program sees who started it; ``None`` sets none.
    """
    # The marker comes last, so that neither the host's environment nor an override can fake or hide it.
    accepted, rejected = _sort_overrides(overrides or {}, block_path_overrides=block_path_overrides)
    env = dict(entry for name, value in base.items() if (entry := _inherited(name, value)))
    env |= accepted
    if marker is not None:
        env[marker] = "1"
    return SanitizedEnv(env, rejected)


def inspect_overrides(overrides: Mapping[str, str] | None, *, block_path_overrides: bool = True) -> RejectedOverrides:
    """What :func:`sanitize_env` would refuse."""
    return _sort_overrides(overrides or {}, block_path_overrides=block_path_overrides)[1]


def check_overrides(overrides: Mapping[str, str] | None, *, block_path_overrides: bool = True) -> None:
    """Check that every override is allowed.

    Raises:
        InvalidInputError: Names every refused variable, and why.
    """
    rejected = inspect_overrides(overrides, block_path_overrides=block_path_overrides)
    if not rejected:
        return
    problems = [f"{name!r} must not be set: {blocked_why(name)}" for name in rejected.blocked]
    problems += [f"{name!r} is not a name: expected {_NAME_FORM}" for name in rejected.invalid]
    raise InvalidInputError("environment of the command: " + "; ".join(problems))


def env_name(raw: str) -> str | None:
    """A name without the white space around it; ``None`` when nothing is left."""
    return es_trim(raw) or None


def override_env_name(raw: str) -> str | None:
    """A name that may be set: portable, or with the parentheses of Windows (``A(x86)``), else ``None``."""
    return name if _OVERRIDABLE.fullmatch(name := es_trim(raw)) else None


def is_blocked(name: str) -> bool:
    """Whether a variable is neither inherited nor set."""
    # Trimmed here too: callers ask for names as they were written, and " LD_PRELOAD" must not slip through.
    upper = es_trim(name).upper()
    return upper in _NEVER_NAMES or upper.startswith(_NEVER_PREFIXES)


def is_blocked_inherited(name: str) -> bool:
    """Whether a child must not inherit a variable (two of git are inherited with a tamed value instead)."""
    upper = es_trim(name).upper()
    return is_blocked(upper) or (upper in _NOT_TO_SET_NAMES and upper not in _INHERITED_ALL_THE_SAME)


def is_blocked_override(name: str) -> bool:
    """Whether setting a variable is refused although inheriting it may not be. See :func:`is_blocked` too."""
    upper = es_trim(name).upper()
    return (
        upper in _NOT_TO_SET_NAMES
        or upper.startswith(tuple(_NOT_TO_SET_PREFIXES))
        or _CARGO_TARGET_PROGRAM.fullmatch(upper) is not None
    )


def blocked_why(name: str) -> str:
    """Why a variable must not be set, for people."""
    upper = es_trim(name).upper()
    for table in (_NEVER, _NOT_TO_SET):
        for why, names in table.items():
            if upper in names:
                return why
    for prefix, why in (_NEVER_PREFIX_WHY | _NOT_TO_SET_PREFIXES).items():
        if upper.startswith(prefix):
            return why
    if _CARGO_TARGET_PROGRAM.fullmatch(upper):
        return "it names a program that cargo runs"
    return "it decides which programs run"


def _sort_overrides(
    overrides: Mapping[str, str], *, block_path_overrides: bool
) -> tuple[dict[str, str], RejectedOverrides]:
    accepted: dict[str, str] = {}
    blocked: set[str] = set()
    invalid: set[str] = set()
    for raw, value in overrides.items():
        name = override_env_name(raw)
        if name is None:
            invalid.add(es_trim(raw) or raw)
        # PATH stands in no table, because whether it may be set is the caller's choice; it is always inherited.
        elif block_path_overrides and name.upper() == "PATH":
            blocked.add("PATH")
        elif name.upper() in _PAGERS and value in _NO_PAGER:
            accepted[name] = ""  # switching the pager off is harmless, and what a command without a terminal wants
        elif is_blocked(name) or is_blocked_override(name):
            blocked.add(name.upper())
        else:
            accepted[name] = value
    return accepted, RejectedOverrides(tuple(sorted(blocked)), tuple(sorted(invalid)))


def _inherited(raw: str, value: str) -> tuple[str, str] | None:
    name = env_name(raw)
    if name is None:
        return None
    # Both restrict git, and to leave them out would lift the restriction. So they are inherited with a tamed value.
    match name.upper():
        case "GIT_ALLOW_PROTOCOL":
            return name, _tame_git_protocols(value)
        case "GIT_PROTOCOL_FROM_USER":
            return name, "0" if _git_says_yes(value) else value
        case _:
            return None if is_blocked_inherited(name) else (name, value)


def _tame_git_protocols(value: str) -> str:
    """Of the protocols git is told to allow, those it allows anyway: ``ext::`` and friends run commands."""
    # An empty list stays an empty list: git then allows no protocol, which is stricter than what the host asked for.
    return ":".join(protocol for protocol in es_trim(value).split(":") if protocol in _GIT_PROTOCOLS)


def _git_says_yes(value: str) -> bool:
    """Git's reading of a boolean: a word, or a number other than zero."""
    said = es_trim(value).lower()
    return said in {"true", "yes", "on"} or (_INTEGER.fullmatch(said) is not None and said.strip("+-0") != "")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAME_FORM: Final = "a letter or underscore, then letters, digits, underscores"
# Wider than POSIX for a variable of Windows such as ProgramFiles(x86), as recorded.
_OVERRIDABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_()]*")
# A pattern, because the target in the middle of the name is free: CARGO_TARGET_<triple>_LINKER.
_CARGO_TARGET_PROGRAM: Final = re.compile(r"CARGO_TARGET_[A-Z0-9_]+_(?:LINKER|RUNNER)")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_GIT_PROTOCOLS: Final = _names("git http https ssh")
_PAGERS: Final = _names("PAGER GIT_PAGER")
# Git takes both for "no pager". Any other value names a program to run.
_NO_PAGER: Final = ("", "cat")

# Where git finds its repository and whom it trusts, how make and Mercurial are steered, what wraps the
# compiler of Rust: in both tables below, because OpenClaw's policy names them in both.
_REPOSITORY_WHY: Final = "it points git at another repository, index or object store, with its own hooks and filters"
_REPOSITORY: Final = _names("""
    GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
    GIT_NAMESPACE
""")
_GIT_TRUST_WHY: Final = "it changes which servers git trusts"
_GIT_TRUST: Final = _names("GIT_SSL_NO_VERIFY GIT_SSL_CAINFO GIT_SSL_CAPATH")
_STEERED_WHY: Final = "its value becomes options, settings or a wrapper of a build or version tool, commands included"
_STEERED: Final = _names("MAKEFLAGS MFLAGS HGRCPATH RUSTC_WRAPPER CARGO_BUILD_RUSTC_WRAPPER")

_NEVER: Final[dict[str, frozenset[str]]] = {
    _REPOSITORY_WHY: _REPOSITORY,
    _GIT_TRUST_WHY: _GIT_TRUST,
    _STEERED_WHY: _STEERED,
    "it makes Node.js load code, or write files, that the command did not name": _names("""
        NODE_OPTIONS NODE_PATH NODE_REDIRECT_WARNINGS NODE_REPL_EXTERNAL_MODULE NODE_REPL_HISTORY
        NODE_V8_COVERAGE
    """),
    "it makes an interpreter load code that the command did not name": _names("""
        PYTHONHOME PYTHONPATH PYTHONBREAKPOINT PERL5LIB PERL5OPT RUBYLIB RUBYOPT TCLLIBPATH EMACSLOADPATH
        LUA_INIT LUA_INIT_5_1 LUA_INIT_5_2 LUA_INIT_5_3 LUA_INIT_5_4
        ERL_AFLAGS ERL_FLAGS ERL_ZFLAGS ELIXIR_ERL_OPTIONS R_ENVIRON R_PROFILE R_ENVIRON_USER R_PROFILE_USER
        EXINIT VIMINIT MYVIMRC GVIMINIT
    """),
    "it makes a managed runtime load agents, hooks or profilers": _names("""
        JAVA_OPTS JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS MAVEN_OPTS SBT_OPTS GRADLE_OPTS ANT_OPTS
        CATALINA_OPTS DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS CORECLR_PROFILER
    """),
    "it makes a shell run a file or a function first, or read words differently": _names("""
        BASHOPTS BASH_ENV ENV KSH_ENV SHELL SHELLOPTS PS4 IFS FPATH RUBYSHELL
    """),
    "it makes the C library load modules, or resolve names, that the command did not name": _names("""
        GCONV_PATH GLIBC_TUNABLES HOSTALIASES
    """),
    "it writes the keys of every TLS connection to a file": _names("SSLKEYLOGFILE"),
    "it names a program that another program starts": _names("""
        BROWSER GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_EXTERNAL_DIFF HGEDITOR HGMERGE SVN_EDITOR SVN_SSH
        BZR_EDITOR BZR_SSH JULIA_EDITOR SUDO_ASKPASS
    """),
    "it makes a version tool run programs, hooks or transports of somebody's choice": _names("""
        GIT_ALLOW_PROTOCOL GIT_PROTOCOL_FROM_USER GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_HOOK_PATH
    """),
    "it replaces a compiler or the configuration of a build": _names("""
        CC CPP CXX CXXCPP CMAKE_C_COMPILER CMAKE_CXX_COMPILER CMAKE_TOOLCHAIN_FILE CONFIG_SITE CONFIG_SHELL
        MAKE RUSTC RUSTC_WORKSPACE_WRAPPER RUSTDOC CARGO_BUILD_RUSTC CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER
        CARGO_BUILD_RUSTDOC
    """),
    "it makes a tool load plugins or scripts": _names("""
        BZR_PLUGIN_PATH HELM_PLUGINS PACKER_PLUGIN_PATH VAGRANT_VAGRANTFILE
    """),
}

_NOT_TO_SET: Final[dict[str, frozenset[str]]] = {
    _REPOSITORY_WHY: _REPOSITORY,
    _GIT_TRUST_WHY: _GIT_TRUST,
    _STEERED_WHY: _STEERED,
    "it moves the place where programs look for their settings and their code": _names("""
        HOME ZDOTDIR CURL_HOME GRADLE_USER_HOME DENO_DIR GOENV GOPATH CARGO_HOME GEM_HOME GEM_PATH
        COMPOSER_HOME HELM_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN VIRTUAL_ENV CONDA_DEFAULT_ENV CONDA_PREFIX
        PYTHONUSERBASE R_LIBS_USER XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS
        XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME SYSTEMROOT WINDIR
    """),
    "it names a program or a command line that another program starts": _names("""
        GIT_SSH_COMMAND GIT_SSH GIT_PROXY_COMMAND GIT_ASKPASS SSH_ASKPASS LESSOPEN LESSCLOSE PAGER MANPAGER
        GIT_PAGER EDITOR VISUAL FCEDIT SUDO_EDITOR PROMPT_COMMAND UV_PYTHON
    """),
    "it makes a program load code or settings, or write a file, that the command did not name": _names("""
        HISTFILE PERL5DB PERL5DBCMD PYTHONSTARTUP OPENSSL_CONF OPENSSL_ENGINES WGETRC PHPRC PHP_INI_SCAN_DIR
        CLASSPATH CORECLR_PROFILER_PATH LUA_PATH LUA_CPATH BUNDLE_GEMFILE YARN_RC_FILENAME
        TF_CLI_CONFIG_FILE TF_PLUGIN_CACHE_DIR ANSIBLE_CONFIG ANSIBLE_LIBRARY ANSIBLE_CALLBACK_PLUGINS
        ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONNECTION_PLUGINS ANSIBLE_FILTER_PLUGINS ANSIBLE_INVENTORY_PLUGINS
        ANSIBLE_LOOKUP_PLUGINS ANSIBLE_MODULE_UTILS ANSIBLE_REMOTE_TEMP ANSIBLE_ROLES_PATH
        ANSIBLE_STRATEGY_PLUGINS
    """),
    "it changes what a compiler or linker takes in": _names("""
        CFLAGS LDFLAGS CGO_CFLAGS CGO_LDFLAGS GOFLAGS RUSTFLAGS LIBRARY_PATH CPATH C_INCLUDE_PATH
        CPLUS_INCLUDE_PATH OBJC_INCLUDE_PATH
    """),
    # The host may have set these for good reasons, so all of them stand in _INHERITED_ALL_THE_SAME.
    "it sends the traffic of programs elsewhere, or changes whom they trust": _names("""
        HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY NODE_TLS_REJECT_UNAUTHORIZED NODE_EXTRA_CA_CERTS
        SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE DOCKER_HOST DOCKER_CONTEXT
        DOCKER_TLS_VERIFY DOCKER_CERT_PATH
    """),
    "it makes a package manager install from somewhere else": _names("""
        PIP_INDEX_URL PIP_PYPI_URL PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE PIP_FIND_LINKS PIP_TRUSTED_HOST
        UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_DEFAULT_INDEX BUN_CONFIG_REGISTRY
        GOPROXY GONOSUMCHECK GONOSUMDB GONOPROXY GOPRIVATE RUSTUP_DIST_ROOT RUSTUP_DIST_SERVER
        RUSTUP_UPDATE_ROOT
    """),
    "it is a credential, or says where credentials are": _names("""
        AMQP_URL AWS_ACCESS_KEY_ID AWS_CONFIG_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_SECRET_ACCESS_KEY AWS_SECURITY_TOKEN AWS_SESSION_TOKEN
        AWS_SHARED_CREDENTIALS_FILE AWS_WEB_IDENTITY_TOKEN_FILE AZURE_AUTH_LOCATION AZURE_CLIENT_ID
        AZURE_CLIENT_SECRET DATABASE_URL GH_TOKEN GITHUB_TOKEN GITLAB_TOKEN GOOGLE_APPLICATION_CREDENTIALS
        KUBECONFIG MONGODB_URI NODE_AUTH_TOKEN NPM_TOKEN REDIS_URL SSH_AUTH_SOCK
    """),
}

# The host's own home, proxies, certificates, pagers and credential files: a command may need them, and the person who
# started the host chose them. Variables that hold a secret themselves are not among them.
_INHERITED_ALL_THE_SAME: Final = _names("""
    HOME ZDOTDIR GRADLE_USER_HOME HISTFILE SYSTEMROOT WINDIR
    RUSTUP_DIST_ROOT RUSTUP_DIST_SERVER RUSTUP_HOME RUSTUP_TOOLCHAIN RUSTUP_UPDATE_ROOT
    XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME
    PAGER MANPAGER GIT_PAGER
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY NODE_TLS_REJECT_UNAUTHORIZED NODE_EXTRA_CA_CERTS SSL_CERT_FILE
    SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
    DOCKER_CERT_PATH AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_WEB_IDENTITY_TOKEN_FILE
    AZURE_AUTH_LOCATION GOOGLE_APPLICATION_CREDENTIALS KUBECONFIG SSH_AUTH_SOCK
""")

_NEVER_PREFIX_WHY: Final = {
    "LD_": "it makes the loader put other code into every program",
    "DYLD_": "it makes the loader put other code into every program",
    "BASH_FUNC_": "it defines a function that a shell runs instead of a command",
}
_NOT_TO_SET_PREFIXES: Final = {
    "GIT_CONFIG_": "it sets anything in git's configuration, commands included",
    "NPM_CONFIG_": "it sets anything in npm's configuration, scripts and registries included",
    "CARGO_REGISTRIES_": "it makes cargo fetch from somewhere else",
    "TF_VAR_": "it is an input of somebody's infrastructure",
}
# One set of each, made once, for the question that is asked of every variable. The tables keep the reasons.
_NEVER_PREFIXES: Final = tuple(_NEVER_PREFIX_WHY)
_NEVER_NAMES: Final = frozenset[str]().union(*_NEVER.values())
_NOT_TO_SET_NAMES: Final = frozenset[str]().union(*_NOT_TO_SET.values())
