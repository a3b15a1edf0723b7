"""Where breakpoints on the lines of a file go, for all of its lines at once.

gdb answers that for one line in some 5 ms (it compares the name of the file
with those of every file that it knows, the C library's among them), which for
a file of 2,000 lines is 10 s. So its rules are applied here to the line tables
(in its sources create_sals_line_offset and skip_prologue_sal; compared with the
answers of gdb 13):

1. the addresses where a row of exactly this line begins that is a statement;
2. of several in one block the first;
3. in the prologue of a function, up to where a breakpoint on the function
   goes: there.

What is not plain (a line before the function that it is the entry of, code of
no function) is asked of gdb, line by line, and so is a file that it has more
tables of than it says (a header whose lines are in several compilation units).
"""

import os
import re

import gdb

from chronofork_lines import entry_of, physical_block, when_code_changes

# A name that gdb finds in its index, and no overloads, templates or operators.
PLAIN_NAME = re.compile(r"^\w+$")

# Of `maint info symtabs`.
LISTED_SYMTAB = re.compile(
    r"{ symtab (.*) \(\(struct symtab \*\) \S+\)\s+fullname .*\s+linetable \(\(struct linetable \*\) (\S+)\)"
)

# Ends of prologues by the function's first address.
body_starts = {}
when_code_changes(body_starts.clear)


def unescaped(path):
    return path.replace("\\", "\\\\").replace('"', '\\"')


def breakpoint_locations(**where):
    """Where gdb would put a breakpoint: after prologues, each inlined and instantiated copy."""
    # Or each would be sent to the target and taken back.
    gdb.execute("set breakpoint always-inserted off", to_string=True)
    point = None
    try:
        point = gdb.Breakpoint(internal=True, **where)
        if point.pending:
            return []
        if hasattr(point, "locations"):
            return [one.address for one in point.locations]
    finally:
        if point is not None:
            point.delete()
        gdb.execute("set breakpoint always-inserted on", to_string=True)
    # gdb 12.
    spec = where.get("spec") or where["function"]
    return [sal.pc for sal in gdb.decode_line(spec)[1] or ()]


def line_locations(path, line):
    try:
        return breakpoint_locations(spec='"%s":%d' % (unescaped(path), line))
    except gdb.error:
        return []


def symtabs_named(path, line):
    """A file's symbol tables, one for each compilation unit, by what gdb finds for one of its lines."""
    try:
        # gdb reads the symbols of a file when asked for one of its lines.
        _, sals = gdb.decode_line('"%s":%d' % (unescaped(path), line))
    except gdb.error:
        return []
    # Each has a Python object for every time that it is named.
    by_unit = {}
    for sal in sals or ():
        if sal.symtab is not None and sal.symtab.is_valid():
            unit = sal.symtab.static_block()
            by_unit[(sal.symtab.filename, unit.start, unit.end)] = sal.symtab
    return list(by_unit.values())


def lines_between(symtabs, first, last):
    """Their lines that have code, in order."""
    return sorted({line for symtab in symtabs for line in symtab.linetable().source_lines() if first <= line <= last})


def symtabs_of(path, line):
    """The symbol tables that gdb names for a file, and whether it has no others of it."""
    symtabs = symtabs_named(path, line)
    names = {symtab.fullname() for symtab in symtabs}
    if len(names) != 1:
        return symtabs, False
    base = os.path.basename(path)
    try:
        listed = gdb.execute("maint info symtabs %s$" % re.escape(base), to_string=True)
    except gdb.error:
        return symtabs, False
    # Files without code in a compilation unit have no table.
    count = sum(os.path.basename(name) == base and table != "0x0" for name, table in LISTED_SYMTAB.findall(listed))
    return symtabs, count == len(symtabs)


def body_start(block):
    """Where a breakpoint on a function goes; None if gdb would have to be asked by a line."""
    entry = entry_of(block)
    if entry not in body_starts:
        name = block.function.name
        found = set()
        if name is not None and PLAIN_NAME.match(name):
            try:
                found = {at for at in breakpoint_locations(function=name) if block.start <= at < block.end}
            except gdb.error:
                pass
        body_starts[entry] = found.pop() if len(found) == 1 else None
    return body_starts[entry]


def moved(pc, line):
    """Where gdb moves a breakpoint to that a line's row at `pc` gives; None where that is not plain."""
    block = physical_block(pc)
    if block is None:
        return None
    start = body_start(block)
    if start is None or (pc == entry_of(block) and line < block.function.line):
        return None
    return max(pc, start) if pc >= entry_of(block) else None


def identity(block):
    """What tells a block from others: one that lies in pieces may have another inside with the same first and last."""
    depth = 0
    outer = block
    while outer is not None:
        depth += 1
        outer = outer.superblock
    return block.start, block.end, depth


def table_locations(tables, line):
    """The addresses of a breakpoint on a line by the line tables; None where that is not plain."""
    found = []
    blocks = set()
    for table in tables:
        for row in table.line(line) or ():
            inner = gdb.block_for_pc(row.pc)
            if inner is None:
                return None
            key = identity(inner)
            if key in blocks:
                continue
            blocks.add(key)
            at = moved(row.pc, line)
            if at is None:
                return None
            if at not in found:
                found.append(at)
    return found or None


def places_of_lines(path, first, last):
    """[(line, addresses)] of the lines between `first` and `last` that a breakpoint can be put on."""
    symtabs, complete = symtabs_of(path, first)
    tables = [symtab.linetable() for symtab in symtabs]
    lines = lines_between(symtabs, first, last)
    places = []
    for line in lines:
        addresses = table_locations(tables, line) if complete and len(lines) > 1 else None
        if addresses is None:
            addresses = line_locations(path, line)
        if addresses:
            places.append((line, addresses))
    return places
