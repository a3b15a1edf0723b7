"""The adapter's part inside gdb: one MI command, `-chronofork METHOD JSON`.

Each method answers with a whole page (a stack, a scope, the line starts of a
function) in one round trip; the reply is one JSON string in the MI field
`json`, so that nothing depends on how gdb prints nested results.

Not here: anything that resumes the debuggee. That is plain MI, so that gdb's
own records say what happened.

Easy to get wrong: values belong to one stop. Every handle is forgotten when
`stop` is called, which the adapter does first at each stop.
"""

import json
import os
import sys

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Where it finds itself at fault (losing its target in the middle of a call is
# enough), gdb would leave a core file in the user's folder, or wait for an answer.
for problem in ("internal-error", "internal-warning"):
    gdb.execute(f"maintenance set {problem} corefile no")
    gdb.execute(f"maintenance set {problem} quit {'yes' if problem == 'internal-error' else 'no'}")

METHODS = {}


def method(function):
    """Makes `function` callable as `-chronofork NAME {arguments}`."""
    METHODS[function.__name__] = function
    return function


class ChronoforkCommand(gdb.MICommand):
    def __init__(self):
        super().__init__("-chronofork")

    def invoke(self, argv):
        if len(argv) != 2 or argv[0] not in METHODS:
            raise gdb.GdbError("chronofork: unknown method")
        return {"json": json.dumps(METHODS[argv[0]](**json.loads(argv[1])))}


ChronoforkCommand()

# They register their methods while being imported; this module may be known
# to Python as __main__ only.
sys.modules["chronofork_gdb"] = sys.modules[__name__]
import chronofork_breakpoints  # noqa: E402,F401
import chronofork_crash  # noqa: E402,F401
import chronofork_functions  # noqa: E402,F401
import chronofork_lines  # noqa: E402,F401
import chronofork_program  # noqa: E402,F401
import chronofork_queries  # noqa: E402,F401
import chronofork_stack  # noqa: E402,F401
import chronofork_values  # noqa: E402,F401
