"""Where a function's statements start: what stepping back searches for.

gdb steps forwards from one *statement start* to the next: an address where a
row of the line table begins that is marked as a statement. A search backwards
must know the same addresses, so they are taken from gdb's own view:

1. walk the function by gdb.find_pc_line, which merges the line tables of all
   files (a header's inlined code has a table of its own);
2. keep the rows that begin a statement: LineTable.line() leaves out the others.

Only the physical function counts: code inlined into it is part of it, at a
depth of its own. `chain` names the inlined functions around an address, from
the outside in, so that stepping over them can leave them out.

Easy to get wrong: a function may have a cold part elsewhere, and then its
block spans other functions' code.
"""

import bisect
import re

import gdb

from chronofork_gdb import method
from chronofork_stack import select, tid_of

# A row of a line table that spans more than this belongs to no sane function.
LONGEST_FUNCTION_BYTES = 4 << 20

# A function that calls nothing may use so much below its stack pointer.
RED_ZONE = 128

# Of a function whose caller is not known: the arguments and the environment lie above it.
OUTERMOST_FRAME_BYTES = 1 << 20


def physical_block(pc):
    """The block of the function that really was called (not one inlined into it)."""
    found = None
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            found = block
        block = block.superblock
    return found


def called_from(frame):
    """A pc inside what the frame executes: after a call its own may be past the end of the function.

    Where the stack is not one of calls (at ld.so's first instruction it begins
    with argc and argv) gdb makes frames of what lies there, the last with pc 0.
    """
    pc = frame.pc()
    return pc if frame.level() == 0 or pc == 0 else pc - 1


def inline_chain(pc):
    """Blocks of the functions inlined around pc, from the outside in."""
    chain = []
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            chain.append(block)
        block = block.superblock
    return chain[-2::-1]


def entered_at(pc, chain):
    """Those of `chain` that begin at pc: what lies right before belongs to another block.

    gdb takes an address for a call of an inlined function in the same way, and
    a function inlined in several pieces is entered at each of them.
    """
    before = chain_names(inline_chain(pc - 1))
    return [block for block, name in zip(chain, chain_names(chain)) if name not in before]


def chain_names(chain):
    return ["%x-%x" % (block.start, block.end) for block in chain]


def entry_of(block):
    """The address that a call of the function goes to."""
    try:
        return int(block.function.value().address)
    except (gdb.error, TypeError):
        return block.start


class Rows:
    """The rows of one function's line table, in order of address."""

    def __init__(self, block):
        self.block = block
        self.rows = []
        self.ranges = []
        self.statements = {}
        self.complete = False
        starts = [entry_of(block)]
        if block.start not in starts:
            starts.append(block.start)
        for start in starts:
            self.walk(start)

    def walk(self, start):
        pc = start
        end = min(self.block.end, start + LONGEST_FUNCTION_BYTES)
        while pc < end and not self.covered(pc):
            own = physical_block(pc)
            if own is None or (own.start, own.end) != (self.block.start, self.block.end):
                break
            sal = gdb.find_pc_line(pc)
            if sal.symtab is None or sal.last is None or sal.last < pc:
                break
            self.rows.append(self.row(pc, sal))
            pc = sal.last + 1
        if pc > start:
            self.ranges.append((start, pc))

    def covered(self, pc):
        return any(low <= pc < high for low, high in self.ranges)

    def row(self, pc, sal):
        chain = inline_chain(pc)
        entered = entered_at(pc, chain)
        entry = {
            "address": hex(pc),
            "file": sal.symtab.filename,
            "line": sal.line,
            "statement": sal.pc == pc and self.is_statement(sal.symtab, sal.line, pc),
        }
        if chain:
            entry["chain"] = chain_names(chain)
        if entered:
            # The line of an inlined function's symbol is that of the call.
            entry["calls"] = [
                {"file": block.function.symtab.filename, "line": block.function.line} for block in entered
            ]
        return entry

    def add_entrances(self, instructions):
        """Adds rows where an inlined function begins inside a row."""
        if self.complete:
            return
        self.complete = True
        if not any("chain" in row for row in self.rows):
            return
        known = {row["address"] for row in self.rows}
        for one in instructions:
            pc = one["addr"]
            if hex(pc) not in known and entered_at(pc, inline_chain(pc)):
                self.rows.append(self.row(pc, gdb.find_pc_line(pc)))

    def is_statement(self, symtab, line, pc):
        key = (symtab.filename, line)
        if key not in self.statements:
            entries = symtab.linetable().line(line) if line > 0 else None
            self.statements[key] = {entry.pc for entry in entries or ()}
        return pc in self.statements[key]


class Code:
    """What the instructions of a function say: its calls and jumps, and how deep its stack frame gets."""

    JUMP = re.compile(r"^(?:bnd |notrack )?(j\w+)\s+(?:0x([0-9a-f]+))?")
    CALL = re.compile(r"^(?:bnd |notrack )?call\w*\s+(?:0x([0-9a-f]+))?")
    ADJUST = re.compile(r"^(add|sub)\w?\s+\$(-?0x[0-9a-f]+|-?\d+),%rsp$")
    LEA = re.compile(r"^lea\w?\s+(-?0x[0-9a-f]+)?\((%rsp|%rbp)\),%rsp$")
    WRITES_RSP = re.compile(r",%[re]?spl?$")

    def __init__(self, ranges):
        arch = gdb.selected_inferior().architecture() if hasattr(gdb.Inferior, "architecture") else None
        arch = arch or gdb.newest_frame().architecture()
        self.instructions = []
        for low, high in ranges:
            self.instructions += arch.disassemble(low, high - 1)
        self.calls = []
        for one in self.instructions:
            match = self.CALL.match(one["asm"])
            if match:
                self.calls.append((one["addr"] + one["length"], match.group(1) and int(match.group(1), 16)))

    def passing(self, rows):
        """Where jumps land inside a row of the line table, coming from outside of it.

        There gdb takes up that row's line without stopping, and `next` does not
        stop at a statement of the same line afterwards. (A row that is no
        statement and is entered at its start changes nothing.)
        """
        rows = sorted(rows, key=lambda row: int(row["address"], 16))
        starts = [int(row["address"], 16) for row in rows]
        inside = {one["addr"] for one in self.instructions}
        found = {}
        for one in self.instructions:
            jump = self.JUMP.match(one["asm"])
            target = int(jump.group(2), 16) if jump and jump.group(2) else None
            if target not in inside:
                continue
            index = bisect.bisect_right(starts, target) - 1
            from_outside = index != bisect.bisect_right(starts, one["addr"]) - 1
            if index >= 0 and starts[index] != target and from_outside:
                row = rows[index]
                found[target] = {"address": hex(target), "file": row["file"], "line": row["line"]}
                if "chain" in row:
                    found[target]["chain"] = row["chain"]
        return [found[target] for target in sorted(found)]

    def depth(self, entry):
        """The greatest CFA - rsp at any instruction; None when it varies (alloca, realignment)."""
        if gdb.parameter("disassembly-flavor") != "att":
            return None
        index = {one["addr"]: number for number, one in enumerate(self.instructions)}
        depths = {}
        waiting = [(entry, 8)]
        while waiting:
            address, depth = waiting.pop()
            while address in index and address not in depths:
                depths[address] = depth
                one = self.instructions[index[address]]
                after = self.depth_after(one["asm"], depth)
                if after is None:
                    return None
                jump = self.JUMP.match(one["asm"])
                if jump and jump.group(2):
                    waiting.append((int(jump.group(2), 16), after))
                if jump and jump.group(1).startswith("jmp"):
                    if not jump.group(2):
                        # A switch: its cases begin at the same depth.
                        waiting += [(other, after) for other in index if other not in depths]
                    break
                if re.match(r"(bnd |repz )?ret|hlt|ud2", one["asm"]):
                    break
                depth = after
                address += one["length"]
        return max(depths.values(), default=None)

    def depth_after(self, text, depth):
        if text.startswith("push"):
            return depth + 8
        if text.startswith("pop"):
            return depth - 8
        if text.startswith("leave"):
            return 8
        match = self.ADJUST.match(text)
        if match:
            return depth + int(match.group(2), 16 if "0x" in match.group(2) else 10) * (1 if match.group(1) == "sub" else -1)
        match = self.LEA.match(text)
        if match:
            offset = int(match.group(1), 16) if match.group(1) else 0
            return (depth if match.group(2) == "%rsp" else 16) - offset
        if self.WRITES_RSP.search(text) and not re.match(r"(cmp|test|bt)", text):
            return None
        return depth


rows_by_function = {}


def when_code_changes(forget):
    """Calls `forget` when another library, or another program, may lie where something was known."""
    gdb.events.new_objfile.connect(lambda _: forget())
    gdb.events.clear_objfiles.connect(lambda _: forget())


when_code_changes(rows_by_function.clear)


def rows_of(block):
    key = (block.start, block.end)
    if key not in rows_by_function:
        rows_by_function[key] = Rows(block)
    return rows_by_function[key]


def has_lines(address):
    return physical_block(address) is not None and gdb.find_pc_line(address).symtab is not None


def sets_up_frame(entry):
    """Whether gdb skips a prologue here: `push %rbp; mov %rsp,%rbp`, after endbr64 if any."""
    try:
        code = gdb.selected_inferior().read_memory(entry, 8).tobytes()
    except gdb.MemoryError:
        return True
    if code.startswith(b"\xf3\x0f\x1e\xfa"):
        code = code[4:]
    return code[:1] == b"\x55" and code[1:4] in (b"\x48\x89\xe5", b"\x48\x8b\xec")


def physical(frame):
    """The frame itself, or the one whose code the inlined `frame` is part of; and the depth of inlining."""
    depth = 0
    while frame is not None and frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
        depth += 1
    return frame, depth


def caller_of(frame):
    older = frame.older()
    while older is not None and older.type() == gdb.TAILCALL_FRAME:
        older = older.older()
    return older


def step_frame(frame, known):
    """What a search needs of one physical stack frame. `frame` may be inlined into it."""
    outer, depth = physical(frame)
    pc = frame.pc()
    caller = caller_of(outer)
    found = {
        "pc": hex(pc),
        "rsp": hex(int(outer.read_register("rsp")) & (2**64 - 1)),
        "cfa": None,
        "depth": depth,
    }
    if caller is not None:
        found["cfa"] = hex(int(caller.read_register("rsp")) & (2**64 - 1))
    # After a call the pc may be past the end of the function's last block.
    block = physical_block(called_from(frame))
    if block is None:
        return found, caller
    sal = frame.find_sal()
    found["line"] = sal.line
    found["file"] = sal.symtab.filename if sal.symtab is not None else ""
    entry = entry_of(block)
    found["function"] = hex(entry)
    found["name"] = block.function.name
    found["chain"] = chain_names(inline_chain(pc))[:depth]
    if found["function"] not in known:
        rows = rows_of(block)
        if rows.rows:
            code = Code(rows.ranges)
            rows.add_entrances(code.instructions)
            found["code"] = {
                "entry": hex(entry),
                "second": hex(entry + code.instructions[0]["length"]),
                "depth": code.depth(entry),
                "returnSites": [hex(site) for site, target in code.calls if target is None or has_lines(target)],
                "setsUpFrame": sets_up_frame(entry),
                "passing": code.passing(rows.rows),
                "ranges": [[hex(low), hex(high)] for low, high in rows.ranges],
                "rows": rows.rows,
            }
    return found, caller


@method
def step_frames(tid, known, count=2):
    """The innermost `count` physical stack frames, for a search backwards.

    `known`: entries of functions whose `code` the caller has already.
    """
    frame = select(tid)
    frames = []
    while frame is not None and len(frames) < count:
        entry, frame = step_frame(frame, known)
        frames.append(entry)
    return frames


@method
def code_ranges(tid):
    """Known code around the pc and the place it was called from, to find instruction starts."""
    import chronofork_program

    frame = select(tid)
    found = []
    for one in (frame, frame.older()):
        if one is None:
            continue
        pc = one.pc()
        block = physical_block(pc)
        if block is not None:
            found += [{"start": hex(low), "end": hex(high)} for low, high in rows_of(block).ranges]
            continue
        start = chronofork_program.start_of_code(pc)
        if start is not None:
            found.append({"start": hex(start), "end": hex(pc + 16)})
    return found


@method
def where(tid):
    """The innermost frame in one look: pc, stack pointer, CFA, function, line."""
    frame = select(tid)
    outer, depth = physical(frame)
    caller = caller_of(outer)
    sal = frame.find_sal()
    return {
        "pc": hex(frame.pc()),
        "rsp": hex(int(outer.read_register("rsp")) & (2**64 - 1)),
        "cfa": hex(int(caller.read_register("rsp")) & (2**64 - 1)) if caller is not None else None,
        "depth": depth,
        "line": sal.line if sal.symtab is not None else 0,
        "file": sal.symtab.filename if sal.symtab is not None else "",
    }


@method
def line_blocks():
    """The blocks of addresses of each line of the selected thread's function, in one piece where they adjoin."""
    block = physical_block(gdb.newest_frame().pc())
    blocks = []
    for row in sorted(rows_of(block).rows, key=lambda row: int(row["address"], 16)) if block is not None else ():
        start = int(row["address"], 16)
        end = gdb.find_pc_line(start).last + 1
        line = (row["file"], row["line"])
        if blocks and blocks[-1][0] == line and blocks[-1][2] == start:
            blocks[-1][2] = end
        else:
            blocks.append([line, start, end])
    return [{"start": hex(start), "end": hex(end)} for _, start, end in blocks]


def frame_bounds(frame):
    """The function's block, the stack pointer and the CFA of a physical frame; None where it is not known.

    gdb shows no caller of main, so its CFA is not known.
    """
    caller = caller_of(frame)
    cfa = int(caller.read_register("rsp")) & (2**64 - 1) if caller is not None else None
    block = physical_block(called_from(frame))
    return block, int(frame.read_register("rsp")) & (2**64 - 1), cfa, caller


def frame_around(address):
    """The stack frame of the selected thread that holds an address: tid, function, entry and CFA; None if none does."""
    frame = gdb.newest_frame()
    for _ in range(1000):
        frame, _ = physical(frame)
        if frame is None:
            return None
        block, rsp, cfa, caller = frame_bounds(frame)
        # Nothing of the outermost function lies further up than its own variables.
        end = cfa if cfa is not None else rsp + OUTERMOST_FRAME_BYTES
        if rsp - RED_ZONE <= address < end:
            if block is None:
                return None
            tid = tid_of(gdb.selected_thread())
            entry = {"tid": tid, "function": block.function.print_name, "entry": hex(block.start)}
            return dict(entry, cfa=hex(cfa) if cfa is not None else None)
        frame = caller
    return None


@method
def is_on_stack(tid, entry, cfa):
    """Whether a call of the function at `entry` is under way, with that CFA if it is known."""
    frame = select(tid)
    for _ in range(1000):
        frame, _ = physical(frame)
        if frame is None:
            return False
        block, _, found, caller = frame_bounds(frame)
        same_cfa = cfa is None or found is None or found == int(cfa, 16)
        if block is not None and block.start == int(entry, 16) and same_cfa:
            return True
        frame = caller
    return False


@method
def level_of(tid, cfa):
    """How many stack frames are inside the one with that CFA; null if it is gone."""
    frame = select(tid)
    level = 0
    while frame is not None and level < 1000:
        outer, _ = physical(frame)
        caller = caller_of(outer)
        found = hex(int(caller.read_register("rsp")) & (2**64 - 1)) if caller is not None else None
        if found == cfa:
            return {"level": frame.level()}
        frame = caller
        level += 1
    return {"level": None}
