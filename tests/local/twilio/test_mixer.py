"""What one phone hears of others whose audio comes when it comes."""

from local.speech import tone
from local.twilio.audio_format import FRAME_BYTES, SILENT_FRAME
from local.twilio.mixer import Mixer, two_parties

WORD = tone(400)
FRAMES = [WORD[at : at + FRAME_BYTES] for at in range(0, len(WORD), FRAME_BYTES)]


def frames(mixer: Mixer, count: int) -> list[bytes]:
    """The next frames that are heard."""
    return [mixer.next_frame(float(number * 20)) for number in range(count)]


def test_late_speaker_makes_no_gap_in_the_midst_of_a_word() -> None:
    """A frame is kept in hand, so that one may come late."""
    mixer = Mixer()
    mixer.hear("maria", FRAMES[0])
    heard = frames(mixer, 1)
    for frame in FRAMES[1:3]:
        mixer.hear("maria", frame)
    heard += frames(mixer, 2)
    mixer.hear("maria", FRAMES[3])
    heard += frames(mixer, 2)
    assert heard == [SILENT_FRAME, *FRAMES[:4]]


def test_delay_is_made_up_for_in_silence() -> None:
    """And words are never cut: what piled up is heard as it was said."""
    mixer = Mixer()
    for frame in [SILENT_FRAME] * 50 + FRAMES:
        mixer.hear("maria", frame)
    heard = frames(mixer, 30)
    assert heard[: len(FRAMES)] == FRAMES
    assert mixer.first_voice_ms == 0


def test_who_is_forgotten_is_heard_no_more() -> None:
    """Not even what they had said before."""
    mixer = Mixer()
    for frame in FRAMES:
        mixer.hear("maria", frame)
    assert frames(mixer, 1) == FRAMES[:1]
    mixer.forget("maria")
    assert frames(mixer, 2) == [SILENT_FRAME] * 2
    assert not mixer.playing


def test_signal_is_heard_and_is_nobodys_voice() -> None:
    """A beep does not count as words."""
    mixer = Mixer()
    mixer.signal(WORD)
    assert frames(mixer, len(FRAMES) + 1) == [*FRAMES, SILENT_FRAME]
    assert (mixer.playing, mixer.first_voice_ms) == (False, None)


def test_two_parties_hear_each_other() -> None:
    """And not themselves."""
    one, other = two_parties()
    for frame in FRAMES:
        one.caller_audio(frame)
    assert frames(other.ear, 2) == FRAMES[:2]
    assert frames(one.ear, 2) == [SILENT_FRAME] * 2
