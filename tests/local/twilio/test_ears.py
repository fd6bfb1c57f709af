"""What a phone hears: queued audio with marks, other phones with irregular audio, and tunes."""

from local.audio.pitch import pitches_in
from local.audio.speech import FRAME_BYTES, SILENCE, SILENT_FRAME, longest_silence, milliseconds, tone
from local.twilio.ears import MAX_QUEUED_BYTES, Mixer, Playback, Tune, hold_music, ringback
from local.twilio.report import ClearReceived, MarkReceived, Received

TONE = b"\x10"
WORD = tone(400)
FRAMES = [WORD[at : at + FRAME_BYTES] for at in range(0, len(WORD), FRAME_BYTES)]


def test_audio_of_any_size_comes_out_in_frames() -> None:
    """Payloads are joined and cut into 20 ms, and silence fills what is missing."""
    playback = Playback()
    playback.media(TONE * 100, 0)
    playback.media(TONE * 300, 0)
    frames = [playback.next_frame(at) for at in (0, 20, 40, 60)]
    assert frames == [
        TONE * FRAME_BYTES,
        TONE * FRAME_BYTES,
        TONE * 80 + SILENCE * 80,
        SILENCE * FRAME_BYTES,
    ]


def test_mark_comes_back_at_once_when_nothing_is_queued() -> None:
    """A mark without audio before it is reached at once."""
    echoes: list[str] = []
    Playback(echoes.append).mark("idle", 0)
    assert echoes == ["idle"]


def test_mark_waits_for_the_audio_before_it() -> None:
    """A mark at the end of a frame comes back when that frame has been played, not when it starts."""
    echoes: list[str] = []
    playback = Playback(echoes.append)
    playback.media(TONE * FRAME_BYTES, 0)
    playback.mark("after", 0)
    playback.next_frame(0)
    assert echoes == []
    playback.next_frame(20)
    assert echoes == ["after"]


def test_mark_inside_a_frame_does_not_hold_up_the_audio_behind_it() -> None:
    """Audio before and after a mark shares a frame; the mark comes back with the next frame."""
    echoes: list[str] = []
    playback = Playback(echoes.append)
    playback.media(TONE * 40, 0)
    playback.mark("middle", 0)
    playback.media(TONE * 120, 0)
    assert playback.next_frame(0) == TONE * FRAME_BYTES
    assert echoes == []
    playback.next_frame(20)
    assert echoes == ["middle"]


def test_mark_sent_while_the_last_frame_sounds_waits_for_it() -> None:
    """An empty queue is not silence yet: the current frame is played to its end first."""
    echoes: list[str] = []
    playback = Playback(echoes.append)
    playback.media(TONE * FRAME_BYTES, 0)
    playback.next_frame(0)
    playback.mark("late", 10)
    assert echoes == []
    playback.next_frame(20)
    assert echoes == ["late"]


def test_clear_drops_the_audio_and_sends_all_marks_back() -> None:
    """A clear sends the marks back in order; only those after dropped audio are `cut`."""
    echoes: list[str] = []
    log: list[Received] = []
    playback = Playback(echoes.append, log)
    playback.media(TONE * 40, 0)
    playback.mark("heard", 0)
    playback.media(TONE * 1600, 0)
    playback.mark("cut", 0)
    playback.next_frame(0)
    playback.clear(10)
    assert echoes == ["heard", "cut"]
    assert [entry.cut for entry in log if isinstance(entry, MarkReceived)] == [False, True]
    assert [entry.dropped_ms for entry in log if isinstance(entry, ClearReceived)] == [(1600 - 120) / 8]
    assert playback.next_frame(20) == SILENCE * FRAME_BYTES


def test_playing_lasts_until_the_last_frame_has_sounded() -> None:
    """The current frame counts as playing, although the queue is empty."""
    playback = Playback()
    assert not playback.playing
    playback.media(TONE * FRAME_BYTES, 0)
    playback.next_frame(0)
    assert playback.playing
    playback.next_frame(20)
    assert not playback.playing


def test_more_than_ten_minutes_are_discarded() -> None:
    """Twilio's 31931: only the message that would overflow the queue is lost."""
    playback = Playback()
    assert playback.media(bytes(MAX_QUEUED_BYTES), 0)
    assert not playback.media(TONE, 0)
    playback.next_frame(0)
    assert playback.media(TONE, 0)


def frames(mixer: Mixer, count: int) -> list[bytes]:
    """The next `count` frames that are heard."""
    return [mixer.next_frame(float(number * 20)) for number in range(count)]


def test_late_speaker_makes_no_gap_in_the_midst_of_a_word() -> None:
    """A frame is buffered, so that one may come late."""
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
    """And words are never cut: buffered audio is played completely."""
    mixer = Mixer()
    for frame in [SILENT_FRAME] * 50 + FRAMES:
        mixer.hear("maria", frame)
    heard = frames(mixer, 30)
    assert heard[: len(FRAMES)] == FRAMES
    assert mixer.first_voice_ms == 0


def test_a_removed_speaker_is_not_heard() -> None:
    """Not even their buffered audio."""
    mixer = Mixer()
    for frame in FRAMES:
        mixer.hear("maria", frame)
    assert frames(mixer, 1) == FRAMES[:1]
    mixer.forget("maria")
    assert frames(mixer, 2) == [SILENT_FRAME] * 2
    assert not mixer.playing


def test_hold_music_is_endless_and_has_no_pause() -> None:
    """Ringing is mostly silence; neither counts as a voice."""
    tune = Tune(hold_music())
    heard = b"".join(tune.next_frame(0) for _ in range(1000))
    assert (longest_silence(heard, 0, None), milliseconds(len(heard)), tune.playing) == (0, 20_000, False)
    assert longest_silence(ringback(), 0, None) == 4000
    assert pitches_in(ringback())
