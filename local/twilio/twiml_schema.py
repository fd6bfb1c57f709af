"""Which verbs, nouns and attributes TwiML has, and which of them this simulation refuses."""

from collections.abc import Mapping

_STATUS = frozenset({"statusCallback", "statusCallbackMethod", "statusCallbackEvent"})

ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "Say": frozenset({"voice", "language", "loop"}),
    "Pause": frozenset({"length"}),
    "Play": frozenset({"loop"}),
    "Gather": frozenset({"input", "numDigits", "timeout", "finishOnKey", "action", "method", "actionOnEmptyResult"}),
    "Connect": frozenset({"action", "method"}),
    "Stream": frozenset({"url", "name", "track"}),
    "Parameter": frozenset({"name", "value"}),
    "Dial": frozenset({"action", "method", "timeout", "timeLimit", "callerId", "answerOnBridge", "hangupOnStar"}),
    "Number": frozenset({"url", "method"}) | _STATUS,
    "Conference": frozenset({"muted", "beep", "startConferenceOnEnter", "endConferenceOnExit", "participantLabel"})
    | frozenset({"waitUrl", "waitMethod", "maxParticipants"})
    | _STATUS,
    "Redirect": frozenset({"method"}),
    "Hangup": frozenset(),
    "Reject": frozenset({"reason"}),
}
NOT_SIMULATED = frozenset(
    ["Enqueue", "Leave", "Pay", "Prompt", "Queue", "Record", "Refer", "Sms", "Start", "Stop"]  # verbs
)
NOT_SIMULATED_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "Play": frozenset({"digits"}),
    "Gather": frozenset(
        [
            "bargeIn",
            "debug",
            "enhanced",
            "hints",
            "language",
            "maxSpeechTime",
            "partialResultCallback",
            "partialResultCallbackMethod",
            "profanityFilter",
            "speechModel",
            "speechTimeout",
            "dtmfDetection",
        ]
    ),
    "Stream": frozenset({"statusCallback", "statusCallbackMethod", "connectorName", "audioFormat", "sampleRate"}),
    "Dial": frozenset(
        [
            "callReason",
            "record",
            "recordingStatusCallback",
            "recordingStatusCallbackEvent",
            "recordingTrack",
            "recordingStatusCallbackMethod",
            "referMethod",
            "referUrl",
            "ringTone",
            "trim",
            "events",
            "sequential",
        ]
    ),
    "Number": frozenset(
        [
            "amdStatusCallback",
            "amdStatusCallbackMethod",
            "byoc",
            "machineDetection",
            "machineDetectionTimeout",
            "machineDetectionSilenceTimeout",
            "machineDetectionSpeechEndThreshold",
            "phoneNumberSid",
            "sendDigits",
            "machineDetectionSpeechThreshold",
        ]
    ),
    "Conference": frozenset(
        [
            "coach",
            "eventCallbackUrl",
            "jitterBufferSize",
            "record",
            "recordingConfigurationId",
            "region",
            "trim",
            "recordingStatusCallback",
            "recordingStatusCallbackEvent",
            "recordingStatusCallbackMethod",
        ]
    ),
}
# Unless Twilio has raised the limit of the account, which may then be 24 hours.
LONGEST_CALL_S = 14_400
CALL_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
CONFERENCE_EVENTS = frozenset({"start", "end", "join", "leave"})
EVENTS_NOT_SIMULATED = frozenset({"mute", "hold", "modify", "speaker", "announcement"})
BEEPS = frozenset({"true", "false", "onEnter", "onExit"})
