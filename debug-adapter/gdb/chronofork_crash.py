"""What may be to blame for a fatal signal: variables that hold the bad address.

A pointer is suspected when what could not be accessed lies in what it points
to. Looked at are the expressions of the source line, the local variables of
the frame, and the members of what these point to: a pointer is often copied
into a local variable before it is used, and the one it was copied from is the
one that somebody has destroyed.

Only a hint: each suspect is shown with its value, and who wrote it is found
out by the last write to its place. Nothing is called in the debuggee.
"""

import re

import gdb

from chronofork_gdb import method
from chronofork_nodes import text_of
from chronofork_stack import select

# A null pointer's member is at most so far from 0 in what people write.
NULL_PAGE = 4096
MOST_SUSPECTS = 3
MOST_FIELDS = 200

CHAIN = re.compile(r"[A-Za-z_]\w*(?:(?:->|\.|::)[A-Za-z_]\w*|\[\w+\])*")


def fault_address():
    try:
        if int(gdb.parse_and_eval("$_siginfo.si_signo")) not in (7, 11):
            return None
        if not 0 < int(gdb.parse_and_eval("$_siginfo.si_code")) < 128:
            return None
        return int(gdb.parse_and_eval("$_siginfo._sifields._sigfault.si_addr")) & (2**64 - 1)
    except gdb.error:
        return None


def source_line(frame):
    sal = frame.find_sal()
    if sal.symtab is None or sal.line <= 0:
        return ""
    try:
        with open(sal.symtab.fullname(), encoding="utf-8", errors="replace") as source:
            for number, text in enumerate(source, 1):
                if number == sal.line:
                    return text
    except OSError:
        pass
    return ""


def chains_in(text):
    """Expressions of a line and what they are members of: `a->b.c` gives it, `a->b` and `a`."""
    found = []
    for match in CHAIN.finditer(text):
        chain = match.group(0)
        while chain:
            if chain not in found:
                found.append(chain)
            cut = max(chain.rfind("->"), chain.rfind("."), chain.rfind("["))
            chain = chain[:cut] if cut > 0 else ""
    return found


def local_names(frame):
    try:
        block = frame.block()
    except RuntimeError:
        return []
    names = []
    while block is not None:
        names += [symbol.name for symbol in block if symbol.is_variable or symbol.is_argument]
        if block.function is not None:
            break
        block = block.superblock
    return names


def pointer_in_memory(expression):
    """The value of an expression, if it is a pointer that is kept in memory."""
    try:
        value = gdb.parse_and_eval(expression)
        if value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR or value.address is None:
            return None
        int(value)
        return value
    except (gdb.error, RuntimeError, ValueError):
        return None


def points_to(value, fault):
    address = int(value) & (2**64 - 1)
    if address == fault:
        return True
    try:
        size = value.type.strip_typedefs().target().sizeof
    except gdb.error:
        size = 1
    reach = max(size, NULL_PAGE) if address < NULL_PAGE else size
    return address <= fault < address + reach


def members_of(expression, value):
    """Pointers among the members of what a pointer points to."""
    try:
        target = value.type.strip_typedefs().target().strip_typedefs()
        if target.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            return []
        names = [field.name for field in target.fields()[:MOST_FIELDS] if field.name and not field.is_base_class]
    except (gdb.error, TypeError):
        return []
    found = [("%s->%s" % (expression, name), pointer_in_memory("%s->%s" % (expression, name))) for name in names]
    return [(name, member) for name, member in found if member is not None]


def suspects(frame, fault):
    named = [(name, pointer_in_memory(name)) for name in chains_in(source_line(frame)) + local_names(frame)]
    seen = {}
    for name, value in named:
        if value is not None:
            seen.setdefault(name, value)
    bad = {name: value for name, value in seen.items() if points_to(value, fault)}
    held = {int(value) for value in bad.values()}
    for name, value in list(seen.items()):
        for member, pointer in members_of(name, value):
            # A member that is null says something only when the line itself names it.
            if int(pointer) in held and int(pointer) != 0:
                bad.setdefault(member, pointer)
    # A member outlives the function: it is rather where the address came from than a copy of it.
    return sorted(bad.items(), key=lambda item: 0 if "->" in item[0] or "." in item[0] else 1)


@method
def crash_suspects(tid=None):
    """The address of a bad access, and variables that hold it; of other signals nothing."""
    fault = fault_address()
    if fault is None:
        return {"suspects": []}
    if tid is not None:
        select(tid)
    calls = gdb.parameter("may-call-functions")
    gdb.execute("set may-call-functions off", to_string=True)
    try:
        found = {}
        for name, value in suspects(gdb.selected_frame(), fault):
            found.setdefault(int(value.address) & (2**64 - 1), (name, value))
        rows = [
            {"expression": name, "value": text_of(value), "address": hex(address), "size": value.type.sizeof}
            for address, (name, value) in list(found.items())[:MOST_SUSPECTS]
        ]
    finally:
        if calls:
            gdb.execute("set may-call-functions on", to_string=True)
    return {"faultAddress": hex(fault), "suspects": rows}
