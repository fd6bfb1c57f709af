"""A voice webhook as it is often written; `make cold-start` compares ours with it.

FastAPI behind Mangum, Twilio's whole client, Powertools with their tracer, and an AWS client, all created at import. It
checks no signature and reads no settings, so its first call does less than ours.

Its packages are those of a plain `pip install`, without bytecode: SAM's own builder unpacks wheels and compiles nothing
(aws-lambda-builders, workflows/python_pip/DESIGN.md).
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
    """The Lambda handler."""
    return asgi(event, context)
