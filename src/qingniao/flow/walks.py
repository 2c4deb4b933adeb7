"""Ways through a graph: what is reached, what goes in circles, what is longest. Pure, each in time
proportional to the lines.

Rule: nothing here recurses: a drawing of any depth is walked.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["circles", "longest", "reach"]

Targets = Mapping[str, Sequence[str]]


def reach(targets: Targets, starts: Iterable[str]) -> set[str]:
    """Every node that `starts` lead to, and they themselves."""
    seen: set[str] = set()
    todo = list(starts)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += targets[node]
    return seen


def circles(targets: Targets) -> set[str]:
    """Every node that is part of a circle (Tarjan's strongly connected components)."""
    found: set[str] = set()
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    stacked: set[str] = set()
    for root in targets:
        if root in number:
            continue
        work = [(root, iter(targets[root]))]
        number[root] = lowest[root] = len(number)
        stack.append(root)
        stacked.add(root)
        while work:
            node, rest = work[-1]
            after = next(rest, None)
            if after is None:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == number[node]:
                    part = _popped(stack, stacked, node)
                    if len(part) > 1 or node in targets[node]:
                        found.update(part)
            elif after not in number:
                number[after] = lowest[after] = len(number)
                stack.append(after)
                stacked.add(after)
                work.append((after, iter(targets[after])))
            elif after in stacked:
                lowest[node] = min(lowest[node], number[after])
    return found


def longest(targets: Targets, *, without: Collection[str] = ()) -> tuple[int, str]:
    """How many nodes the longest way has, and where it begins, leaving out those of `without`; what
    is left must be without circles."""
    length: dict[str, int] = {}
    for root in targets:
        work = [root]
        while work:
            node = work[-1]
            if node in length or node in without:
                work.pop()
                continue
            after = [target for target in targets[node] if target not in without]
            missing = [target for target in after if target not in length]
            if missing:
                work += missing
                continue
            length[node] = 1 + max((length[target] for target in after), default=0)
            work.pop()
    best = max(length, key=lambda node: length[node], default="")
    return length.get(best, 0), best


def _popped(stack: list[str], stacked: set[str], upto: str) -> list[str]:
    part: list[str] = []
    while not part or part[-1] != upto:
        part.append(stack.pop())
        stacked.discard(part[-1])
    return part
