"""The language of logic rules: readable lines in, checked records out, every mistake with its line and column.

    suggest 2.0 "Ink for {X}" "适合{X}的墨盒": bought(C, X), category(X, "Printers"), fits(Y, X), category(Y, "Ink")
    boost -0.5: category(Y, "Ink"), not customer(C, "owns", "printer")
    never: attribute(Y, "contains", "alcohol"), customer(C, "age_group", "minor")
    functional: made_by
    asymmetric: accessory_of

C is the customer, Y the candidate, other capital letters stand for items and entities. A ``#`` begins a remark; a rule goes on
after a comma or a colon at the end of a line. Rules are safe as in Datalog: `not` only tests what something else has named.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from shopkeeper.errors import InputError
from shopkeeper.trust.logic_rules import ACTS, DEEDS, Condition, LogicRule, LogicRules, Term, Variable

_DECLARATIONS: Final = ("functional", "asymmetric")
_SHAPES: Final = {
    **dict.fromkeys(DEEDS, ("customer", "item")),
    "category": ("item", "text"),
    "attribute": ("item", "text", "any"),
    "price_below": ("item", "number"),
    "price_above": ("item", "number"),
    "customer": ("customer", "text", "text"),
}
"""What each predicate takes; every other name is a relation of the graph between two of ``any``."""
_TOKENS: Final = re.compile(
    r"""(?P<blank>[ \t\r]+)|(?P<remark>\#[^\n]*)|(?P<end>\n)|(?P<number>[-+]?\d+(?:\.\d+)?)"""
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<name>[^\W\d][\w.\-]*)|(?P<mark>[(),:])|(?P<wrong>.)"""
)
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int


def parse(text: str, file: str = "rules") -> LogicRules:
    """Read rules.

    Args:
        text: At most 1,000 rules.
        file: What errors call it.

    Raises:
        InputError: Something is wrong; `where` is ``file, line n, column m``.
    """
    return _Parser(text, file).rules()


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._tokens = list(self._cut(text))
        self._at = 0

    def rules(self) -> LogicRules:
        rules: list[LogicRule] = []
        declared: dict[str, list[tuple[str, int]]] = {name: [] for name in _DECLARATIONS}
        while self._now.kind != "stop":
            if self._now.kind == "end":
                self._at += 1
                continue
            word = self._take("name", "a rule that begins with suggest, boost or never")
            if word.text in declared:
                self._mark(":")
                names = [self._take("name", "a relation").text]
                while self._skip(","):
                    names.append(self._take("name", "a relation").text)
                declared[word.text] += [(name, word.line) for name in names]
            else:
                rules.append(self._rule(word))
            if self._now.kind not in ("end", "stop"):
                self._fail(self._now, f"{self._now.text!r} is not expected here.", "End the line, or write a comma.")
            if len(rules) > _MOST:
                self._fail(word, f"There are more than {_MOST:,} rules.", "Join some of them.")
        return LogicRules(tuple(rules), tuple(declared["functional"]), tuple(declared["asymmetric"]))

    def _rule(self, word: _Token) -> LogicRule:
        act = next((name for name in ACTS if name == word.text), None)
        if act is None:
            known = (*ACTS, *_DECLARATIONS)
            self._fail(word, f"A rule cannot begin with {word.text!r}.", _nearest(word.text, known))
        weight = 0.0
        if act != "never":
            token = self._take("number", f"a weight after {act}, e.g. {act} 1.0")
            weight = float(token.text)
            if act == "suggest" and weight <= 0:
                self._fail(
                    token, "A suggestion needs a weight above 0.", "Use boost with a negative weight to hold back."
                )
        said = tuple((tag, _plain(self._take("text", "").text)) for tag in ("en", "zh") if self._now.kind == "text")
        self._mark(":")
        body = [self._literal()]
        while self._skip(","):
            body.append(self._literal())
        rule = LogicRule(act, weight, tuple(body), word.line, said)
        self._check(rule, word)
        return rule

    def _literal(self) -> Condition:
        while self._now.kind == "end":
            self._at += 1
        token = self._take("name", "a condition, e.g. bought(C, X)")
        negated = token.text == "not"
        if negated:
            token = self._take("name", "a condition after not")
        self._mark("(")
        terms: list[Term] = []
        places: list[_Token] = []
        while not terms or self._skip(","):
            places.append(self._now)
            terms.append(self._term())
        self._mark(")")
        shape = _SHAPES.get(token.text, ("any", "any"))
        if len(terms) != len(shape):
            cure = f"Write {token.text}({', '.join(_example(kind) for kind in shape)})."
            if token.text not in _SHAPES:
                cure = f"A relation has two ends. {_nearest(token.text, tuple(_SHAPES))}"
            self._fail(token, f"{token.text} takes {len(shape)} terms, not {len(terms)}.", cure)
        for term, place, kind in zip(terms, places, shape, strict=True):
            self._fits(term, place, kind)
        return Condition(token.text, tuple(terms), negated)

    def _term(self) -> Term:
        token = self._now
        self._at += 1
        if token.kind == "number":
            return float(token.text)
        if token.kind == "text":
            return _plain(token.text)
        if token.kind == "name" and re.fullmatch(r"[A-Z]\w*", token.text):
            return Variable(token.text)
        return self._fail(token, f"{token.text!r} is no term.", 'Write a variable (X), a text ("red") or a number.')

    def _fits(self, term: Term, place: _Token, kind: str) -> None:
        customer = isinstance(term, Variable) and term.name == "C"
        right = {
            "customer": customer,
            "item": isinstance(term, Variable) and not customer,
            "text": isinstance(term, str),
            "number": isinstance(term, float),
            "any": isinstance(term, str | Variable) and not customer,
        }[kind]
        if not right:
            wanted = {"customer": "the customer C", "item": "a variable such as X or Y", "any": "a variable or a text"}
            self._fail(place, f"{place.text} cannot stand here.", f"Write {wanted.get(kind, f'a {kind}')}.")

    def _check(self, rule: LogicRule, word: _Token) -> None:
        named = frozenset[str]().union(*(part.variables for part in rule.body if not part.negated))
        for part in rule.body:
            if part.negated and (loose := part.variables - named - ({"Y"} if rule.act != "suggest" else set())):
                name = min(loose)
                self._fail(
                    word,
                    f"{name} is only denied, in {part}.",
                    f"Say first what {name} is, e.g. with a category or relation.",
                )
        if rule.act == "suggest" and "Y" not in named:
            self._fail(word, "The rule does not say what to suggest.", "Name the candidate Y in a condition.")
        unbound = set(re.findall(r"\{(\w+)\}", " ".join(text for _, text in rule.text))) - named - {"Y"}
        if unbound:
            self._fail(
                word, f"The text names {{{min(unbound)}}}, which the rule does not.", "Use a variable of the rule."
            )

    @property
    def _now(self) -> _Token:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _take(self, kind: str, wanted: str) -> _Token:
        token = self._now
        if token.kind != kind:
            self._fail(token, f"Here stands {_shown(token)}.", f"Write {wanted}.")
        self._at += 1
        return token

    def _mark(self, mark: str) -> None:
        if self._now.text != mark or self._now.kind != "mark":
            self._fail(self._now, f"Here stands {_shown(self._now)}.", f"Write {mark!r}.")
        self._at += 1

    def _skip(self, mark: str) -> bool:
        found = self._now.kind == "mark" and self._now.text == mark
        self._at += found
        return found

    def _cut(self, text: str) -> Iterator[_Token]:
        line, begin = 1, 0
        for match in _TOKENS.finditer(text):
            kind = match.lastgroup or "wrong"
            token = _Token(kind, match.group(), line, match.start() - begin + 1)
            if kind == "wrong":
                cure = (
                    "Close the text with a quotation mark."
                    if token.text == '"'
                    else "Remove it, or put it in quotation marks."
                )
                self._fail(token, f"{token.text!r} cannot stand here.", cure)
            if kind not in ("blank", "remark"):
                yield token
            if kind == "end":
                line, begin = line + 1, match.end()
        yield _Token("stop", "", line, len(text) - begin + 1)

    def _fail(self, token: _Token, what: str, cure: str) -> NoReturn:
        raise InputError(what, where=f"{self._file}, line {token.line}, column {token.column}", cure=cure)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _shown(token: _Token) -> str:
    return {"end": "the end of the line", "stop": "the end of the file"}.get(token.kind, repr(token.text))


def _example(kind: str) -> str:
    return {"customer": "C", "item": "X", "text": '"..."', "number": "10", "any": '"..."'}[kind]


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
