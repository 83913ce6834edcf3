"""Logs that no kernel wrote: damaged, shuffled, cut, endless. The parser takes them all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtui.kernel.oomlog import LogKill, OomLog, parse_log
from tests.support.oomlogs import ERAS, LOGS, SHAPES, killed, lines, log, memcg, wrapped


def whole_corpus() -> bytes:
    """All kinds of lines, once."""
    made = [wrapped(shape, era.lines) for shape in SHAPES for era in ERAS.values()]
    return b"".join([*made, *(p.read_bytes() for p in sorted(LOGS.glob("*.txt")))])


CORPUS = whole_corpus()


@given(st.integers(0, len(CORPUS)), st.integers(0, 6000), st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_logs_never_raise(at: int, size: int, data: st.DataObject) -> None:
    piece = bytearray(CORPUS[at : at + size])
    for _ in range(data.draw(st.integers(0, 12))):
        if piece:
            i = data.draw(st.integers(0, len(piece) - 1))
            piece[i : i + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    check(parse_log(bytes(piece)))


@given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(ERAS)), st.data())
@settings(max_examples=150, deadline=None)
def test_each_shape_survives_damage(shape: str, era: str, data: st.DataObject) -> None:
    log = bytearray(wrapped(shape, ERAS[era].lines))
    for _ in range(data.draw(st.integers(1, 8))):
        i = data.draw(st.integers(0, len(log)))
        log[i : i + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=4))
    cut = data.draw(st.integers(0, len(log)))
    reader = OomLog()
    told = reader.feed_data(bytes(log[:cut])) + reader.feed_data(bytes(log[cut:]))
    check(told + reader.finish())


@given(st.lists(st.sampled_from(CORPUS.splitlines()), max_size=60))
@settings(max_examples=150, deadline=None)
def test_shuffled_lines_never_raise(texts: list[bytes]) -> None:
    check(parse_log(b"\n".join(texts)))


@given(st.binary(max_size=500))
def test_any_bytes_are_a_log(data: bytes) -> None:
    check(parse_log(data))


@given(
    st.sampled_from(["kmsg", "json", "export", "json-pretty"]),
    st.binary(max_size=15).filter(lambda c: b"\0" not in c),
    st.integers(1, 1 << 22),
)
def test_any_name_is_lossless(shape: str, comm: bytes, pid: int) -> None:
    (kill,) = parse_log(wrapped(shape, memcg(pid, comm)))
    assert (kill.pid, kill.comm) == (pid, comm)


def check(kills: list[LogKill]) -> None:
    """What holds for every kill of every log."""
    assert [k.id for k in kills] == sorted({k.id for k in kills})
    for kill in kills:
        assert kill.pid >= 0
        assert kill.scope in ("memcg", "global", None)
        assert all(size is None or size >= 0 for size in kill[12:17])
        assert len(kill.record) <= 4200


@pytest.mark.parametrize("cut", range(0, 5000, 97))
def test_a_truncated_log_gives_a_whole_kill_or_none(cut: int) -> None:
    data = log("kmsg_6.18_v1.txt")
    for kill in parse_log(data[:-cut] if cut else data):
        assert (kill.pid, kill.comm) == (10757, b"python3")


def test_endless_lines_take_no_memory() -> None:
    reader = OomLog()
    for _ in range(200):
        assert reader.feed_data(b"Killed process 1 (" * 4000) == []
    assert reader.feed_data(b"\n" + lines(killed(3))) + reader.finish() != []


def test_dumps_without_a_kill_are_forgotten() -> None:
    reader = OomLog()
    dump = [*memcg(1)[:3], *(b"noise %d" % i for i in range(50))]
    for i in range(400):
        assert reader.feed_data(lines(*dump, start=float(i))) == []
    assert [k.oom_memcg for k in reader.feed_data(lines(killed(2), start=999.0))] == []
    (kill,) = reader.finish()
    assert (kill.pid, kill.oom_memcg) == (2, None)
