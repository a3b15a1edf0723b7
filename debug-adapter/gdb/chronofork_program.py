"""The program as a whole: entry point, modules, code lines, instructions."""

import re

import gdb

from chronofork_gdb import method
from chronofork_places import lines_between, symtabs_named
from chronofork_stack import symbol_near

# An x86-64 instruction is at most this long.
LONGEST_INSTRUCTION_BYTES = 15


@method
def entry_point():
    """Address of the program's own first instruction (not the loader's)."""
    text = gdb.execute("info auxv", to_string=True)
    match = re.search(r"AT_ENTRY\s.*\s(0x[0-9a-f]+)", text)
    return {"address": match.group(1) if match else None, "main": has_symbol("main")}


def has_symbol(name):
    try:
        gdb.parse_and_eval("&" + name)
        return True
    except gdb.error:
        return False


@method
def main_has_lines():
    """Whether `main` was built with debug information: the cheap question, asked first."""
    return {"known": gdb.lookup_global_symbol("main") is not None}


@method
def modules():
    """The files mapped as code, with their range of addresses where gdb knows it."""
    ranges = {}
    for line in gdb.execute("info sharedlibrary", to_string=True).splitlines():
        match = re.match(r"(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+(Yes|No)\s*(\(\*\))?\s+(.+)$", line)
        if match:
            ranges[match.group(5)] = {"start": match.group(1), "end": match.group(2), "symbols": not match.group(4)}
    listed = []
    for objfile in gdb.objfiles():
        name = objfile.filename
        if name is None or getattr(objfile, "owner", None) is not None:
            continue
        entry = {"path": name}
        entry.update(ranges.get(name, {}))
        listed.append(entry)
    return listed


@method
def code_lines(path, first, last):
    """Lines of `path` between `first` and `last` that a breakpoint can be put on."""
    return lines_between(symtabs_named(path, first), first, last)


@method
def disassemble(address, skip, count):
    """`count` instructions from the `skip`-th after `address` (before it, when negative).

    There may be fewer: `before` says how many of those asked for before
    `address` could not be found.
    """
    address = int(address, 16)
    arch = gdb.selected_inferior().architecture() if hasattr(gdb.Inferior, "architecture") else None
    arch = arch or gdb.newest_frame().architecture()
    before = max(0, -skip)
    decoded = earlier_instructions(arch, address, before) if before else []
    missing = before - len(decoded)
    wanted = count - missing + max(0, skip)
    if wanted > len(decoded):
        decoded += forward(arch, address, wanted - len(decoded))
    if skip > 0:
        decoded = decoded[skip:]
    return {"missing": min(missing, count), "instructions": [annotate(one) for one in decoded[: max(0, count - missing)]]}


def forward(arch, address, count):
    found = []
    while len(found) < count:
        try:
            one = arch.disassemble(address)[0]
        except gdb.error:
            break
        found.append(one)
        address += one["length"]
    return found


def earlier_instructions(arch, address, count):
    """Instructions that end exactly at `address`: from the function's start if one is known."""
    found = []
    while len(found) < count and address > 0:
        low = start_of_code(address - 1)
        chunk = []
        if low is not None and low < address:
            try:
                chunk = [one for one in arch.disassemble(low, address - 1)]
            except gdb.error:
                chunk = []
            if chunk and chunk[-1]["addr"] + chunk[-1]["length"] != address:
                chunk = []
        if not chunk:
            chunk = guess_earlier(arch, address, count - len(found))
        if not chunk:
            break
        found = chunk + found
        address = chunk[0]["addr"]
    return found[-count:]


def start_of_code(address):
    """Start of the function around `address`, from debug information or symbols."""
    block = gdb.block_for_pc(address)
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None:
        return block.start
    match = re.match(r"\S+ \+ (\d+) in section", gdb.execute("info symbol %#x" % address, to_string=True))
    if match:
        return address - int(match.group(1))
    return None


def guess_earlier(arch, address, count):
    """Without a symbol: the farthest start from which decoding meets `address`."""
    for distance in range(min(address, count * LONGEST_INSTRUCTION_BYTES), 0, -1):
        try:
            chunk = arch.disassemble(address - distance, address - 1)
        except gdb.error:
            continue
        if chunk and chunk[-1]["addr"] + chunk[-1]["length"] == address and len(chunk) >= count:
            return chunk[-count:]
    return []


def annotate(one):
    entry = {"address": hex(one["addr"]), "text": one["asm"]}
    try:
        entry["bytes"] = gdb.selected_inferior().read_memory(one["addr"], one["length"]).tobytes().hex()
    except gdb.MemoryError:
        pass
    sal = gdb.find_pc_line(one["addr"])
    if sal.symtab is not None and sal.line > 0:
        entry["path"] = sal.symtab.fullname()
        entry["line"] = sal.line
    entry["symbol"] = symbol_near(one["addr"])
    return entry
