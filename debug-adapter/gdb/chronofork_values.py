"""The methods about values: scopes, children by page, evaluation, changes.

Handles belong to one stop: `stop` forgets them all, and one of an earlier stop
is refused, not taken for another value.
"""

import re

import gdb

from chronofork_gdb import method
from chronofork_nodes import (
    GENERAL_REGISTERS,
    PAGE,
    Failed,
    LocalsNode,
    RegistersNode,
    RestNode,
    address_path,
    describe,
    keep,
    node_of,
    text_of,
)
from chronofork_lines import frame_around
from chronofork_stack import location, select, tid_of


@method
def scopes(tid, level):
    frame = select(tid, level)
    found = []
    try:
        frame.block()
        found.append({"name": "Locals", "hint": "locals", "ref": keep(LocalsNode(tid, level))})
    except RuntimeError:
        pass
    registers = RegistersNode(tid, level)
    found.append(
        {"name": "Registers", "hint": "registers", "ref": keep(registers), "named": len(GENERAL_REGISTERS)}
    )
    return found


@method
def children(ref, start=0, count=0, hex=False):
    node = node_of(ref)
    found = [describe(name, value, path, "x" if hex and plain_number(value) else None)
             for name, value, path in node.page(start, count)]
    end = start + len(found)
    if not count and hasattr(node, "more_after") and node.more_after(end):
        inner, offset = (node.inner, node.offset) if isinstance(node, RestNode) else (node, 0)
        found.append({"name": "…", "value": "more", "ref": keep(RestNode(inner, offset + end))})
    return found


def plain_number(value):
    if isinstance(value, Failed):
        return False
    return value.type.strip_typedefs().code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_BOOL)


FORMAT_SUFFIX = re.compile(r"^(.*\S)\s*,\s*([xdoubtczfsa])\s*$", re.DOTALL)


@method
def evaluate(expression, tid=None, level=0, hex=False, pure=False):
    """The value of an expression; `pure` refuses calls into the debuggee and changes (hover)."""
    from chronofork_queries import refuse_change

    if pure:
        refuse_change(expression)
    if tid is not None:
        select(tid, level)
    text_format = "x" if hex else None
    match = FORMAT_SUFFIX.match(expression)
    if match and expression.count("(") == expression.count(")"):
        expression, text_format = match.groups()
        text_format = {"b": "t"}.get(text_format, text_format)
    calls = gdb.parameter("may-call-functions")
    if pure:
        gdb.execute("set may-call-functions off", to_string=True)
    # A call must come back: breakpoints inside it would leave it half done.
    silenced = [] if pure or "(" not in expression else [one for one in gdb.breakpoints() if one.enabled]
    for one in silenced:
        one.enabled = False
    try:
        value = gdb.parse_and_eval(expression)
        if value.type.code == gdb.TYPE_CODE_VOID:
            return {"name": expression, "value": "", "type": "void", "ref": 0}
        return describe(expression, value, expression, text_format)
    finally:
        for one in silenced:
            one.enabled = True
        if pure and calls:
            gdb.execute("set may-call-functions on", to_string=True)


@method
def assign(ref, name, value):
    """Gives a child a new value; answers with the child as it is then."""
    node = node_of(ref)
    child, path = find_child(node, name)
    if isinstance(node, (LocalsNode, RegistersNode)):
        select(node.tid, node.level)
    if path is None and isinstance(child, Failed):
        raise gdb.GdbError("%s cannot be read, so it cannot be changed" % name)
    if path is None and child.address is None:
        raise gdb.GdbError("%s is computed by a pretty-printer and has no place in memory" % name)
    target = path
    if target is None:
        # A convenience variable holds the address: some types have no name to cast to.
        gdb.set_convenience_variable("chronofork_target", child.address)
        target = "*$chronofork_target"
    result = gdb.parse_and_eval("(%s) = (%s)" % (target, value))
    return describe(name, result, path)


def find_child(node, name):
    start = 0
    while True:
        page = node.page(start, PAGE)
        for child_name, child, path in page:
            if child_name == name:
                return child, path
        if len(page) < PAGE:
            raise gdb.GdbError("There is no %s here" % name)
        start += len(page)


@method
def place_in_memory(expression=None, ref=None, name=None, tid=None, level=0):
    """Address and size of a variable, for watching it and for its last write."""
    if tid is not None:
        select(tid, level)
    if expression is None:
        value, path = find_child(node_of(ref), name)
        expression = path or name
    else:
        value = gdb.parse_and_eval(expression)
    if isinstance(value, Failed):
        raise gdb.GdbError("%s cannot be read: %s" % (expression, value.text))
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
    if value.address is None:
        raise gdb.GdbError("%s is not in memory (it is in a register, optimized out, or computed)" % expression)
    return {
        "expression": expression,
        "address": hex(int(value.address) & (2**64 - 1)),
        "size": value.type.sizeof,
        "path": address_path(value),
        "value": text_of(value),
        "type": str(value.type),
        "frame": frame_around(int(value.address) & (2**64 - 1)),
    }


@method
def exception_info():
    """The fatal signal or C++ exception of this stop, as far as gdb knows it."""
    found = {}
    for key, expression in (
        ("signal", "$_siginfo.si_signo"),
        ("code", "$_siginfo.si_code"),
        ("address", "$_siginfo._sifields._sigfault.si_addr"),
    ):
        try:
            number = int(gdb.parse_and_eval(expression))
            found[key] = hex(number & (2**64 - 1)) if key == "address" else number
        except gdb.error:
            pass
    return found


# Where __cxa_begin_catch's argument lies in libstdc++'s __cxa_exception, whose
# first word is the type.
UNWIND_HEADER_OFFSET = 80


@method
def thrown(kind):
    """The C++ exception being thrown or caught (the stop of a catchpoint)."""
    try:
        value = gdb.parse_and_eval("$_exception")
        return {"type": str(value.type.unqualified()), "value": text_of(value)}
    except gdb.error:
        return {"type": thrown_type(kind), "value": ""}


def thrown_type(kind):
    """Without probes in the C++ library: from the arguments of the function stopped in."""
    where = "$rsi" if kind == "throw" else "*(unsigned long *)($rdi - %d)" % UNWIND_HEADER_OFFSET
    try:
        name = gdb.parse_and_eval("*(char **)((unsigned long)(%s) + 8)" % where).string()
    except (gdb.error, UnicodeError):
        return None
    # A star marks a type that is local to one library.
    shown = gdb.execute("demangle -l c++ -- _ZTS" + name.lstrip("*"), to_string=True).strip()
    return shown.replace("typeinfo name for ", "", 1)


# What one stack frame shows of its variables when moments are compared.
MOST_LOCALS = 200


@method
def state_here(levels):
    """The stack of this moment with the local variables of each frame, the innermost first."""
    thread = gdb.selected_thread()
    if thread is None:
        return {"threadId": 0, "frames": []}
    tid = tid_of(thread)
    frames = []
    frame = gdb.newest_frame()
    while frame is not None and len(frames) < levels:
        entry = location(frame)
        entry.pop("file", None)
        entry["pc"] = hex(frame.pc())
        page = LocalsNode(tid, len(frames)).page(0, MOST_LOCALS)
        entry["locals"] = [
            {"name": name, "type": "" if isinstance(value, Failed) else str(value.type), "value": text_of(value)}
            for name, value, _ in page
        ]
        frames.append(entry)
        frame = frame.older()
    return {"threadId": tid, "frames": frames}
