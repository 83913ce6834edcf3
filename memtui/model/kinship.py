"""What a process and all its descendants hold together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from memtui.model.snapshot import Proc


def trees(table: Mapping[str, Proc]) -> Iterator[tuple[str, int, bool]]:
    """Yield (name, bytes, whether all of it is PSS) of whose tree is another than it has.

    A process whose PSS is unknown counts with its RES, which is at least as much. `table` may be
    changed meanwhile; who is in no tree that begins with an orphan or a stranger is left out.
    """
    children: dict[int, list[str]] = {}
    pids = {proc[0] for proc in table.values()}
    for name, proc in table.items():
        children.setdefault(proc.ppid if proc.ppid in pids else -1, []).append(name)
    order: list[str] = []
    stack = children.get(-1, [])[:]
    while stack:
        name = stack.pop()
        order.append(name)
        stack += children.get(table[name][0], ())
    sums: dict[int, int] = {}
    rough: set[int] = set()  # parents some of whose tree is not PSS
    for name in reversed(order):
        proc = table[name]
        pid, pss = proc[0], proc.pss
        tree = sums.get(pid, 0) + (proc.rss if pss is None else pss)
        whole = pid not in rough and (pss is not None or not proc.rss)
        sums[proc.ppid] = sums.get(proc.ppid, 0) + tree
        if not whole:
            rough.add(proc.ppid)
        if tree != proc.tree or whole != proc.tree_whole:
            yield name, tree, whole
