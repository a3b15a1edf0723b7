"""The truth about a small program, by plain gdb alone: every instruction from
the first line of main to a given one is stepped, and looked at.

    ORACLE='{"until": 75, "lines": [...], "watch": ["total"], ...}' gdb -batch -x oracle.py PROGRAM
"""

import json
import os

import gdb

asked = json.loads(os.environ["ORACLE"])


def addresses_of(spec):
    point = gdb.Breakpoint(spec, internal=True)
    try:
        return [one.address for one in point.locations]
    finally:
        point.delete()


def text(expression):
    return gdb.parse_and_eval(expression).format_string(max_elements=32, max_depth=2, repeat_threshold=16)


gdb.execute("set environment LD_BIND_NOW 1")
gdb.execute("set print static-members off")
gdb.execute("break main")
gdb.execute("run", to_string=True)

line_at = {}
for line in asked["lines"]:
    for address in addresses_of("%s:%d" % (asked["file"], line)):
        line_at.setdefault(address, []).append(line)
values_at = {}
for one in asked["values"]:
    for address in addresses_of("%s:%d" % (asked["file"], one["line"])):
        values_at.setdefault(address, []).append(one)
until = addresses_of("%s:%d" % (asked["file"], asked["until"]))[0]

entries = {}
bodies = {}
for function in asked["functions"]:
    body = addresses_of(function)[0]
    block = gdb.block_for_pc(body)
    while block.function is None:
        block = block.superblock
    entries[block.start] = function
    bodies[body] = (function, [one.name for one in block if one.is_argument])

answer = {
    "counts": {str(line): 0 for line in asked["lines"]},
    "values": {one["name"]: [] for one in asked["values"]},
    "writes": {name: [] for name in asked["watch"]},
    "calls": {function: [] for function in asked["functions"]},
    "steps": 0,
}
places = {name: gdb.parse_and_eval("&" + name) for name in asked["watch"]}
before = {name: text(name) for name in asked["watch"]}
open_calls = []

while True:
    frame = gdb.newest_frame()
    pc = frame.pc()
    if pc == until:
        break
    rsp = int(frame.read_register("rsp")) & (2**64 - 1)
    while open_calls and open_calls[-1]["slot"] + 8 == rsp and open_calls[-1]["to"] == pc:
        call = open_calls.pop()
        call["row"]["returned"] = True
        call["row"]["rax"] = str(int(frame.read_register("rax")) & (2**64 - 1))
    for line in line_at.get(pc, ()):
        answer["counts"][str(line)] += 1
    for one in values_at.get(pc, ()):
        if one.get("condition") and not int(gdb.parse_and_eval(one["condition"])):
            continue
        answer["values"][one["name"]].append(text(one["expression"]))
    if pc in entries:
        to = int.from_bytes(gdb.selected_inferior().read_memory(rsp, 8).tobytes(), "little")
        open_calls.append({"slot": rsp, "to": to, "row": None})
    if pc in bodies:
        function, arguments = bodies[pc]
        row = {"arguments": [text(name) for name in arguments], "returned": False}
        answer["calls"][function].append(row)
        open_calls[-1]["row"] = row
    line = frame.find_sal().line
    gdb.execute("stepi", to_string=True)
    answer["steps"] += 1
    for name, place in places.items():
        after = place.dereference().format_string(max_elements=32, max_depth=2, repeat_threshold=16)
        if after != before[name]:
            answer["writes"][name].append({"old": before[name], "new": after, "line": line})
            before[name] = after

print("ORACLE" + json.dumps(answer))
