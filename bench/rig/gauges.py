"""The samples of a run's measured part: one list of latencies in nanoseconds for each kind."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self


def _samples() -> "array[int]":
    return array("q")


@dataclass
class Gauges:
    """Samples are taken only while `recording`, except those of a call's start, which are always taken."""

    recording: bool = False
    to_model: "array[int]" = field(default_factory=_samples)  # a media frame, from the phone to the model
    to_phone: "array[int]" = field(default_factory=_samples)  # the agent's audio, from the model to the phone
    clear: "array[int]" = field(default_factory=_samples)  # from `speech_started` at the model to `clear` at the phone
    first_audio: "array[int]" = field(default_factory=_samples)  # from a stream's `start` to its first audio
    since_dialled: "array[int]" = field(default_factory=_samples)  # from the stream's handshake to its first audio
    late: "array[int]" = field(default_factory=_samples)  # how late the rig itself sent a media frame
    writes: int = 0  # to the table
    refusals: int = 0  # requests that a model refused

    def forget(self) -> None:
        """Clears all samples."""
        for samples in (self.to_model, self.to_phone, self.clear, self.first_audio, self.since_dialled, self.late):
            del samples[:]


@dataclass(frozen=True)
class Spread:
    """Percentiles of samples, in milliseconds; None without samples."""

    samples: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    highest: float | None = None

    @classmethod
    def of(cls, samples_ns: Sequence[int]) -> Self:
        """Computes percentiles by nearest rank."""
        ordered = sorted(samples_ns)
        if not ordered:
            return cls(0)
        p50, p95, p99, highest = (
            round(ordered[math.ceil(len(ordered) * percent / 100) - 1] / 1e6, 3) for percent in (50, 95, 99, 100)
        )
        return cls(len(ordered), p50, p95, p99, highest)
