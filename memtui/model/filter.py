"""The filter language: `jupyter`, `chrome|firefox`, `mem>500m user=ann|bob !cmd~"test run"`.

Blanks between terms mean and. `|` without blanks separates alternatives of one term, ` | ` with
blanks those of the whole: `mem>1g a|b` is both, `mem>1g | a` either. `!` turns a term round.
A term is text, looked for in the command line and the names without regard to case; or a field,
an operator and a value. `~` is "contains": there is no pattern language that could be slow.
Where text holds a blank, `|` or looks like a field, quotes go around it; `""` inside them is one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from posixpath import basename
from typing import TYPE_CHECKING, Any, NamedTuple

from memtui.kernel.cgroup import at_or_below
from memtui.kernel.procfs import TICKS_PER_S
from memtui.model import values
from memtui.model.fields import FIELDS, find, limit_share, needs
from memtui.model.known import TITLES
from memtui.model.snapshot import NO_LIMIT, Proc
from memtui.text import safe
from memtui.units import percent

if TYPE_CHECKING:
    from memtui.model.fields import Context

    Test = Callable[[Proc, Context], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne,
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_OPERATORS = ("!=", "!~", ">=", "<=", "==", "=", ">", "<", "~")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%+_")
_QUOTES = "\"'"
_ALIASES = {
    "cmd": "command", "cmdline": "command", "args": "command", "comm": "name", "program": "name",
    "res": "rss", "%mem": "host", "%cpu": "cpu", "%lim": "quota", "nlwp": "threads",
    "ni": "nice", "pri": "prio", "below": "in",
}  # fmt: skip


def _notebook(proc: Proc) -> tuple[str, ...] | None:
    """The notebook that a process belongs to, by its path and by its name."""
    path = proc.who.notebook if proc.who is not None else ""
    return (path, basename(path)) if path else None


_TEXTS: dict[str, Callable[[Proc], tuple[str, ...] | None]] = {
    "user": lambda p: (p.user,) if p.uid is None else (p.user, str(p.uid)),
    "state": lambda p: (p.state,),
    "cgroup": lambda p: None if p.cgroup is None else (safe(p.cgroup),),
    "command": lambda p: (p.command, p.name),
    "name": lambda p: (p.name,),
    "in": lambda p: None if p.cgroup is None else (safe(p.cgroup),),
    "notebook": _notebook,
    "class": lambda p: None if p.who is None else (p.who.kind, TITLES[p.who.kind]),
}
_PARSERS: dict[str, values.Parser] = {
    **dict.fromkeys(("quota", "host", "cpu"), values.parse_percent),
    **dict.fromkeys(
        ("pid", "ppid", "uid", "nice", "prio", "threads", "adj", "oom"), values.parse_whole
    ),
    **dict.fromkeys(("time", "age"), values.parse_span),
    "growth": values.parse_growth,
    "majflt": values.parse_per_second,
}
_CLASSES = {word.lower() for pair in TITLES.items() for word in pair}
_NO_COLUMN = ("name", "in", "notebook", "class")
_USE_NUMBER = "= != > >= < <="


class FilterError(ValueError):
    """A filter that means nothing: one sentence, and the index of the character that is wrong."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Term(NamedTuple):
    """One condition."""

    test: Test
    keys: tuple[str, ...]  # of the columns that it looks at


class Filter(NamedTuple):
    """A filter that was understood. One without alternatives matches everything."""

    text: str = ""
    alternatives: tuple[tuple[Term, ...], ...] = ()

    @property
    def needs(self) -> int:
        """What has to be read for it beside the list: bits as `fields.needs`."""
        return needs(tuple(k for terms in self.alternatives for t in terms for k in t.keys))

    def matches(self, proc: Proc, context: Context) -> bool:
        """Whether the filter lets `proc` through."""
        if not self.alternatives:
            return True
        return any(all(term.test(proc, context) for term in terms) for terms in self.alternatives)


ALL = Filter()


def parse_filter(text: str) -> Filter:
    """Return the filter that `text` means. Raises FilterError; takes time linear in the text."""
    alternatives: list[list[Term]] = [[]]
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "|":
            alternatives.append([])
            at += 1
        else:
            term, at = _term(text, at)
            alternatives[-1].append(term)
    return Filter(text.strip(), tuple(tuple(terms) for terms in alternatives if terms))


def quoted(text: str) -> str:
    """Return `text` so that a filter takes it for a value, whatever is in it."""
    if text and not any(c.isspace() or c in "|\"'=<>~!" for c in text):
        return text
    return '"' + text.replace('"', '""') + '"'


def fields_help() -> list[tuple[str, str]]:
    """Return what terms there are beside plain text, as (example, meaning)."""
    return [
        ("jupyter|spark", "either is in the command line; state=D|Z either value"),
        ("mem>1g | cpu>90", "with blanks around |: either side, whatever terms it has"),
        ("mem>500m", "RES above 500 MiB; so for every column: pss>=1g swap>0 pid=123"),
        ("user=ann state=Z", "both: blanks mean and"),
        ("cmd~train !cgroup~docker", "~ contains, ! not; quotes around blanks: cmd~'a b'"),
        ("%quota>5 cpu>=10", "per cent, as the columns show it"),
        ("growth>10m/min age<2h", "rates and spans; start>14:30"),
        ("in=/user.slice", "that cgroup and all below; name=python3 is the program"),
        ("notebook~analysis", "a kernel and all below it; class=compiler, class~kernel"),
    ]


def _term(text: str, at: int) -> tuple[Term, int]:
    """One term with its alternatives, and where it ends."""
    negated, at = _negations(text, at)
    first, sign, at = _atom(text, at, "", "")
    terms, turned, lead = [first], sign[1][:1] == "!", sign
    while text[at : at + 1] == "|" and text[at + 1 : at + 2].strip(" |\t\n"):
        inside, at = _negations(text, at + 1)
        term, sign, at = _atom(text, at, *lead)
        turned = turned and sign == lead
        terms.append(_turned(term) if inside else term)
    if len(terms) > 1:
        tests = [t.test for t in terms]
        # `user!=ann|bob` is neither of them
        meets = all if turned else any
        keys = tuple(k for t in terms for k in t.keys)
        first = Term(lambda p, c: meets(test(p, c) for test in tests), keys)
    return (_turned(first) if negated else first), at


def _turned(term: Term) -> Term:
    return Term(lambda p, c: not term.test(p, c), term.keys)


def _negations(text: str, at: int) -> tuple[bool, int]:
    begin, negated = at, False
    while text[at : at + 1] == "!":
        negated = not negated
        at += 1
    if at > begin and (at >= len(text) or text[at].isspace() or text[at] == "|"):
        raise FilterError("there is nothing after !", begin)
    return negated, at


def _atom(text: str, at: int, name: str, sign: str) -> tuple[Term, tuple[str, str], int]:
    """One condition, its field and operator, and where it ends.

    A value alone belongs to the field `name` and the operator `sign` of the alternative before.
    """
    own = _name(text, at)
    found = next((o for o in _OPERATORS if text.startswith(o, at + len(own))), "") if own else ""
    if found:
        term, end = _comparison(text, at, own, found, at + len(own) + len(found))
        return term, (own, found), end
    if sign:
        term, end = _comparison(text, at, name, sign, at)
        return term, (name, sign), end
    value, end = _value(text, at)
    return _plain(value.lower()), ("", ""), end


def _name(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end] in _LETTERS:
        end += 1
    if text[end : end + 2].lower() == "/s":
        end += 2
    return text[at:end]


def _value(text: str, at: int) -> tuple[str, int]:
    """What stands at `at` up to a blank or `|`, or between quotes, and where it ends."""
    if text[at : at + 1] in _QUOTES and at < len(text):
        return _in_quotes(text, at)
    end = at
    while end < len(text) and not text[end].isspace() and text[end] != "|":
        end += 1
    return text[at:end], end


def _in_quotes(text: str, at: int) -> tuple[str, int]:
    quote, begin, parts = text[at], at + 1, []
    while (end := text.find(quote, begin)) >= 0:
        parts.append(text[begin:end])
        if text[end + 1 : end + 2] != quote:
            return quote.join(parts), end + 1
        begin = end + 2
    raise FilterError(f"the quote {quote} is not closed", at)


def _plain(needle: str) -> Term:
    def test(proc: Proc, _: Context) -> bool:
        if needle in proc.command.lower() or needle in proc.name.lower():
            return True
        who = proc.who
        return who is not None and (needle in who.label.lower() or needle in who.notebook.lower())

    return Term(test, ())


def _comparison(text: str, at: int, name: str, sign: str, begin: int) -> tuple[Term, int]:
    """The condition `name` `sign` with the value at `begin`; what is wrong is wrong from `at`."""
    key = _key(name, at)
    value, end = _value(text, begin)
    if not value and text[begin : begin + 1] not in tuple(_QUOTES):
        raise FilterError(f"there is nothing after {name}{sign}", begin)
    where = at + len(name) if begin > at else at
    if key in _TEXTS:
        return _text_term(key, sign, value, where), end
    if "~" in sign:
        raise FilterError(f"{name} is a number: use {_USE_NUMBER}", where)
    try:
        return _number_term(key, sign, value), end
    except (ValueError, OverflowError) as e:
        message = str(e) if isinstance(e, ValueError) else f"{value!r} is too big"
        raise FilterError(message, begin) from None


def _key(name: str, at: int) -> str:
    word = name.lower()
    word = _ALIASES.get(word, word)
    if word in _TEXTS:
        return word
    try:
        return find(word).key
    except ValueError:
        known = ", ".join(f.key for f in FIELDS)
        raise FilterError(
            f"no field {name!r}; quote it if it is text. There are {known}", at
        ) from None


def _text_term(key: str, sign: str, value: str, at: int) -> Term:
    get, wanted = _TEXTS[key], value.lower()
    usable = ("=", "!=") if key == "in" else ("=", "!=", "~", "!~")
    if sign.replace("==", "=") not in usable:
        raise FilterError(f"{key} is text: use {' '.join(usable)}", at)
    if key == "class" and "~" not in sign and wanted not in _CLASSES:
        raise FilterError(
            f"no class {value!r}: use class~{value}, or one of {', '.join(TITLES)}", at
        )
    inside: Callable[[str], bool]
    if key == "in":
        group = "/" + value.strip("/")

        def inside(has: str) -> bool:
            return at_or_below(has, group)
    elif "~" in sign:

        def inside(has: str) -> bool:
            return wanted in has.lower()
    else:

        def inside(has: str) -> bool:
            return wanted == has.lower()

    turned = sign[0] == "!"

    def test(proc: Proc, _: Context) -> bool:
        found = get(proc)
        return found is not None and any(map(inside, found)) != turned

    return Term(test, () if key in _NO_COLUMN else (key,))


def _number_term(key: str, sign: str, value: str) -> Term:
    compare, get = _COMPARE[sign], _getter(key)
    if key == "start":
        moment = values.parse_moment(value)

        def test(proc: Proc, context: Context) -> bool:
            has = get(proc, context)
            if has is None or context.now is None:
                return False
            # to the minute, as the column shows it
            return compare(has // 60, moment(context.now) // 60)

        return Term(test, (key,))
    wanted = _PARSERS.get(key, values.parse_bytes)(value)

    def test_number(proc: Proc, context: Context) -> bool:
        has = get(proc, context)
        return has is not None and compare(has, wanted)

    return Term(test_number, (key,))


def _getter(key: str) -> Callable[[Proc, Context], Any]:
    """What a column compares by: its number in the unit in which people write it."""
    if key in _SPECIAL:
        return _SPECIAL[key]
    sort = find(key).sort
    return lambda p, _: sort(p)


def _began(proc: Proc, context: Context) -> float | None:
    return None if context.boot is None else context.boot + proc.start / TICKS_PER_S


def _age(proc: Proc, context: Context) -> float | None:
    began = _began(proc, context)
    return None if began is None or context.now is None else context.now - began


def _points(proc: Proc, context: Context) -> float | None:
    share = percent(proc.badness, context.total)
    return None if share is None else round(10 * share)


_SPECIAL: dict[str, Callable[[Proc, Context], Any]] = {
    "quota": limit_share,
    "host": lambda p, c: percent(p.rss, c.host),
    "oom": _points,
    "start": _began,
    "age": _age,
    "limit": lambda p, _: None if p.limit == NO_LIMIT else p.limit,
}
