"""Threads and stack frames.

A thread is named by its tid everywhere: gdb's own numbers change when a jump
in time replaces the process.
"""

import os

import gdb

from chronofork_gdb import method

# A stack deeper than this is counted no further; clients ask for more by page.
COUNTED_FRAMES = 2000


def thread_of(tid):
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid or thread.ptid[2] == tid:
            return thread
    raise gdb.GdbError("There is no thread %d any more" % tid)


def tid_of(thread):
    return thread.ptid[1] or thread.ptid[2] or thread.ptid[0]


def select(tid, level=0):
    """Selects a thread's stack frame in gdb and returns it."""
    thread = gdb.selected_thread()
    if thread is None or tid_of(thread) != tid:
        thread_of(tid).switch()
    frame = gdb.newest_frame()
    for _ in range(level):
        frame = frame.older()
        if frame is None:
            raise gdb.GdbError("This stack frame is gone")
    frame.select()
    return frame


def location(frame):
    """Function, path and line of a stack frame, as far as they are known."""
    found = {}
    name = frame.name()
    if name:
        found["function"] = name
    sal = frame.find_sal()
    if sal.symtab is not None and sal.line > 0:
        found["path"] = sal.symtab.fullname()
        found["file"] = sal.symtab.filename
        found["line"] = sal.line
    return found


def describe(frame):
    entry = location(frame)
    entry["pc"] = hex(frame.pc())
    if "path" not in entry:
        entry["module"] = gdb.solib_name(frame.pc()) or ""
    if "function" not in entry:
        entry["function"] = symbol_near(frame.pc())
    entry["inline"] = frame.type() == gdb.INLINE_FRAME
    return entry


def place_of(pc):
    """What is known of an address without a stack frame there."""
    found = {}
    block = gdb.block_for_pc(pc)
    while block is not None and block.function is None:
        block = block.superblock
    name = block.function.print_name if block is not None else symbol_near(pc)
    if name:
        found["function"] = name
    sal = gdb.find_pc_line(pc)
    # A line of a source that nobody has here, such as the C library's, says nothing.
    if sal.symtab is not None and sal.line > 0 and os.path.exists(sal.symtab.fullname()):
        found["path"] = sal.symtab.fullname()
        found["line"] = sal.line
    else:
        module = gdb.solib_name(pc)
        if module:
            found["module"] = module
    return found


@method
def places(addresses):
    """What is known of each of some addresses."""
    return [place_of(int(address, 16)) for address in addresses]


def symbol_near(pc):
    text = gdb.execute("info symbol %#x" % pc, to_string=True)
    return "" if text.startswith("No symbol") else text.split(" ")[0]


@method
def stop():
    """What a stopped event needs; forgets all values of the last stop."""
    import chronofork_lines
    import chronofork_nodes

    chronofork_nodes.forget()
    thread = gdb.selected_thread()
    if thread is None or not thread.is_valid():
        return None
    tid = tid_of(thread)
    entry = describe(gdb.newest_frame())
    entry.update(chronofork_lines.where(tid))
    entry["tid"] = tid
    return entry


@method
def choose_frame(tid, level):
    """Makes a stack frame the one that commands of gdb's command line work on."""
    select(tid, level)
    return {}


@method
def threads():
    listed = []
    for thread in gdb.selected_inferior().threads():
        listed.append({"tid": tid_of(thread), "name": thread.name or ""})
    return sorted(listed, key=lambda entry: entry["tid"])


@method
def stack(tid, start, count):
    """`count` stack frames from `start`; count 0 means all that are counted."""
    select(tid)
    frame = gdb.newest_frame()
    frames = []
    level = 0
    while frame is not None:
        if level >= start and (count == 0 or level < start + count):
            entry = describe(frame)
            entry["level"] = level
            frames.append(entry)
        level += 1
        if level >= COUNTED_FRAMES and level >= start + count:
            break
        try:
            frame = frame.older()
        except gdb.error:
            break
    return {"frames": frames, "total": level}
