"""Decide from the structure of a regular expression whether matching can take more than linear time.

Python's matcher tries one path through an expression after another. It examines each character a bounded number of
times exactly when the number of ways to read a prefix is bounded, whatever the prefix is. That is a property of the
position automaton (Glushkov) and can be decided (Weber and Seidl, "On the degree of ambiguity of finite automata",
1991):

- two different ways from a state to itself over one text: exponential time;
- a text that leads from p to p, from p to q and from q to q, with p and q different: at least quadratic time.

All states count as final, because a match can fail at any place of the text. A search tries every place of the text in
turn, which is a loop over everything before the expression.

The approximations may reject a linear expression, but never accept an expression that is not linear. Anchors and
look-arounds are assumed to match everywhere. Repetitions of more than 2 rounds count as endless; if the expression is
rejected for this, it is checked again with up to 64 rounds written out.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from itertools import product
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

COPIES = (2, 64)
"""Number of rounds of a repetition that are written out before the rest counts as endless. The second number is used
if the expression is rejected with the first."""
LOOKED_AT_MAX = 128
"""Limit of the letters that a look-around may read at each place."""
LOOPING_MAX = 40
"""Limit of positions on loops. An expression with more takes too long to decide, and is too intricate for a reader."""

_START = 0
# At least one letter of every kind that our character classes or Python's distinguish.
_ALPHABET = tuple(chr(code) for code in (*range(0x180), 0x660, 0x2003, 0x2028, 0x2029, 0x4E00, 0xD7FF, 0xE000, 0xFFFD))
Transitions = list[list[list[int]]]
_SEARCHES = frozenset({"search", "sub", "subn", "split", "findall", "finditer"})


@dataclass(frozen=True, slots=True)
class Automaton:
    """A position automaton that starts at position 0. `reads[p]` are the letters on which it enters p; `follows[p]` are
    the positions that can come after p."""

    reads: tuple[frozenset[str], ...]
    follows: tuple[frozenset[int], ...]
    doubled: frozenset[int]
    """Positions that follow another position in two different ways; `follows` alone does not show this."""
    accepting: frozenset[int]
    skipping: frozenset[int]
    """The positions of the loop that skips the text before a match, in a search."""

    def letters(self) -> tuple[str, ...]:
        """Return one letter for each class of letters that the automaton distinguishes."""
        classes: dict[tuple[bool, ...], str] = {}
        different = frozenset(self.reads)
        for letter in _ALPHABET:
            classes.setdefault(tuple(letter in read for read in different), letter)
        return tuple(letter for signature, letter in classes.items() if any(signature))

    def transitions(self) -> Transitions:
        """Return, for each class of letters, the positions that follow each position."""
        return [[self.step(position, letter) for position in range(len(self.reads))] for letter in self.letters()]

    def step(self, position: int, letter: str) -> list[int]:
        """Return the positions that follow `position` on this letter."""
        return [after for after in self.follows[position] if letter in self.reads[after]]


@dataclass(slots=True)
class _Part:
    """The first and last positions of a part of an expression, and whether the part can match the empty text (`empty`).

    `condition` marks an anchor or a look-around, which matches the empty text but can fail.
    """

    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)
    empty: bool = True
    condition: bool = False


class _Builder:
    """A builder of one pattern's automaton. `copies` is the number of rounds of a repetition that it writes out."""

    def __init__(self, flags: int, copies: int) -> None:
        self._flags = flags
        self._copies = copies
        self.reads: list[frozenset[str]] = [frozenset()]
        self.follows: list[set[int]] = [set()]
        self.doubled: set[int] = set()
        self.unsure: set[int] = set()
        """Positions that an anchor or a look-around follows."""

    def position(self, letters: frozenset[str]) -> _Part:
        self.reads.append(letters)
        self.follows.append(set())
        at = len(self.reads) - 1
        return _Part({at}, {at}, empty=False)

    def link(self, lasts: set[int], firsts: set[int]) -> None:
        for last in lasts:
            self.doubled |= self.follows[last] & firsts
            self.follows[last] |= firsts

    def loop(self, letters: frozenset[str]) -> set[int]:
        """Add a loop at the start that skips these letters; return the positions at which the loop can end."""
        anything = self.position(letters)
        self.link({_START}, anything.first)
        self.link(anything.last, anything.first)
        return anything.last

    def sequence(self, parts: list[_Part]) -> _Part:
        whole = _Part()
        for part in parts:
            self.link(whole.last, part.first)
            if part.condition:
                self.unsure |= whole.last
            whole = _Part(
                whole.first | part.first if whole.empty else whole.first,
                whole.last | part.last if part.empty else part.last,
                whole.empty and part.empty,
                part.empty and (whole.condition or part.condition),
            )
        return whole

    def built(self, items: Any) -> _Part:
        return self.sequence([self._item(code, value) for code, value in items])

    def _item(self, code: Any, value: Any) -> _Part:
        if code in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY):
            return self.position(self._letters(code, value))
        if code is op.BRANCH:
            parts = [self.built(items) for items in value[1]]
            return _Part(
                {one for part in parts for one in part.first},
                {one for part in parts for one in part.last},
                any(part.empty for part in parts),
                any(part.condition for part in parts),
            )
        if code is op.SUBPATTERN:
            return self.built(value[3])
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, getattr(op, "POSSESSIVE_REPEAT", None)):
            return self._repeated(*value)
        if code is getattr(op, "ATOMIC_GROUP", None):
            return self.built(value)
        if code in (op.ASSERT, op.ASSERT_NOT) and parser.SubPattern.getwidth(value[1])[1] > LOOKED_AT_MAX:
            raise NotImplementedError("a look-around reads without a bound: write it with one")
        if code in (op.AT, op.ASSERT, op.ASSERT_NOT):
            return _Part(condition=True)
        raise NotImplementedError(f"{code}: a back reference has no automaton; write it without one")

    def _repeated(self, least: int, most: int, items: Any) -> _Part:
        parts = [self.built(items) for _ in range(min(least, self._copies))]
        endless = most is op.MAXREPEAT or most > self._copies
        for _ in range(0 if endless else most - least):
            part = self.built(items)
            part.empty = True
            parts.append(part)
        if endless:
            part = self.built(items)
            self.link(part.last, part.first)
            part.empty = True
            parts.append(part)
        return self.sequence(parts)

    def _letters(self, code: Any, value: Any) -> frozenset[str]:
        if code is op.ANY:
            found = {letter for letter in _ALPHABET if letter != "\n" or self._flags & re.DOTALL}
        elif code is op.IN:
            negated = value[0][0] is op.NEGATE
            found = {letter for letter in _ALPHABET if any(self._in(letter, *item) for item in value) != negated}
        else:
            found = {letter for letter in _ALPHABET if self._in(letter, op.LITERAL, value) != (code is op.NOT_LITERAL)}
        return frozenset(found)

    def _in(self, letter: str, code: Any, value: Any) -> bool:
        if code is op.NEGATE:
            return False
        if code is op.CATEGORY:
            return _in_category(letter, value, ascii_only=bool(self._flags & re.ASCII))
        spellings = {letter.lower(), letter.upper()} if self._flags & re.IGNORECASE else {letter}
        if code is op.LITERAL:
            return any(ord(one) == value for one in spellings if len(one) == 1)
        assert code is op.RANGE, code
        return any(value[0] <= ord(one) <= value[1] for one in spellings if len(one) == 1)


def _in_category(letter: str, category: Any, *, ascii_only: bool) -> bool:
    name = str(category).removeprefix("CATEGORY_")
    wanted = not name.startswith("NOT_")
    sign = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[name.removeprefix("NOT_")]
    return (re.fullmatch(sign, letter, re.ASCII if ascii_only else 0) is not None) == wanted


def automaton_of(pattern: str | bytes, flags: int, method: str, copies: int = COPIES[0]) -> Automaton:
    """Return the automaton that describes how the method `method` of `re`, such as "search", matches a pattern."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    flags |= re.ASCII if isinstance(pattern, bytes) else 0
    tree = parser.parse(text, flags)
    flags |= tree.state.flags
    builder = _Builder(flags, copies)
    items = list(tree)
    start: set[int] = {_START}
    skipping: set[int] = set()
    if method in _SEARCHES:
        everything = frozenset(_ALPHABET)
        line_start = bool(items) and items[0] == (op.AT, op.AT_BEGINNING)
        if not line_start:
            skipping = builder.loop(everything)
            start |= skipping
        elif flags & re.MULTILINE:
            # It can begin only after a line's end: other letters are skipped by a loop that it does not follow.
            other, line_end = builder.position(everything - {"\n"}), builder.position(frozenset("\n"))
            for last in ({_START}, other.last, line_end.last):
                builder.link(last, other.first | line_end.first)
            start |= line_end.last
    whole = builder.built(items)
    builder.link(start, whole.first)
    return Automaton(
        tuple(builder.reads),
        tuple(frozenset(one) for one in builder.follows),
        frozenset(builder.doubled),
        frozenset(whole.last - builder.unsure),
        frozenset(skipping),
    )


def find_super_linear(pattern: str | bytes, flags: int, method: str) -> str | None:
    """Return why matching can take more than linear time; None if it takes at most linear time."""
    return _decide(pattern, flags, method)[1]


def decide(pattern: str | bytes, flags: int, method: str) -> Automaton:
    """Return the pattern's automaton that decides the result of `find_super_linear`, with repetitions written out as
    far as the decision needs."""
    return _decide(pattern, flags, method)[0]


def _decide(pattern: str | bytes, flags: int, method: str) -> tuple[Automaton, str | None]:
    for copies in COPIES:
        automaton = automaton_of(pattern, flags, method, copies)
        why = _find_super_linear(automaton)
        if why is None:
            break
    return automaton, why


def _find_super_linear(automaton: Automaton) -> str | None:
    transitions = automaton.transitions()
    loops = _on_loops(automaton)
    if len(loops) > LOOPING_MAX:
        return f"{len(loops)} places are on loops: too many to decide"
    if automaton.doubled & loops:
        return "a repetition can be read as one round or as several: exponential"
    if _exponential(automaton, transitions, loops):
        return "one text leads from a place back to itself in two ways: exponential"
    for p in sorted(loops):
        for q in sorted(loops - {p}):
            if p in automaton.skipping and q in automaton.accepting:
                continue  # the text read so far is a match, and a search continues after it
            if _reaches(transitions, (p, p, q), (p, q, q)):
                return f"two repetitions share a text: quadratic (positions {p} and {q})"
    return None


def _on_loops(automaton: Automaton) -> set[int]:
    found = set()
    for position in range(len(automaton.reads)):
        seen: set[int] = set()
        pending = [one for one in automaton.follows[position] if automaton.reads[one]]
        while pending:
            at = pending.pop()
            if at not in seen:
                seen.add(at)
                pending += [one for one in automaton.follows[at] if automaton.reads[one]]
        if position in seen:
            found.add(position)
    return found


def _exponential(automaton: Automaton, transitions: Transitions, loops: set[int]) -> bool:
    for p in loops:
        # Leave (p, p) for a pair of different positions, and return to (p, p).
        for a in automaton.follows[p]:
            for b in automaton.follows[p]:
                if a < b and automaton.reads[a] & automaton.reads[b] and _reaches(transitions, (a, b), (p, p)):
                    return True
    return False


def _reaches(transitions: Transitions, begin: tuple[int, ...], end: tuple[int, ...]) -> bool:
    """Return whether one non-empty text leads from each position in `begin` to the position at the same index in
    `end`."""
    seen: set[tuple[int, ...]] = set()
    pending = deque([begin])
    while pending:
        at = pending.popleft()
        for after in transitions:
            for step in product(*(after[position] for position in at)):
                if step == end:
                    return True
                if step not in seen:
                    seen.add(step)
                    pending.append(step)
    return False


def count_ways(automaton: Automaton, text: str) -> int:
    """Return the work of a matcher that tries every way to read a text and fails at the end of the text.

    The work is the sum, over all prefixes, of the number of ways to read the prefix. A search continues after each
    match, so it does not start inside a match.
    """
    ways = {_START: 1}
    total = 0
    for letter in text:
        after: dict[int, int] = {}
        for position, count in ways.items():
            for step in automaton.step(position, letter):
                after[step] = after.get(step, 0) + count
        if automaton.skipping and not after.keys().isdisjoint(automaton.accepting):
            after = {position: count for position, count in after.items() if position not in automaton.skipping}
        ways = after or dict.fromkeys(automaton.skipping, 1)
        total += sum(ways.values())
    return total


def pump(automaton: Automaton, length: int) -> tuple[str, ...]:
    """Return, for each position on a loop of the automaton, a text of `length` letters that repeats the loop."""
    texts = []
    for position in sorted(_on_loops(automaton)):
        lead, loop = _path(automaton, _START, position), _path(automaton, position, position)
        if lead is not None and loop:
            texts.append((lead + loop * length)[:length])
    return tuple(dict.fromkeys(texts))


def _path(automaton: Automaton, begin: int, end: int) -> str | None:
    """Return the shortest text that leads from position `begin` to position `end`; None if there is none."""
    seen = {begin}
    pending = deque([(begin, "")])
    letters = automaton.letters()
    while pending:
        at, text = pending.popleft()
        for letter in letters:
            for after in automaton.step(at, letter):
                if after == end:
                    return text + letter
                if after not in seen:
                    seen.add(after)
                    pending.append((after, text + letter))
    return None
