"""Logpoints: breakpoints that print and never stop. And which signals do.

Logpoints are made here, not with MI, because a stop that the adapter would resume
ends the `next` it happens in; a breakpoint whose `stop` method answers False
does not.

The text reaches the adapter on gdb's console stream, marked by LOG_MARK.
"""

import json
import re

import gdb

from chronofork_gdb import method

# An escape character no program's source holds; gdb/logMark in the adapter is the same.
LOG_MARK = "\x1echronofork-log "


class LogBreakpoint(gdb.Breakpoint):
    """A breakpoint at a location of gdb's own syntax, or a function."""

    def __init__(self, location, template, condition, hit_text):
        super().__init__(location)
        self.template = template
        self.stop_condition = condition
        self.hit_text = hit_text
        self.hits_seen = 0

    def stop(self):
        try:
            if self.stop_condition and not bool(gdb.parse_and_eval(self.stop_condition)):
                return False
        except gdb.error as error:
            self.log("[condition of the logpoint: %s]" % error)
            return False
        self.hits_seen += 1
        if not hit_wanted(self.hit_text, self.hits_seen):
            return False
        self.log(interpolate(self.template))
        return False

    def log(self, text):
        sal = gdb.newest_frame().find_sal()
        entry = {"text": text, "number": self.number}
        if sal.symtab is not None:
            entry["path"] = sal.symtab.fullname()
            entry["line"] = sal.line
        gdb.write(LOG_MARK + json.dumps(entry) + "\n")


def hit_wanted(text, hits):
    """`5`, `==5`, `>5`, `>=5`, `<5`, `<=5`, `%5`; no text: always."""
    match = re.match(r"\s*(==|=|>=|>|<=|<|%)?\s*(\d+)\s*$", text or "")
    if not match:
        return True
    number = int(match.group(2))
    return {
        "%": lambda: number > 0 and hits % number == 0,
        ">": lambda: hits > number,
        ">=": lambda: hits >= number,
        "<": lambda: hits < number,
        "<=": lambda: hits <= number,
    }.get(match.group(1), lambda: hits == number)()


def interpolate(template):
    """Replaces {expression} by its value; `{{` and `}}` stand for themselves."""

    def value_of(match):
        if match.group(0) in ("{{", "}}"):
            return match.group(0)[0]
        try:
            return shown(gdb.parse_and_eval(match.group(1)))
        except gdb.error as error:
            return "{%s: %s}" % (match.group(1), error)

    return re.sub(r"\{\{|\}\}|\{([^{}]+)\}", value_of, template)


def shown(value):
    text = value.format_string(max_elements=200)
    # A string is logged as what it says, not as a C literal with its address.
    match = re.match(r'(?:0x[0-9a-f]+ (?:<[^>]*> )?)?"((?:[^"\\]|\\.)*)"$', text)
    return match.group(1) if match else text


@method
def insert_logpoint(location, template, condition, hits):
    """Returns the number of the new breakpoint; MI's =breakpoint-created tells the rest."""
    return {"number": LogBreakpoint(location, template, condition, hits).number}


@method
def handle_signals(stopping, passing):
    """Signals that stop the program, and before that those that only reach it; both by gdb's names for them.

    Not on the console: there gdb prints its table of 150 signals each time.
    """
    for names, how in ((passing, "nostop noprint pass"), (stopping, "stop print pass")):
        if names:
            gdb.execute("handle %s %s" % (" ".join(names), how), to_string=True)
