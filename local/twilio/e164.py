"""A phone number as Twilio wants it."""

import re

E164 = re.compile(r"\+[1-9]\d{6,14}")
