"""The methods about queries over the past: where the places are that are asked
about, what to note at them, and the text of what was noted.

An expression is compiled by gdb itself, to the bytecode of its agents, in the
stack frame of a real hit: there it has its type and its scope. Only a value
that says all by its own bytes is noted as such (a number, a pointer, a struct
of them). Whatever is shown by reading more memory (strings, containers) or is
no plain value is refused here, and looked at in the moment itself.

Easy to get wrong: memory that is read while a noted value is formatted would be
that of the present, so the type decides and not the value.
"""

import re

import gdb

from chronofork_breakpoints import shown
from chronofork_functions import is_called
from chronofork_gdb import method
from chronofork_lines import entry_of, inline_chain, physical, physical_block
from chronofork_nodes import text_of
from chronofork_places import breakpoint_locations, places_of_lines
from chronofork_stack import location

# Operand bytes of the agent's operations. gdb manual, appendix F.2.
OPERATIONS = {
    "add": (0x02, 0), "sub": (0x03, 0), "mul": (0x04, 0), "div_signed": (0x05, 0), "div_unsigned": (0x06, 0),
    "rem_signed": (0x07, 0), "rem_unsigned": (0x08, 0), "lsh": (0x09, 0), "rsh_signed": (0x0A, 0),
    "rsh_unsigned": (0x0B, 0), "log_not": (0x0E, 0), "bit_and": (0x0F, 0), "bit_or": (0x10, 0),
    "bit_xor": (0x11, 0), "bit_not": (0x12, 0), "equal": (0x13, 0), "less_signed": (0x14, 0),
    "less_unsigned": (0x15, 0), "ext": (0x16, 1), "ref8": (0x17, 0), "ref16": (0x18, 0), "ref32": (0x19, 0),
    "ref64": (0x1A, 0), "if_goto": (0x20, 2), "goto": (0x21, 2), "const8": (0x22, 1), "const16": (0x23, 2),
    "const32": (0x24, 4), "const64": (0x25, 8), "reg": (0x26, 2), "end": (0x27, 0), "dup": (0x28, 0),
    "pop": (0x29, 0), "zero_ext": (0x2A, 1), "swap": (0x2B, 0), "pick": (0x32, 1), "rot": (0x33, 0),
}

# A block that is noted at each hit.
LONGEST_BLOCK_BYTES = 4096

PLAIN = (
    gdb.TYPE_CODE_INT,
    gdb.TYPE_CODE_CHAR,
    gdb.TYPE_CODE_BOOL,
    gdb.TYPE_CODE_ENUM,
    gdb.TYPE_CODE_FLT,
)

# Types of noted values, by handle.
types = []
handles = {}


def keep_type(kind):
    name = "%s %d" % (kind, kind.sizeof)
    if name not in handles or types[handles[name]] != kind:
        handles[name] = len(types)
        types.append(kind)
    return handles[name]


def has_virtual(kind):
    return any(
        (field.name or "").startswith("_vptr") or (field.is_base_class and has_virtual(field.type.strip_typedefs()))
        for field in kind.fields()
    )


def is_plain(kind, printed=None):
    """Whether a value's text follows from its bytes alone; `printed`: a value of it, for its printer."""
    if printed is not None and gdb.default_visualizer(printed) is not None:
        return False
    kind = kind.strip_typedefs()
    if kind.code in PLAIN:
        return True
    if kind.code == gdb.TYPE_CODE_PTR:
        target = kind.target().strip_typedefs()
        # An object is shown as what it really is, which its memory tells.
        if target.code == gdb.TYPE_CODE_STRUCT and gdb.parameter("print object") and has_virtual(target):
            return False
        is_text = target.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR) and target.sizeof in (1, 2, 4)
        # gdb shows what a pointer to characters points to.
        return not (is_text and re.search(r"char", str(target)))
    if kind.code == gdb.TYPE_CODE_ARRAY:
        return is_plain(kind.target(), printed[kind.range()[0]] if printed is not None else None)
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        if any(field.is_base_class or not hasattr(field, "bitpos") for field in kind.fields()):
            return False
        return all(is_plain(field.type, printed[field] if printed is not None else None) for field in kind.fields())
    return False


def assemble(listing):
    """The bytes of `maint agent-eval`'s listing, as hexadecimal text."""
    code = bytearray()
    for line in listing.splitlines():
        match = re.match(r"\s*(\d+)\s+(\w+)(?:\s+(-?\d+))?\s*$", line)
        if not match:
            continue
        operation, operands = OPERATIONS[match.group(2)]
        if int(match.group(1)) != len(code):
            raise gdb.GdbError("gdb's listing of an expression is not understood")
        code.append(operation)
        if operands:
            code += (int(match.group(3)) & (256**operands - 1)).to_bytes(operands, "big")
    if not code:
        raise gdb.GdbError("gdb has compiled it to nothing")
    return code.hex()


def agent_code(expression):
    """Compiled for the pc of the selected thread's innermost frame."""
    try:
        return assemble(gdb.execute("maint agent-eval " + expression, to_string=True))
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from error
    except KeyError as error:
        raise gdb.GdbError("gdb compiles it to %s, which is not known here" % error) from error


ASSIGNS = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--")


def without_strings(text):
    return re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', '""', text)


def refuse_change(expression):
    if ASSIGNS.search(without_strings(expression)):
        raise gdb.GdbError("%s would change the program; a query only looks" % expression)


def compile_item(expression):
    """How to note a value at each hit; None if it has to be looked at there."""
    calls = gdb.parameter("may-call-functions")
    gdb.execute("set may-call-functions off", to_string=True)
    try:
        value = gdb.parse_and_eval(expression)
        if not is_plain(value.type, value) or value.is_optimized_out or value.type.sizeof > LONGEST_BLOCK_BYTES:
            return None
        item = {"handle": keep_type(value.type), "sample": text_of(value), "blockBytes": 0}
        try:
            item["code"] = agent_code("&(%s)" % expression)
            item["blockBytes"] = value.type.sizeof
        except (gdb.error, gdb.GdbError):
            if value.type.strip_typedefs().code not in PLAIN + (gdb.TYPE_CODE_PTR,):
                return None
            if value.type.strip_typedefs().code == gdb.TYPE_CODE_FLT or value.type.sizeof > 8:
                return None
            item["code"] = agent_code(expression)
        return item
    except (gdb.error, gdb.GdbError, gdb.MemoryError, RuntimeError):
        return None
    finally:
        if calls:
            gdb.execute("set may-call-functions on", to_string=True)


def select_called():
    """Selects the frame of the function that really was called; whether others are inside it.

    gdb hides what is inlined at the beginning of a function where a breakpoint
    stops, but not where we have gone to; and it compiles for the innermost.
    """
    frame, depth = physical(gdb.newest_frame())
    frame.select()
    return depth > 0


@method
def compile_items(expressions, called=False):
    """At a hit: for each expression how to note it, or null. `called`: they are of the function that was called."""
    for expression in expressions:
        refuse_change(expression)
    if called and select_called():
        return [None for _ in expressions]
    return [compile_item(expression) for expression in expressions]


@method
def compile_condition(expression):
    refuse_change(expression)
    return {"code": agent_code(expression)}


@method
def format_noted(handle, values):
    """The texts of noted values: [hexadecimal bytes or null …]."""
    kind = types[handle]
    texts = {}

    def text(noted):
        if noted is None:
            return None
        if noted not in texts:
            raw = bytes.fromhex(noted)[: kind.sizeof]
            texts[noted] = text_of(gdb.Value(raw, kind)) if len(raw) == kind.sizeof else None
        return texts[noted]

    return [text(noted) for noted in values]


@method
def line_places(path, first, last):
    """The lines that have code, each with the addresses of a breakpoint on it."""
    return [
        {"line": line, "addresses": [hex(one) for one in addresses]}
        for line, addresses in places_of_lines(path, first, last)
    ]


@method
def function_place(name, path=None):
    """A function's entry, where its arguments can be read, and what it takes and returns.

    `path`: its source, where several files have one of that name.
    """
    try:
        bodies = breakpoint_locations(function=name, **({"source": path} if path else {}))
    except gdb.error as error:
        raise gdb.GdbError("There is no function %s: %s" % (name, error)) from error
    functions = {}
    inlined = 0
    for body in sorted(bodies):
        block = physical_block(body)
        # Another function may be inlined right at its beginning; and further on it may be inlined into itself.
        is_own = block is not None and (not inline_chain(body) or is_called(block.function, name))
        if not is_own or entry_of(block) in functions:
            inlined += 1
            continue
        functions[entry_of(block)] = (body, block)
    if len(functions) > 1:
        names = sorted({block.function.print_name for _, block in functions.values()})
        raise gdb.GdbError("%s names several functions: %s. Give one of them" % (name, ", ".join(names)))
    if not functions:
        raise gdb.GdbError(
            "%s is inlined wherever it is used: it is never called" % name if inlined else "There is no function %s" % name
        )
    entry, (body, block) = next(iter(functions.items()))
    symbol = block.function
    found = {
        "name": symbol.print_name,
        "entry": hex(entry),
        "body": hex(body),
        "arguments": [one.name for one in block if one.is_argument],
        "inlined": inlined,
    }
    is_c = symbol.symtab is not None and symbol.symtab.filename.endswith(".c")
    found.update(returning(symbol.type.target(), is_c))
    return found


def returning(kind, is_c):
    """Where a function's return value is: System V ABI for x86-64, section 3.2.3.

    A small class of C++ may come back in memory all the same, which nothing here tells.
    """
    plain = kind.strip_typedefs()
    found = {"returnType": str(kind)}
    if plain.code == gdb.TYPE_CODE_VOID:
        return found
    if plain.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        plain = kind = plain.target().pointer()
    handle_of = kind
    if plain.code == gdb.TYPE_CODE_PTR and not is_plain(plain):
        handle_of = gdb.lookup_type("void").pointer()  # what it points to is not of that moment
    if plain.code == gdb.TYPE_CODE_FLT and plain.sizeof <= 8:
        found["returnIn"] = "xmm0"
    elif plain.code in PLAIN + (gdb.TYPE_CODE_PTR,) and plain.code != gdb.TYPE_CODE_FLT and plain.sizeof <= 8:
        found["returnIn"] = "rax"
    elif plain.code == gdb.TYPE_CODE_STRUCT and 16 < plain.sizeof <= LONGEST_BLOCK_BYTES and is_plain(plain):
        found["returnIn"] = "memory"
    elif plain.code == gdb.TYPE_CODE_STRUCT and plain.sizeof <= 16 and is_c and is_plain(plain) and all_integers(plain):
        found["returnIn"] = "rax:rdx"
    if "returnIn" in found:
        found["returnHandle"] = keep_type(handle_of)
        found["returnBytes"] = plain.sizeof
    return found


def all_integers(kind):
    kind = kind.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_ARRAY:
        return all_integers(kind.target())
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return all(all_integers(field.type) for field in kind.fields())
    return kind.code in (gdb.TYPE_CODE_PTR,) + PLAIN and kind.code != gdb.TYPE_CODE_FLT


@method
def memory_type(path):
    """How to show the bytes of a place in memory; null: as bytes."""
    try:
        value = gdb.parse_and_eval(path)
        kind = value.type
        if kind.strip_typedefs().code == gdb.TYPE_CODE_PTR and not is_plain(kind):
            return {"handle": keep_type(gdb.lookup_type("void").pointer())}
        return {"handle": keep_type(kind)} if is_plain(kind, value) else None
    except (gdb.error, RuntimeError):
        return None


@method
def values_here(expressions, log=False, called=False):
    """The texts of expressions in the innermost frame (`called`: of no inlined function), as of this moment."""
    from chronofork_values import evaluate

    if called:
        select_called()
    texts = []
    for expression in expressions:
        refuse_change(expression)
        try:
            if log:
                texts.append(shown(gdb.parse_and_eval(expression)))
            else:
                texts.append(evaluate(expression)["value"])
        except (gdb.error, gdb.MemoryError) as error:
            texts.append("<%s>" % error if not log else "{%s: %s}" % (expression, error))
    return texts


@method
def stack_here(levels):
    """The stack of this moment, the innermost frame first."""
    found = []
    frame = gdb.newest_frame()
    while frame is not None and len(found) < levels:
        entry = location(frame)
        entry["pc"] = hex(frame.pc())
        entry.pop("file", None)
        found.append(entry)
        try:
            frame = frame.older()
        except gdb.error:
            break
    return found


def place_before(pc):
    """Where the instruction that ends at pc is; nothing if it was not executed before it for certain."""
    block = gdb.block_for_pc(pc)
    while block is not None and block.function is None:
        block = block.superblock
    # At a function's beginning: reached by a call, which may have written.
    if block is None or physical_block(pc) is None or entry_of(physical_block(pc)) == pc:
        return {}
    return place_at(pc - 1)


def place_at(pc):
    from chronofork_stack import place_of

    return place_of(pc)


@method
def writer_places(writes):
    """Where each write was made. `pc`: behind the instruction; of a system call, at it."""
    return [place_at(int(one["pc"], 16)) if one["kernel"] else place_before(int(one["pc"], 16)) for one in writes]


@method
def callers(addresses):
    """Where the calls are that return to these addresses."""
    return [place_at(int(one, 16) - 1) if int(one, 16) else {} for one in addresses]


# -- What some memory is ---------------------------------------------------------


def frame_variables(most=200):
    """(start, end, name, value) of the variables of all stack frames of this moment."""
    found = []
    frame = gdb.newest_frame()
    level = 0
    while frame is not None and level < most:
        try:
            block = frame.block()
        except RuntimeError:
            block = None
        while block is not None:
            for symbol in block:
                if not (symbol.is_variable or symbol.is_argument):
                    continue
                try:
                    value = symbol.value(frame)
                    if value.address is None or value.is_optimized_out:
                        continue
                    start = int(value.address) & (2**64 - 1)
                except (gdb.error, TypeError, RuntimeError):
                    continue
                if symbol.addr_class == gdb.SYMBOL_LOC_STATIC:
                    continue
                found.append((start, start + value.type.sizeof, "%s in %s()" % (symbol.name, frame.name()), value))
            if block.function is not None:
                break
            block = block.superblock
        try:
            frame = frame.older()
        except gdb.error:
            break
        level += 1
    return found


def mappings():
    found = []
    for line in gdb.execute("info proc mappings", to_string=True).splitlines():
        match = re.match(r"\s*(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+(.*)$", line)
        if match:
            name = re.sub(r"^\s*([-rwxps]{4})\s*", "", match.group(3)).strip()
            found.append((int(match.group(1), 16), int(match.group(2), 16), name))
    return found


def heap_blocks(start, end):
    """(start, end) of what malloc has given out or holds free in glibc's main heap: each size lies before its block."""
    blocks = []
    inferior = gdb.selected_inferior()
    at = start
    while at + 16 <= end:
        try:
            size = int.from_bytes(inferior.read_memory(at + 8, 8).tobytes(), "little") & ~7
        except gdb.MemoryError:
            return []
        if size < 32 or size % 16 or at + size > end:
            return []  # not laid out as is believed here: then nothing is said of blocks
        blocks.append((at + 16, at + size + 8))
        at += size
    return blocks


def global_at(address):
    """The variable that an address is in: its name, the offset in it, and its value if its type is known."""
    text = gdb.execute("info symbol %#x" % address, to_string=True)
    match = re.match(r"(.+?)(?: \+ (\d+))? in section", text)
    if not match:
        return None, 0, None
    name, offset = match.group(1), int(match.group(2) or 0)
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is not None and symbol.is_variable:
        value = symbol.value()
        if value.address is not None and int(value.address) == address - offset and offset < value.type.sizeof:
            return name, offset, value
    return name, offset, None


def looked_at_by(value):
    """An expression for a value by its address, where its text follows from its bytes."""
    from chronofork_nodes import address_path

    return address_path(value) if is_plain(value.type, value) else None


# Where no variable is known to end, it is looked again for one at the next of these.
WORD_BYTES = 8


class Memory:
    """What is where, as of this moment."""

    def __init__(self):
        self.variables = sorted(frame_variables(), key=lambda row: row[0])
        self.mapped = mappings()
        self.blocks = None

    def at(self, address):
        """(kind, place, name without offset, path or None, end) of what an address is in."""
        low, high, name = next((one for one in self.mapped if one[0] <= address < one[1]), (0, 2**64, ""))
        local = next((row for row in self.variables if row[0] <= address < row[1]), None)
        if local is not None:
            return "stack", local[2], local[2], looked_at_by(local[3]), local[1]
        if name == "[heap]":
            if self.blocks is None:
                self.blocks = heap_blocks(low, high)
            own = next((row for row in self.blocks if row[0] <= address < row[1]), None)
            if own is None:
                return "heap", "heap", "heap", None, high
            block = "heap block %#x" % own[0]
            return "heap", "%s + %d" % (block, address - own[0]), block, None, own[1]
        if name.startswith("[stack"):
            end = min((row[0] for row in self.variables if row[0] > address), default=high)
            return "stack", "stack", "stack", None, min(end, high)
        variable, offset, value = global_at(address)
        word_end = (address | (WORD_BYTES - 1)) + 1
        if value is not None:
            return "global", variable, variable, looked_at_by(value), address - offset + value.type.sizeof
        if variable is not None:
            return "global", "%s + %d" % (variable, offset) if offset else variable, variable, None, word_end
        return "other", name or "%#x" % address, name, None, word_end


@method
def memory_places(ranges):
    """What is at some addresses, as of this moment: each range in pieces, one for each variable that it touches."""
    memory = Memory()
    found = []
    for index, one in enumerate(ranges):
        address = start = int(one["address"], 16)
        end = start + one["size"]
        former = None
        while address < end:
            kind, place, name, path, until = memory.at(address)
            size = min(until, end) - address
            if former == (kind, name):
                found[-1]["size"] += size
            else:
                found.append({"range": index, "offset": address - start, "size": size, "kind": kind, "place": place})
                if path is not None:
                    found[-1]["path"] = path
            former = (kind, name)
            address += size
    return found


@method
def memory_values(paths):
    """The texts of places that are given by address; null where none is given or it cannot be read."""
    texts = []
    for path in paths:
        try:
            texts.append(text_of(gdb.parse_and_eval(path)) if path else None)
        except gdb.error:
            texts.append(None)
    return texts
