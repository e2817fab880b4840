"""Find the faults that `tools/mutants.py` can sow in a module.

A mutant is one small change of the syntax tree. Sites lie in the code of a module:
its public functions and classes, the private helpers those use, and its constants.
No site lies in docstrings and other strings (error messages are strings), f-strings,
imports, type annotations, `raise` expressions, dunder assignments and
`if TYPE_CHECKING`.

Left out because the change could not be seen, or would only raise `TypeError`:

- a mutant that compiles to the bytecode of the original or of an earlier mutant;
- a dropped keyword that sets speed or the source line of a warning (`QUIET_KEYWORDS`),
  and a dropped `strict=`, which is the same as `strict=False`;
- swapped arguments of a commutative function (`COMMUTATIVE`), or of one whose first
  argument is a function or a type (`TAKES_FUNCTION`);
- arithmetic on literal strings, lists and tuples, and `|` between types;
- a guard that only raises is made "never"; "always" is killed by any call.
"""

import ast
import copy
import random
import types
from collections.abc import Iterator
from typing import NamedTuple

Step = tuple[str, int | None]
Change = tuple[str, ast.AST]

SKIPPED_FIELDS = {"annotation", "returns", "exc", "cause", "msg", "type_params", "ctx"}
SKIPPED_NODES = (ast.JoinedStr, ast.Import, ast.ImportFrom)

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
PAIRS = (
    ("sum", "mean"),
    ("max", "min"),
    ("maximum", "minimum"),
    ("argmax", "argmin"),
    ("any", "all"),
    ("floor", "ceil"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("log", "log1p"),
    ("exp", "expm1"),
    ("sin", "cos"),
)
SIBLINGS = dict(PAIRS) | {b: a for a, b in PAIRS}
BUILTIN_SIBLINGS = {"max", "min", "any", "all"}
COMMUTATIVE = {
    *("maximum", "minimum", "max", "min", "add", "multiply", "logaddexp", "hypot"),
    *("logical_and", "logical_or", "logical_xor", "equal", "not_equal", "gcd", "lcm"),
    *("array_equal", "isclose", "allclose", "broadcast_shapes", "result_type"),
}
TAKES_FUNCTION = {
    *("map", "partial", "filter", "reduce", "scan", "vmap", "pmap", "jit", "grad"),
    *("value_and_grad", "tree_map", "map_with_path", "apply_along_axis", "sorted"),
    *("isinstance", "issubclass", "getattr", "hasattr", "fori_loop", "while_loop"),
}
SELECTS = {"where", "select", "cond"}
QUIET_KEYWORDS = {"strict", "stacklevel", "donate_argnums", "donate_argnames", "unroll"}


class Mutant(NamedTuple):
    """One fault: where it lies, how it reads, and the change of the tree."""

    function: str
    line: int
    kind: str
    original: str
    mutated: str
    path: tuple[Step, ...]
    replacement: ast.AST


def mutate(tree: ast.AST, path: tuple[Step, ...], replacement: ast.AST) -> ast.AST:
    """Return the tree with one node replaced; only its ancestors are copied."""
    if not path:
        return ast.fix_missing_locations(replacement)
    (field, index), rest = path[0], path[1:]
    twin = copy.copy(tree)
    value = getattr(tree, field)
    if index is None:
        setattr(twin, field, mutate(value, rest, replacement))
    else:
        items = list(value)
        items[index] = mutate(items[index], rest, replacement)
        setattr(twin, field, items)
    return twin


def find_mutants(source: str) -> list[Mutant]:
    """Return every distinct mutant of a module's source, in the order of its lines."""
    tree = ast.parse(source)
    used = _used_names(tree)
    found = []
    for index, top in enumerate(tree.body):
        name = getattr(top, "name", "<module>")
        if not (name in used or name == "<module>") or _is_frame(top):
            continue
        seen = {_signature(_compiled(top))}
        for path, node, kind, replacement in _changes(top, ()):
            ast.copy_location(replacement, node)
            mutated = mutate(top, path, replacement)
            signature = _signature(_compiled(mutated))
            if signature in seen:
                continue
            seen.add(signature)
            texts = _texts(top, mutated, path)
            line = getattr(node, "lineno", None) or top.lineno
            step = (("body", index), *path)
            found.append(Mutant(name, line, kind, *texts, step, replacement))
    return sorted(found, key=lambda mutant: mutant.line)


def draw(mutants: list[Mutant], count: int, seed: str) -> list[Mutant]:
    """Draw a sample that takes from every function in turn, public ones first."""
    rng = random.Random(seed)
    strata: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        strata.setdefault(mutant.function, []).append(mutant)
    for stratum in strata.values():
        rng.shuffle(stratum)
    drawn: list[Mutant] = []
    while len(drawn) < min(count, len(mutants)):
        turn = [name for name in strata if strata[name]]
        rng.shuffle(turn)
        turn.sort(key=lambda name: name.startswith(("_", "<")))
        room = count - len(drawn)
        drawn += [strata[name].pop() for name in turn[:room]]
    return sorted(drawn, key=lambda mutant: (mutant.line, mutant.path))


def callers(source: str, function: str) -> set[str]:
    """Return the names whose code reaches `function`, itself included."""
    references = _references(ast.parse(source))
    reached = {function}
    while True:
        more = {name for name, uses in references.items() if uses & reached} - reached
        if not more:
            return reached
        reached |= more


def _references(tree: ast.Module) -> dict[str, set[str]]:
    """Map each top-level definition to the names it mentions."""
    return {
        top.name: {n.id for n in ast.walk(top) if isinstance(n, ast.Name)}
        for top in tree.body
        if hasattr(top, "name")
    }


def _used_names(tree: ast.Module) -> set[str]:
    """Return the definitions that public or module-level code reaches."""
    references = _references(tree)
    used = {name for name in references if not name.startswith("_")}
    loose = [top for top in tree.body if not hasattr(top, "name")]
    used |= {n.id for top in loose for n in ast.walk(top) if isinstance(n, ast.Name)}
    while True:
        more = set().union(*(references.get(name, set()) for name in used)) - used
        if not more:
            return used
        used |= more


def _is_frame(top: ast.stmt) -> bool:
    """Tell code that frames the module: dunder assignments and `if TYPE_CHECKING`."""
    if isinstance(top, ast.If):
        text = ast.unparse(top.test)
        return "TYPE_CHECKING" in text or "__name__" in text
    targets = getattr(top, "targets", [])
    return any(isinstance(t, ast.Name) and t.id.startswith("__") for t in targets)


def _changes(node: ast.AST, path: tuple[Step, ...]) -> Iterator[tuple]:
    """Yield (path, node, kind, replacement) for a node and all below it."""
    if isinstance(node, SKIPPED_NODES):
        return
    for operator in OPERATORS.get(type(node), ()):
        for kind, replacement in operator(node):
            yield path, node, kind, replacement
    for field, value in ast.iter_fields(node):
        if field in SKIPPED_FIELDS:
            continue
        if isinstance(value, ast.AST):
            yield from _changes(value, (*path, (field, None)))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _changes(item, (*path, (field, index)))


def _with(node: ast.AST, **fields) -> ast.AST:
    """Copy a node with some fields replaced."""
    twin = copy.copy(node)
    for name, value in fields.items():
        setattr(twin, name, value)
    return twin


def _is_text(node: ast.AST) -> bool:
    string = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return string or isinstance(node, ast.JoinedStr | ast.List | ast.Tuple)


def _is_type(node: ast.AST) -> bool:
    types_named = {"int", "float", "str", "bool", "bytes", "complex", "None"}
    return ast.unparse(node) in types_named


def _binary(node: ast.BinOp) -> Iterator[Change]:
    either = _is_text(node.left) or _is_text(node.right)
    if type(node.op) in ARITHMETIC and not either and not _is_type(node.right):
        yield "operator", _with(node, op=ARITHMETIC[type(node.op)]())


def _augmented(node: ast.AugAssign) -> Iterator[Change]:
    yield "statement removed", ast.Pass()
    if type(node.op) in ARITHMETIC and not _is_text(node.value):
        yield "operator", _with(node, op=ARITHMETIC[type(node.op)]())


def _comparison(node: ast.Compare) -> Iterator[Change]:
    for i, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
            yield "comparison", _with(node, ops=ops)


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        others: tuple = (not value,)
    elif isinstance(value, int):
        others = {0: (1,), 1: (0, 2)}.get(value, (value + 1,))
    elif isinstance(value, float):
        others = (1.0,) if value == 0 else (2 * value, -value)
    else:
        others = ()
    for other in others:
        yield "constant", ast.Constant(other)


def _boolean(node: ast.BoolOp) -> Iterator[Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "boolean", _with(node, op=other)


def _unary(node: ast.UnaryOp) -> Iterator[Change]:
    if not isinstance(node.op, ast.UAdd):
        yield "unary dropped", copy.copy(node.operand)


def _keyword(node: ast.keyword) -> Iterator[Change]:
    if node.arg in {"axis", "axes", "dim"}:
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            return
        if isinstance(value, int):
            other = 0 if value else -1
            yield "axis", ast.keyword(arg=node.arg, value=ast.Constant(other))


def _slice(node: ast.Slice) -> Iterator[Change]:
    def moved(bound, op):
        return ast.BinOp(bound, op, ast.Constant(1))

    if node.lower is None:
        yield "slice", _with(node, lower=ast.Constant(1))
    elif not _is_number(node.lower):
        yield "slice", _with(node, lower=moved(node.lower, ast.Add()))
    if node.upper is None and node.lower is not None:
        yield "slice", _with(node, upper=ast.UnaryOp(ast.USub(), ast.Constant(1)))
    elif node.upper is not None and not _is_number(node.upper):
        yield "slice", _with(node, upper=moved(node.upper, ast.Sub()))


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant)


def _attribute(node: ast.Attribute) -> Iterator[Change]:
    if node.attr in {"T", "mT"}:
        yield "transpose dropped", copy.copy(node.value)


def _call(node: ast.Call) -> Iterator[Change]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    yield from _call_arguments(node, name)
    for i, keyword in enumerate(node.keywords):
        makes_tuple = isinstance(node.func, ast.Name) and name[:1].isupper()
        if keyword.arg and keyword.arg not in QUIET_KEYWORDS and not makes_tuple:
            rest = node.keywords[:i] + node.keywords[i + 1 :]
            yield "keyword dropped", _with(node, keywords=rest)
    if name in SIBLINGS and isinstance(node.func, ast.Attribute):
        yield "sibling", _with(node, func=_with(node.func, attr=SIBLINGS[name]))
    elif name in BUILTIN_SIBLINGS and isinstance(node.func, ast.Name):
        yield "sibling", _with(node, func=_with(node.func, id=SIBLINGS[name]))


def _call_arguments(node: ast.Call, name: str) -> Iterator[Change]:
    args = node.args
    if any(isinstance(arg, ast.Starred) for arg in args):
        return
    skipped = COMMUTATIVE | TAKES_FUNCTION
    functional = any(isinstance(arg, ast.Lambda) for arg in args)
    if len(args) == 2 and name not in skipped and not functional:
        yield "arguments swapped", _with(node, args=args[::-1])
    if len(args) >= 3 and name in SELECTS:
        swapped = [args[0], args[2], args[1], *args[3:]]
        yield "branches swapped", _with(node, args=swapped)
    if name in {"range", "arange"} and args:
        if len(args) == 1:
            yield "range", _with(node, args=[ast.Constant(1), *args])
        i = min(1, len(args) - 1)
        if not _is_number(args[i]):
            shorter = ast.BinOp(args[i], ast.Sub(), ast.Constant(1))
            yield "range", _with(node, args=[*args[:i], shorter, *args[i + 1 :]])


def _conditional(node: ast.IfExp) -> Iterator[Change]:
    yield "branches swapped", _with(node, body=node.orelse, orelse=node.body)


def _if(node: ast.If) -> Iterator[Change]:
    yield "guard never", _with(node, test=ast.Constant(False))
    if not isinstance(node.body[-1], ast.Raise):
        yield "guard always", _with(node, test=ast.Constant(True))


def _while(node: ast.While) -> Iterator[Change]:
    yield "guard never", _with(node, test=ast.Constant(False))


def _expression(node: ast.Expr) -> Iterator[Change]:
    if isinstance(node.value, ast.Call):
        yield "statement removed", ast.Pass()


def _assign(node: ast.Assign) -> Iterator[Change]:
    """Remove `x = f(x)` and `x[i] = ...`; without any other `x =` the rest fails."""
    target = node.targets[0]
    read = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
    rebound = isinstance(target, ast.Name) and target.id in read
    if rebound or isinstance(target, ast.Subscript):
        yield "statement removed", ast.Pass()


def _arguments(node: ast.arguments) -> Iterator[Change]:
    """Replace a default that is a function by twice that function."""
    for field in ("defaults", "kw_defaults"):
        for i, default in enumerate(getattr(node, field)):
            if isinstance(default, ast.Name) and default.id.islower():
                double = f"lambda *args, **kwargs: 2 * {default.id}(*args, **kwargs)"
                other = ast.parse(double, mode="eval").body
                values = list(getattr(node, field))
                values[i] = other
                yield "default", _with(node, **{field: values})


OPERATORS = {
    ast.BinOp: (_binary,),
    ast.AugAssign: (_augmented,),
    ast.Compare: (_comparison,),
    ast.Constant: (_constant,),
    ast.BoolOp: (_boolean,),
    ast.UnaryOp: (_unary,),
    ast.keyword: (_keyword,),
    ast.Slice: (_slice,),
    ast.Attribute: (_attribute,),
    ast.Call: (_call,),
    ast.IfExp: (_conditional,),
    ast.If: (_if,),
    ast.While: (_while,),
    ast.Expr: (_expression,),
    ast.Assign: (_assign,),
    ast.arguments: (_arguments,),
}


def _compiled(top: ast.stmt) -> types.CodeType:
    module = ast.Module(body=[top], type_ignores=[])
    return compile(module, "<mutant>", "exec", dont_inherit=True)


def _signature(code: types.CodeType) -> tuple:
    """Return what a code object does, without its line numbers."""
    constants = tuple(
        _signature(c) if isinstance(c, types.CodeType) else (type(c).__name__, repr(c))
        for c in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_flags)
    handlers = getattr(code, "co_exceptiontable", b"")
    return code.co_code, constants, names, counts, handlers


def _texts(
    top: ast.stmt, mutated: ast.stmt, path: tuple[Step, ...], context: int = 30
) -> tuple[str, str]:
    """Write the statement before and after, cut to what differs and its context."""
    before, after = top, mutated
    statement = (before, after)
    for field, index in path:
        before, after = (
            getattr(n, field) if index is None else getattr(n, field)[index]
            for n in (before, after)
        )
        if isinstance(before, ast.stmt):
            statement = (before, after)
    one, two = (_header(s) for s in statement)
    start = _common(one, two)
    end = _common(one[start:][::-1], two[start:][::-1])
    return _cut(one, start, end, context), _cut(two, start, end, context)


def _common(one: str, two: str) -> int:
    """Return how many characters two strings share at their start."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(two)))


def _header(statement: ast.stmt) -> str:
    """Write a statement in one line; of a compound one, its header alone."""
    if hasattr(statement, "body"):
        bare = {"orelse": [], "finalbody": [], "decorator_list": []}
        fields = {k: v for k, v in bare.items() if hasattr(statement, k)}
        if hasattr(statement, "handlers"):
            fields["handlers"] = [ast.ExceptHandler(body=[ast.Pass()])]
        statement = _with(statement, body=[ast.Pass()], **fields)
    text = ast.unparse(ast.fix_missing_locations(statement))
    return " ".join(text.removesuffix("pass").split()) if text != "pass" else text


def _cut(text: str, start: int, end: int, context: int) -> str:
    first = max(0, start - context)
    last = min(len(text), len(text) - end + context)
    head = "…" if first else ""
    tail = "…" if last < len(text) else ""
    return head + text[first:last] + tail
