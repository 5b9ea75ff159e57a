"""What the experiment did: faults and their clocks, kills, whether its story was told and all came to rest.

Fed by `reports.intake`. Never decides whether a fault bit; it keeps what was written about it.
"""

from __future__ import annotations

from reports.evidence import EVENTS, Record
from reports.history import History
from reports.intake.fields import flag, number, text, text_or_none, whole, words
from reports.records import Drain, Fault, Kill


class Events:
    """Intake of `events.jsonl`."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.handlers = {
            "phase": self.phase,
            "process": self.process,
            "inject": self.inject,
            "bite": self.bite,
            "heal": self.heal,
            "healed": self.healed,
            "recovered": self.recovered,
            "not_recovered": self.not_recovered,
            "quiet": self.quiet,
            "not_quiet": self.quiet,
            "story": self.story,
            "load_exit": self.load_exit,
            "harness_failed": self.harness_failed,
        }

    def phase(self, record: Record) -> None:
        """Align the clocks: every phase carries both. With `stop` the system ends."""
        self.history.wall_minus_mono_ns = record["wall_ns"] - record["mono_ns"]
        if record.get("name") == "stop":
            self.history.stopped_ns = record["mono_ns"]

    def process(self, record: Record) -> None:
        """Keep a kill, with the children that died with the process."""
        if text(record, "what") != "killed":
            return
        pids = frozenset((whole(record, "process_pid"), *map(int, record["children"])))
        kill = Kill(text(record, "name"), record["mono_ns"], record["wall_ns"] / 1e6, pids)
        self.history.kills.append(kill)
        self.history.wall_minus_mono_ns = record["wall_ns"] - record["mono_ns"]

    def inject(self, record: Record) -> None:
        """Open a fault."""
        kind, fault = text(record, "kind"), self._fault(record)
        if fault.inject_ns is not None:
            raise ValueError(f"fault {fault.name} was injected twice")
        fault.kind, fault.inject_ns, fault.detail = kind, record["mono_ns"], words(record.get("detail"))

    def bite(self, record: Record) -> None:
        """Keep the first proof that the fault had an effect."""
        proof, fault = text(record, "proof"), self._fault(record)
        if fault.bite_ns is None:
            fault.bite_ns, fault.proof = record["mono_ns"], proof

    def heal(self, record: Record) -> None:
        """Keep when the fault was asked to end."""
        self._fault(record).heal_ns = record["mono_ns"]

    def healed(self, record: Record) -> None:
        """Keep when, and in which words, its end was read back."""
        read_back, fault = text(record, "read_back"), self._fault(record)
        fault.healed_ns, fault.read_back = record["mono_ns"], read_back

    def recovered(self, record: Record) -> None:
        """Keep how long the system took to be as fast as before."""
        after_s, fault = number(record, "after_s"), self._fault(record)
        fault.recovery_s = after_s
        base = fault.healed_ns if fault.healed_ns is not None else record["mono_ns"] - int(after_s * 1e9)
        fault.recovered_ns = base + int(after_s * 1e9)

    def not_recovered(self, record: Record) -> None:
        """Keep that it did not, and how long it was waited for."""
        fault = self._fault(record)
        fault.not_recovered, fault.waited_s = True, number(record, "waited_s")

    def quiet(self, record: Record) -> None:
        """Keep how the drain ended; the last word counts."""
        quiet, detail = record["event"] == "quiet", words(record.get("detail"))
        seen = flag(record, "seen") if "seen" in record else True  # older runs do not say
        self.history.drain = Drain(quiet, number(record, "after_s"), detail, seen)

    def story(self, record: Record) -> None:
        """Keep whether the story was told to its end; a bad word is not taken back by a later one."""
        told, why, story = flag(record, "told"), text_or_none(record, "why"), self.history.story
        story.told = told and story.told is not False
        story.why = story.why or why or ""

    def load_exit(self, record: Record) -> None:
        """Keep the exit code of the load's process; None: it was not seen to end."""
        status = None if record["status"] is None else whole(record, "status")
        self.history.story.exits.append(status)

    def harness_failed(self, record: Record) -> None:
        """Keep what the harness itself could not do, or not undo."""
        self.history.story.failures.append(text(record, "why"))

    def finish(self) -> None:
        """Say what is missing: faults that are spoken of and were never injected."""
        problems = self.history.problems[EVENTS]
        for fault in self.history.faults.values():
            if fault.inject_ns is None:
                problems.append(
                    f"{EVENTS}: fault {fault.name} was never injected, yet there are records of it"
                )

    def _fault(self, record: Record) -> Fault:
        name = text(record, "fault")
        return self.history.faults.setdefault(name, Fault(name))
