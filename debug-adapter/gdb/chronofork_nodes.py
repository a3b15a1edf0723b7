"""What can be opened in a variables view, and what it shows: scopes and values.

A node stands for something with children; it is kept under a handle, which the
adapter gives to its client as variablesReference (chronofork_values.py has the
methods).

Children are made only when asked for, `count` from `start`: a vector of a
million elements costs one page. How many there are is taken from the type, or
from what a printer says ("std::vector of length 3"); when it is unknown, a
page ends with a handle for the rest.

Easy to get wrong: reading a value may fail anywhere (memory that is gone, a
printer on an uninitialised object): the failure is the value's text.
"""

import itertools
import re

import gdb

from chronofork_stack import select

# What one value's own text may show of its insides.
TEXT_ELEMENTS = 32
TEXT_DEPTH = 2
TEXT_LENGTH = 1000
# A page when nobody says how much: VS Code pages by itself what has a count.
PAGE = 100

GENERAL_REGISTERS = (
    "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags fs_base gs_base".split()
)

nodes = {}
next_handle = 1


def forget():
    """Handles are not used again: one of an earlier stop is answered with an error."""
    nodes.clear()


def keep(node):
    global next_handle
    handle = next_handle
    next_handle += 1
    nodes[handle] = node
    return handle


def node_of(handle):
    if handle not in nodes:
        raise gdb.GdbError("This value belongs to an earlier stop")
    return nodes[handle]


# -- What can be opened --------------------------------------------------------


class LocalsNode:
    """Arguments and local variables around the pc, innermost block first."""

    def __init__(self, tid, level):
        self.tid = tid
        self.level = level

    def members(self):
        frame = select(self.tid, self.level)
        seen = set()
        try:
            block = frame.block()
        except RuntimeError:
            return
        while block is not None:
            for symbol in block:
                if not (symbol.is_variable or symbol.is_argument) or symbol.name in seen:
                    continue
                seen.add(symbol.name)
                yield symbol.name, read_symbol(symbol, frame), symbol.name
            if block.function is not None:
                break
            block = block.superblock

    def page(self, start, count):
        stop = start + count if count else None
        return list(itertools.islice(self.members(), start, stop))


class RegistersNode:
    def __init__(self, tid, level):
        self.tid = tid
        self.level = level

    def page(self, start, count):
        frame = select(self.tid, self.level)
        names = GENERAL_REGISTERS[start : start + count if count else None]
        return [(name, frame.read_register(name), "$" + name) for name in names]


class FieldsNode:
    """Members of a struct, class or union: base classes first, as declared."""

    def __init__(self, value, path):
        self.value = value
        self.path = path

    def page(self, start, count):
        fields = self.value.type.strip_typedefs().fields()
        found = []
        for number, field in enumerate(fields[start : start + count if count else None]):
            found.append(self.member(field, start + number))
        return found

    def member(self, field, number):
        try:
            value = self.value[field]
        except (gdb.error, RuntimeError) as error:
            return field.name or "<%d>" % number, Failed(error), None
        if field.is_base_class:
            return field.name, value, address_path(value)
        if not field.name:
            return "<anonymous %d>" % number, value, address_path(value)
        return field.name, value, self.path and "(%s).%s" % (self.path, field.name)


class ElementsNode:
    """Elements of an array."""

    def __init__(self, value, path, low, length):
        self.value = value
        self.path = path
        self.low = low
        self.length = length

    def page(self, start, count):
        stop = min(self.length, start + (count or PAGE))
        found = []
        for index in range(self.low + start, self.low + stop):
            path = self.path and "(%s)[%d]" % (self.path, index)
            try:
                found.append(("[%d]" % index, self.value[index], path))
            except gdb.error as error:
                found.append(("[%d]" % index, Failed(error), path))
        return found


class PointeeNode:
    """What a pointer to something plain points to."""

    def __init__(self, value, path):
        self.value = value
        self.path = path

    def page(self, _start, _count):
        path = self.path and "*(%s)" % self.path
        try:
            return [("*", self.value.dereference(), path)]
        except gdb.error as error:
            return [("*", Failed(error), path)]


class PrinterNode:
    """Children that a pretty-printer names. A map's keys and values become one child."""

    def __init__(self, printer):
        self.printer = printer
        self.is_map = hint_of(printer) == "map"
        self.iterator = None
        self.fetched = []

    def fetch(self, needed):
        if self.iterator is None:
            self.iterator = iter(self.printer.children())
        while len(self.fetched) < needed:
            try:
                name, value = next(self.iterator)
                if self.is_map:
                    _, contents = next(self.iterator)
                    name, value = "[%s]" % text_of(as_value(value)), contents
            except StopIteration:
                break
            except (gdb.error, RuntimeError) as error:
                self.fetched.append(("<error>", Failed(error), None))
                self.iterator = iter(())
                break
            value = as_value(value)
            self.fetched.append((str(name), value, address_path(value)))

    def page(self, start, count):
        count = count or PAGE
        self.fetch(start + count + 1)
        found = self.fetched[start : start + count]
        return found

    def more_after(self, end):
        return len(self.fetched) > end


class RestNode:
    """The pages after the first, of a container that does not say its size."""

    def __init__(self, inner, offset):
        self.inner = inner
        self.offset = offset

    def page(self, start, count):
        return self.inner.page(self.offset + start, count)

    def more_after(self, end):
        return self.inner.more_after(self.offset + end)


class Failed:
    """Stands for a value that cannot be read."""

    def __init__(self, error):
        self.text = "<%s>" % str(error).rstrip(".")


# -- Values --------------------------------------------------------------------


def read_symbol(symbol, frame):
    try:
        return symbol.value(frame)
    except (gdb.error, RuntimeError, TypeError) as error:
        return Failed(error)


def as_value(thing):
    return thing if isinstance(thing, (gdb.Value, Failed)) else gdb.Value(thing)


def address_path(value):
    """An expression for a value that has an address but no name of its own."""
    if isinstance(value, Failed) or value.address is None:
        return None
    name = str(value.type.unqualified())
    if "{" in name or "(" in name:
        return None
    return "*(%s *)%#x" % (name, int(value.address))


def hint_of(printer):
    return printer.display_hint() if hasattr(printer, "display_hint") else None


def text_of(value, **options):
    if isinstance(value, Failed):
        return value.text
    shown = {"max_elements": TEXT_ELEMENTS, "max_depth": TEXT_DEPTH, "repeat_threshold": 16}
    shown.update(options)
    try:
        if value.is_optimized_out:
            return "<optimized out>"
        text = value.format_string(**shown)
    except (gdb.error, RuntimeError, ValueError, UnicodeError) as error:
        return Failed(error).text
    return text if len(text) <= TEXT_LENGTH else text[:TEXT_LENGTH] + "…"


def actual(value):
    """A reference's referent; an object of the class it really has."""
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
    target = value.type.strip_typedefs()
    if target.code == gdb.TYPE_CODE_PTR and target.target().strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        dynamic = value.dynamic_type
        if dynamic != value.type:
            value = value.cast(dynamic)
    return value


def opened(value, path):
    """(node, named, indexed) for a value with children, or None. Reads no child."""
    value = actual(value)
    if value.is_optimized_out:
        return None
    printer = gdb.default_visualizer(value)
    if printer is not None:
        return opened_by_printer(printer, value)
    plain = value.type.strip_typedefs()
    if plain.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        count = len(plain.fields())
        return (FieldsNode(value, path), count, 0) if count else None
    if plain.code == gdb.TYPE_CODE_ARRAY:
        low, high = plain.range()
        length = high - low + 1
        return (ElementsNode(value, path, low, length), 0, length) if length > 0 else None
    if plain.code == gdb.TYPE_CODE_PTR:
        return opened_pointer(value, plain, path)
    return None


def opened_by_printer(printer, value):
    if not hasattr(printer, "children") or hint_of(printer) == "string":
        return None
    match = re.search(r"(?:of length|with) (\d+)\b", text_of(value, max_elements=1))
    node = PrinterNode(printer)
    if match is None:
        return node, 0, 0
    length = int(match.group(1))
    if length == 0:
        return None
    return (node, length, 0) if node.is_map or hint_of(printer) != "array" else (node, 0, length)


def opened_pointer(value, plain, path):
    target = plain.target().strip_typedefs()
    if target.code in (gdb.TYPE_CODE_VOID, gdb.TYPE_CODE_FUNC) or int(value) == 0:
        return None
    if target.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        try:
            pointee = value.dereference()
            pointee.fetch_lazy()
        except gdb.error:
            return None
        return opened(pointee, path and "*(%s)" % path)
    return PointeeNode(value, path), 1, 0


def describe(name, value, path, text_format=None):
    entry = {"name": name, "ref": 0}
    if path:
        entry["path"] = path
    if isinstance(value, Failed):
        entry["value"] = value.text
        return entry
    entry["type"] = str(value.type)
    entry["value"] = text_of(value, **({"format": text_format} if text_format else {}))
    try:
        entry.update(memory_of(value))
        found = opened(value, path)
    except (gdb.error, RuntimeError, ValueError, OverflowError):
        found = None
    if found is not None:
        node, named, indexed = found
        entry["ref"] = keep(node)
        entry["named"] = named
        entry["indexed"] = indexed
    return entry


def memory_of(value):
    """What the memory view shows for it: where a pointer points, else the value itself."""
    plain = value.type.strip_typedefs()
    if plain.code == gdb.TYPE_CODE_PTR:
        return {"memory": hex(int(value) & (2**64 - 1))}
    if plain.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY) and value.address is not None:
        return {"memory": hex(int(value.address) & (2**64 - 1))}
    return {}
