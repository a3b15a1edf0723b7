"""The functions of a file, and which function a name means.

Easy to get wrong: a function's addresses are not its own alone. Others may be
inlined into it, right at its entry, too, with lines of elsewhere; and with a
cold part far away it spans what lies between.
"""

import bisect
import re

import gdb

from chronofork_gdb import method
from chronofork_lines import entry_of, inline_chain, physical_block
from chronofork_places import symtabs_named


@method
def file_functions(path):
    """The functions that were built from a file: name, lines, and the addresses that calls of them go to.

    Several of one name at the same lines are one: a template's instances, say.
    """
    found = {}
    for symtab in symtabs_named(path, 1):
        full_name = symtab.fullname()
        rows = sorted((row.pc, row.line) for row in symtab.linetable() if row.line > 0)
        bodies = []
        for block in (symtab.global_block(), symtab.static_block()):
            for symbol in block:
                if symbol.addr_class != gdb.SYMBOL_LOC_BLOCK or symbol.symtab is None:
                    continue
                body = body_of(symbol) if symbol.symtab.fullname() == full_name else None
                if body is not None:
                    bodies.append((entry_of(body), body.end, symbol))
        entries = sorted(entry for entry, _, _ in bodies)
        for entry, end, symbol in bodies:
            # A function may have a cold part elsewhere, and then others' code lies between.
            following = bisect.bisect_right(entries, entry)
            end = min([end] + entries[following : following + 1])
            own = rows[bisect.bisect_left(rows, (entry, 0)) : bisect.bisect_left(rows, (end, 0))]
            # Rows of what is inlined into it have lines of elsewhere.
            by_line = sorted(own, key=lambda row: row[1], reverse=True)
            last = next((line for pc, line in by_line if not inline_chain(pc)), symbol.line)
            line = whole_line(symbol.line, last)
            one = found.setdefault(
                (line, symbol.name), {"name": symbol.print_name, "line": line, "endLine": last, "entries": []}
            )
            one["entries"].append(hex(entry))
    return sorted(found.values(), key=lambda one: one["line"])


def whole_line(line, last):
    """A symbol's line, of which gdb before 14 keeps 16 bits, of a function whose last line is `last`."""
    above = (last - line) & 0xFFFF
    return last - above if above < 0x8000 else line


def body_of(symbol):
    """The block of a function's code; None where the symbol is another's: of an alias, or one that is only inlined."""
    try:
        # Another function may be inlined right at its entry.
        body = physical_block(int(symbol.value().address))
    except (gdb.error, TypeError):
        return None
    if body is None or (body.function.name, body.function.line) != (symbol.name, symbol.line):
        return None
    return body


def is_called(function, name):
    """Whether gdb finds a function by this name: with its parameters and namespaces or without."""
    if name in (function.linkage_name, function.name, function.print_name):
        return True
    found, wanted = function.print_name, name
    if without_parameters(wanted) == wanted:
        found = without_parameters(found)
    optional = re.compile(r"<[^<>]*>|\[abi:\w+\]")
    while found != wanted and not found.endswith("::" + wanted):
        if "operator" in found or not optional.search(found):
            return False
        found = optional.sub("", found)
    return True


QUALIFIERS = re.compile(r"(?:\s*(?:const|volatile|&&?|\[clone [^\]]*\]))*")


def without_parameters(name):
    """`a::f(int) const` as `a::f`; brackets in its middle are left."""
    end = name.rfind(")")
    if end < 0 or not QUALIFIERS.fullmatch(name[end + 1 :]):
        return name
    depth = 0
    for at in range(end, -1, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            return name if name[:at].endswith("operator") else name[:at]
    return name
