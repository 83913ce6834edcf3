"""What kind of program a process is, what people call it, and how that is known; pure records.

`classify` makes them from a command line; `services/notebooks` adds what only a connection file,
the environment or a server tells. Strings are safe to display.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Identity = tuple[int, int]
"""(pid, start time in clock ticks since boot), as in `snapshot`."""

KERNEL, COCALC_KERNEL, SPARE = "jupyter-kernel", "cocalc-kernel", "cocalc-spare"
SERVER, HUB = "jupyter-server", "jupyterhub"
TERMINAL, COCALC_TERMINAL = "terminal", "cocalc-terminal"
SAGE_SERVER, WORKSHEET, SAGE = "sage-server", "sage-worksheet", "sage"
RSTUDIO, R, JULIA = "rstudio", "r", "julia"
VSCODE, LANGUAGE_SERVER = "vscode", "language-server"
COMPILER, LINKER, LATEX = "compiler", "linker", "latex"
JAVA, SPARK = "java", "spark"
RAY, DASK, LOKY, TORCH, WORKER = "ray", "dask", "loky", "torch", "multiprocessing"
CONTAINER, NODE = "container", "node"
CHILD, RECORDED = "notebook-child", "recorded"

KERNELS = frozenset({KERNEL, COCALC_KERNEL, SPARE})
"""Those that hold the variables of a notebook, or wait to."""
WORKERS = frozenset({RAY, DASK, LOKY, TORCH, WORKER})
"""Those that work for another process."""

TITLES = {
    KERNEL: "Jupyter kernel",
    COCALC_KERNEL: "CoCalc kernel",
    SPARE: "spare CoCalc kernel",
    SERVER: "Jupyter server",
    HUB: "JupyterHub",
    TERMINAL: "terminal",
    COCALC_TERMINAL: "CoCalc terminal",
    SAGE_SERVER: "Sage worksheet server",
    WORKSHEET: "Sage worksheet",
    SAGE: "Sage",
    RSTUDIO: "RStudio",
    R: "R",
    JULIA: "Julia",
    VSCODE: "VS Code server",
    LANGUAGE_SERVER: "language server",
    COMPILER: "compiler",
    LINKER: "linker",
    LATEX: "LaTeX",
    JAVA: "Java",
    SPARK: "Spark",
    RAY: "Ray",
    DASK: "Dask",
    LOKY: "loky worker",
    TORCH: "PyTorch worker",
    WORKER: "multiprocessing",
    CONTAINER: "container",
    NODE: "node",
    CHILD: "process of a notebook",
    RECORDED: "as recorded",
}
"""What a kind is called in a sentence."""


class Activity(NamedTuple):
    """What a kernel does; None is unknown."""

    busy: bool | None = None
    idle_since: float | None = None  # seconds since the epoch; None while busy or not known
    at_least: bool = False  # idle since then or longer: memtui did not look before
    connections: int | None = None  # open tabs and the like, as its server counts them
    orphaned: bool | None = None  # its server is gone: nobody can reach it any more
    restarts: tuple[float, ...] = ()  # when it came back after its end, seconds since the epoch
    evidence: str = ""  # how busy or idle is known: "its server", "CPU time"
    problem: str = ""  # why its server tells nothing, in words


class Known(NamedTuple):
    """What is known of one process beside its numbers."""

    kind: str  # one of the above
    label: str  # what people call it: "analysis.ipynb", "JupyterLab server", "C++ compiler"
    evidence: str  # by which the kind is known: "program cc1plus"
    detail: str = ""  # what it works on, or is limited to: "model.cc", "heap -Xmx2g", "pts/3"
    language: str = ""  # of a kernel: "python", "R"; "" unknown
    path: str | None = None  # the whole path of the notebook or worksheet
    named_by: str = ""  # how the path is known: "connection file", "its server"
    file: str = ""  # the connection file of a kernel; may hold lone surrogates: not for display
    root: Identity | None = None  # the kernel whose family it belongs to; a kernel's is its own
    notebook: str = ""  # of a family: the path, else what stands for it; "" is none
    server: int | None = None  # PID of the Jupyter server that started it
    parent: str = ""  # of a worker: for whom it works, "python3 4821"
    activity: Activity = Activity()

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel itself, not one of its children."""
        return self.kind in KERNELS


def kernel_words(who: Known) -> str:
    """Return which kernel it is: "Python kernel", "spare CoCalc kernel"."""
    if who.kind == SPARE or not who.language:
        return TITLES[who.kind]
    language = who.language if who.language.isupper() else who.language.capitalize()
    return f"{language} kernel" if who.kind == KERNEL else f"{language}, {TITLES[who.kind]}"


def spoken(who: Known | None) -> str:
    """Return what a process is called where there is room for one name; "" if it has none."""
    if who is None or who.kind in (NODE, CONTAINER):
        return ""
    if who.kind == CHILD:
        return f"a process of {who.label}"
    if who.is_kernel and who.path:
        return who.label
    return f"{who.label} {who.detail}" if who.detail and not who.is_kernel else who.label


def who_json(who: Known | None) -> dict[str, Any] | None:
    """Return who a process is as a document; unknown is null."""
    if who is None:
        return None
    doing = who.activity
    found = {
        "class": who.kind,
        "label": who.label,
        "evidence": who.evidence,
        "detail": who.detail or None,
        "language": who.language or None,
        "path": who.path,
        "path_evidence": who.named_by or None,
        "notebook": who.notebook or None,
        "kernel": None if who.root is None else who.root[0],
        "server": who.server,
        "works_for": who.parent or None,
    }
    if not who.is_kernel:
        return found
    return found | {
        "busy": doing.busy,
        "idle_since": doing.idle_since,
        "idle_at_least": doing.at_least,
        "activity_evidence": doing.evidence or None,
        "connections": doing.connections,
        "orphaned": doing.orphaned,
        "restarts": list(doing.restarts),
        "server_problem": doing.problem or None,
    }
