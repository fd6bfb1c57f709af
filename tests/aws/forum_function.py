"""A voice webhook as it is often written: what `make cold-start` measures ours beside.

FastAPI behind Mangum, Twilio's whole client, Powertools with their tracer, and a client of AWS, all of it made when the
module is imported. It checks no signature and reads no settings, so it has less to do at its first call than ours.

Its packages are all that a plain `pip install` brings, without bytecode: SAM's own builder unpacks wheels and compiles
nothing (aws-lambda-builders, workflows/python_pip/DESIGN.md).
"""

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from fastapi import FastAPI, Response
from mangum import Mangum
from twilio.rest import Client
from twilio.twiml.voice_response import Connect, VoiceResponse

logger = Logger(service="voice")
tracer = Tracer(service="voice")
metrics = Metrics(namespace="Voice", service="voice")
dynamodb = boto3.client("dynamodb")
twilio = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])

app = FastAPI()


@app.post("/incoming-call")
async def incoming_call() -> Response:
    """Connects the call's audio to a worker."""
    logger.info("incoming call")
    metrics.add_metric(name="IncomingCalls", unit=MetricUnit.Count, value=1)
    response = VoiceResponse()
    connect = Connect()
    connect.stream(url=os.environ["STREAM_URL"])
    response.append(connect)
    return Response(str(response), media_type="text/xml")


asgi = Mangum(app, lifespan="off")


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    return asgi(event, context)
